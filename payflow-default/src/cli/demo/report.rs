//! What came of a payment, by the engine's own account.

use ecs_core::{EntityId, ErrorObject, Failed};
use ecs_systems::{
    components::{Amount, Claimed, FeePaid, PaidPreimage, Reservation, Status},
    planner::NoPlan,
    port::{BalanceObject, Books, PaymentRef, Posting},
    units::{MicroPercent, Msat, PaymentHash, Preimage, ShortChannelId},
};
use ledger_store::Account;
use node_sim::OUR_NAME;
use payflow_default::Driver;
use std::borrow::Cow;

/// What the engine has of a payment that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) entity: EntityId,
    /// `complete` or `failed`.
    pub(crate) status: String,
    pub(crate) amount_msat: Msat,
    pub(crate) fee_msat: Msat,
    pub(crate) fee_budget_msat: Option<Msat>,
    pub(crate) preimage: Option<Preimage>,
    pub(crate) error: Option<ErrorObject>,
    pub(crate) payment: Option<PaymentRef>,
    pub(crate) postings: Vec<Posting>,
    pub(crate) balance: BalanceObject,
}

impl Report {
    pub(crate) fn of(driver: &Driver, entity: EntityId) -> Self {
        let engine = driver.engine();
        let payment = engine.get::<Claimed>(entity).map(|claim| claim.0.claim.payment);
        let books = engine.resource::<Books>();
        Self {
            entity,
            status: engine
                .get::<Status>(entity)
                .and_then(|status| status.0.as_str().map(Cow::into_owned))
                .unwrap_or_default(),
            amount_msat: engine.get::<Amount>(entity).map_or(Msat::ZERO, |amount| amount.0),
            fee_msat: engine.get::<FeePaid>(entity).map_or(Msat::ZERO, |fee| fee.0),
            fee_budget_msat: engine.get::<Reservation>(entity).map(|it| it.0.fee_budget_msat),
            preimage: engine.get::<PaidPreimage>(entity).map(|preimage| preimage.0),
            error: engine.get::<Failed>(entity).map(|failed| failed.0.clone()),
            payment,
            postings: books
                .zip(payment)
                .and_then(|(books, payment)| books.0.postings_of(&payment).ok())
                .unwrap_or_default(),
            balance: books.map(|books| books.0.balance_object()).unwrap_or_default(),
        }
    }

    pub(crate) fn is_paid(&self) -> bool {
        self.status == "complete"
    }

    pub(crate) fn payment_hash(&self) -> Option<PaymentHash> {
        self.payment.map(|payment| payment.payment_hash)
    }

    /// Why no plan was made, if that is why it failed.
    pub(crate) fn no_plan(&self) -> Option<NoPlan> {
        self.error.as_ref()?.data.as_ref()?.decode().ok()
    }

    /// The fee as a share of the amount, rounded down to a millionth of a percent.
    pub(crate) fn fee_share(&self) -> MicroPercent {
        share(self.fee_msat, self.amount_msat)
    }
}

/// `part` as a share of `whole`, rounded down to a millionth of a percent; zero of nothing.
fn share(part: Msat, whole: Msat) -> MicroPercent {
    let micro = u128::from(part.0) * MicroPercent::WHOLE;
    MicroPercent(u64::try_from(micro.checked_div(u128::from(whole.0)).unwrap_or(0)).unwrap_or(0))
}

/// What the books say is ours in a channel.
pub(crate) fn booked(driver: &Driver, channel: ShortChannelId) -> Option<Msat> {
    let balance =
        driver.engine().resource::<Books>()?.0.balance(&Account::Channel(channel).of(OUR_NAME));
    balance.debits_posted_msat.checked_sub(balance.credits_posted_msat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_down_to_a_millionth_of_a_percent() {
        for (part, whole, expected) in
            [(0, 0, "0"), (1, 3, "33.333333"), (5_000, 1_000_000, "0.5"), (7, 7, "100")]
        {
            assert_eq!(share(Msat(part), Msat(whole)).to_string(), expected);
        }
    }
}
