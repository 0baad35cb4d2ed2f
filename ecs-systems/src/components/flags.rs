//! Flags of the engine: each ends the match of the System it is named for.

use super::kinds::flags;
use ecs_core::ComponentSpec;

flags! {
    /// Row 2.
    ParseInvoiceRan = ComponentSpec::engine("lightningd:parse_invoice:ran", "true",
        "`parse_invoice` has run.");
    /// Row 3.
    PromoteInvoiceTypeRan = ComponentSpec::engine("lightningd:promote_invoice_type:ran", "true",
        "`promote_invoice_type` has run.");
    /// Row 4.
    CheckTypeRan = ComponentSpec::engine("lightningd:check_type:ran", "true",
        "The invoice is of a kind that can be paid.");
    /// Rows 5 and 6.
    CheckCurrencyRan = ComponentSpec::engine("lightningd:check_currency:ran", "true",
        "The invoice is for our network, or its currency is another System's business.");
    /// Row 7.
    CheckExpiryRan = ComponentSpec::engine("lightningd:check_expiry:ran", "true",
        "The invoice had not expired.");
    /// Row 8.
    CheckDescriptionRan = ComponentSpec::engine("lightningd:check_description:ran", "true",
        "The description is the one the invoice commits to.");
    /// Row 9.
    PromoteTargetRan = ComponentSpec::engine("lightningd:promote_target:ran", "true",
        "`promote_target` has run.");
    /// Row 9.
    ToSelf = ComponentSpec::engine("lightningd:to-self", "true",
        "The payee is this node, and no route is wanted.");
    /// Row 22.
    Replayed = ComponentSpec::engine("lightningd:replayed", "true",
        "The same payment was complete before: the outcome is that one's, and nothing was sent.")
        .freezing();
    /// Row 23.
    Preapproved = ComponentSpec::engine("lightningd:preapproved", "true",
        "The signer has no objection.");
    /// Row 24.
    PolicyPassed = ComponentSpec::engine("lightningd:policy:passed", "true",
        "Policy, or an operator, lets the payment go on.");
    /// A plan Entity.
    Planning = ComponentSpec::engine("lightningd:planning", "true",
        "This Entity is a plan in the making; its `parent` waits for it.").freezing();
    /// Row S1.
    PartSent = ComponentSpec::engine("lightningd:part:sent", "true",
        "The HTLC has left, or may have: only the node can say.");
}
