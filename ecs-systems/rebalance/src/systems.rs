//! The Systems of an order.

use crate::{
    AimError, Moved, Order, Tried, Trying,
    aim::{Aim, aim},
};
use ecs_core::bevy_ecs::prelude::{Has, In, Query, Res};
use ecs_core::{
    Answer, Engine, Entities, EntityId, Error, Failed, Join, JoinAllOrAny, JoinDone, JoinMode,
    Json, On, Refusal, Step, Systems, Write, system,
};
use ecs_systems::{
    components::{
        Amount, Cancel, Circular, Destination, Exclude, FeeBudget, FeePaid, FirstHop,
        InvoiceMinFinalCltv, InvoicePaymentSecret, LastHop, MainPayment, MaxParts, Metadata,
        PaidPreimage, PayHash, RetryFor,
    },
    port::{Books, CLTV_BLOCKS_MIN, NodeView},
    refusal::{
        PAY_DESTINATION_INSUFFICIENT_CAPACITY, PAY_INSUFFICIENT_FUNDS, PAY_ROUTE_NOT_FOUND,
        PAY_ROUTE_TOO_EXPENSIVE, PAY_STOPPED_RETRYING, PAY_UNREACHABLE, PAY_UNSPECIFIED_ERROR,
    },
};
use std::{collections::BTreeSet, num::NonZeroU32};

/// Most payments of an order: the last one moves an eighth of what was wanted.
pub const TRIES_MAX: u32 = 4;
/// Most parts of a payment.
const PARTS_MAX: NonZeroU32 = NonZeroU32::new(10).expect("it is above zero");

pub(crate) const BEGIN: &str = "rebalance:begin";
pub(crate) const JUDGE: &str = "rebalance:judge";

pub(crate) fn register(app: &mut Engine) -> Result<(), Error> {
    let begin = system(BEGIN)
        .requires(["rebalance:order", "lightningd:payment_hash", "lightningd:systems"])
        .disallows(["rebalance:trying", "rebalance:moved", "lightningd:failing"]);
    app.add_payment_system(begin, self::begin)?;
    let judge = system(JUDGE)
        .requires(["rebalance:order", "rebalance:trying", "lightningd:join:done"])
        .disallows(["rebalance:moved", "lightningd:failing"]);
    app.add_payment_system(judge, self::judge)
}

/// An order that nothing is under way for.
type Ordered<'w> =
    (&'w Order, Option<&'w Tried>, &'w PayHash, Option<&'w InvoicePaymentSecret>, &'w Systems);

/// Makes the next payment, and joins it.
fn begin(
    In(entity): On,
    orders: Query<Ordered>,
    entities: Res<Entities>,
    (node, books): (Res<NodeView>, Res<Books>),
) -> Answer {
    let (order, tried, hash, secret, systems) = orders.get(entity)?;
    let tried = tried.map_or(0, |tried| tried.0);
    let channels = node.channels_in(&books, |_| true);
    let aim = aim(order, &node.identity, &channels, tried);
    let aim = aim.map_err(|why| refused(why, order))?.ok_or_else(level_meanwhile)?;
    let payment = entities.free().next().ok_or_else(no_entity)?;
    let write = payment_of(order, &aim, payment)
        .attach(systems)
        .attach(hash)
        .attach_some(secret)
        .attach(&Destination(node.identity));
    let join =
        Join { entities: BTreeSet::from([payment]), mode: JoinMode::Named(JoinAllOrAny::All) };
    let trying = Trying { payment, amount_msat: aim.amount_msat };
    Ok(Step::wait().attach(&trying).attach(&join).write(write).wake(payment))
}

fn payment_of(order: &Order, aim: &Aim, payment: EntityId) -> Write {
    let exclude = (!aim.exclude.is_empty()).then(|| Exclude(aim.exclude.clone()));
    let facts = Json::object([("rebalance", Json::of(&order.short_channel_id))]);
    Write::to(payment)
        .attach(&MainPayment(Json::yes()))
        .attach(&Circular)
        .attach(&InvoiceMinFinalCltv(CLTV_BLOCKS_MIN.0))
        .attach(&Amount(aim.amount_msat))
        .attach(&FeeBudget(aim.fee_budget_msat))
        .attach(&MaxParts(PARTS_MAX))
        .attach(&RetryFor(Json::of(&order.retry_for)))
        .attach_some(aim.first_hop.map(FirstHop).as_ref())
        .attach_some(aim.last_hop.map(LastHop).as_ref())
        .attach_some(exclude.as_ref())
        .attach(&Metadata(facts))
}

/// What became of a payment.
type Came<'w> = (Option<&'w PaidPreimage>, Option<&'w FeePaid>, Option<&'w Failed>, Has<Cancel>);

/// Ends the order with what its payment came to, or lets a smaller one begin.
fn judge(
    In(entity): On,
    orders: Query<(&Trying, Option<&Tried>, Has<Cancel>)>,
    payments: Query<Came>,
    entities: Res<Entities>,
) -> Answer {
    let (trying, tried, order_cancelled) = orders.get(entity)?;
    let payment = entities.get(trying.payment).ok_or_else(lost)?;
    let (paid, fee, failed, cancelled) = payments.get(payment)?;
    if paid.is_some() {
        let fee_msat = fee.ok_or_else(lost)?.0;
        let Trying { payment, amount_msat } = *trying;
        let moved = Moved { payment, amount_msat, fee_msat };
        return Ok(Step::stop().attach(&moved).detach::<Systems>());
    }
    let Failed(error) = failed.ok_or_else(lost)?;
    let tried = tried.map_or(0, |tried| tried.0).saturating_add(1);
    if tried < TRIES_MAX && needs_less(error.code) && !cancelled && !order_cancelled {
        let again = Step::advance().attach(&Tried(tried));
        return Ok(again.detach::<Trying>().detach::<JoinDone>());
    }
    let mut facts = error.facts();
    facts.insert("payment".to_owned(), Json::of(&trying.payment));
    facts.insert("tries".to_owned(), Json::of(&tried));
    facts.insert("tried_msat".to_owned(), Json::of(&trying.amount_msat));
    Err(Refusal::new(error.code, error.message.clone()).with_data(&facts))
}

/// Whether a smaller payment may do what this one could not.
fn needs_less(code: i32) -> bool {
    [
        PAY_ROUTE_NOT_FOUND,
        PAY_ROUTE_TOO_EXPENSIVE,
        PAY_STOPPED_RETRYING,
        PAY_UNSPECIFIED_ERROR,
        PAY_INSUFFICIENT_FUNDS,
        PAY_UNREACHABLE,
        PAY_DESTINATION_INSUFFICIENT_CAPACITY,
    ]
    .contains(&code)
}

/// Why nothing can be moved, as callers are told.
pub(crate) fn refused(why: AimError, order: &Order) -> Refusal {
    let channel = order.short_channel_id;
    match why {
        AimError::NoChannel => Refusal::invalid(format!("{channel} is no channel of ours")),
        AimError::NotInUse => Refusal::new(
            PAY_ROUTE_NOT_FOUND,
            format!("Channel {channel} is not in use now: try again once its peer is back"),
        ),
        AimError::NoOther => Refusal::new(
            PAY_INSUFFICIENT_FUNDS,
            format!(
                "No other channel of ours has anything that {channel} could be brought nearer by"
            ),
        ),
    }
}

fn level_meanwhile() -> Refusal {
    Refusal::new(PAY_STOPPED_RETRYING, "The channel has become level without this order")
}

fn no_entity() -> Refusal {
    Refusal::invalid("no entity id is free")
}

fn lost() -> Refusal {
    Refusal::new(PAY_UNSPECIFIED_ERROR, "The payment of this order is gone: listpays has its end")
}
