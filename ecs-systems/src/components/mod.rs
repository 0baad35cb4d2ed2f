//! The documented Components: one type each, with its wire name, JSON shape and rules.

mod kinds;
mod shape;
mod inputs;
mod invoice;
mod flags;
mod planned;
mod progress;
mod receive;
mod layers;

pub use flags::*;
pub use inputs::*;
pub use invoice::*;
pub use layers::*;
pub use planned::Planned;
pub use progress::*;
pub use receive::*;
pub use shape::{
    INVOICE_BYTES_MAX, KEY_BYTES_MAX, METADATA_BYTES_MAX, RETRY_FOR_SECONDS_MAX, TEXT_BYTES_MAX,
};

use ecs_core::Engine;

/// Registers each listed Component.
macro_rules! register {
    ($app:ident: $($name:ident)*) => { $($app.add_component::<$name>();)* };
}

/// Registers every documented Component.
pub fn register(app: &mut Engine) {
    app.add_free_prefix(INVOICE_PREFIX);
    register!(app: MainPayment Invoice MaxFeePercent RetryFor RiskFactor Label Description
        IdempotencyKey Metadata Amount ExemptFee FeeBudget Partial MaxDelay MaxParts Exclude
        Destination PayHash FirstHop LastHop Approval Nonce Parent Overpay Circular Cancel);
    register!(app: InvoiceUnchecked InvoiceAmount InvoiceType InvoiceCurrency InvoiceFeatures
        InvoiceMetadata InvoiceExpiresAt InvoiceDescriptionHash InvoicePaymentHash InvoicePayee
        InvoicePaymentSecret InvoiceMinFinalCltv InvoiceRoutes);
    register!(app: ParseInvoiceRan PromoteInvoiceTypeRan CheckTypeRan CheckCurrencyRan
        CheckExpiryRan CheckDescriptionRan PromoteTargetRan ToSelf Replayed Preapproved PolicyPassed
        Planning PartSent);
    register!(app: SameAs Claimed ApprovalAsked SelfAsked Reservation Deadline Attempt
        PlanningEntity Planned Part PartFailure Told HeightAwaited LateWord Followed PartsOpen
        PartsFailed PartsPaid PaidPreimage LedgerRef Exposure Remaining Total FeePaid PartSpent
        Status);
    register!(app: Htlc HtlcMatched CheckSecretRan CheckAmountsRan CheckCltvRan HtlcJoined Set
        SetReceived Paycode SetTimedOut SetEnough SetComplete SecretKnown Reject Hold SetHeld Held
        SetSettling SetClaimed SetLost Settled Refusing Refused);
    register!(app: NamedLayer Reservations);
}

#[cfg(test)]
mod tests;
