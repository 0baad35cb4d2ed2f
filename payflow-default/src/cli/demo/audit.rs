//! The books against the network's own truth.

use super::{report::booked, world::World};
use ecs_systems::{
    port::{Books, Ledger},
    units::{Msat, PaymentHash},
};
use ledger_store::Account;
use node_sim::OUR_NAME;
use payflow_default::Driver;

/// What both sides agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    pub(crate) channels: usize,
    /// Those of the payments.
    pub(crate) postings: usize,
    /// What payees received.
    pub(crate) received_msat: Msat,
    /// What forwarding nodes kept.
    pub(crate) fees_msat: Msat,
}

/// What the books say was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    payments: Msat,
    fees: Msat,
}

impl Spent {
    pub(crate) fn of(driver: &Driver) -> Self {
        let Some(books) = driver.engine().resource::<Books>() else { return Self::default() };
        let spent = |account| spent(&*books.0, account);
        Self { payments: spent(Account::Payment), fees: spent(Account::RoutingFee) }
    }
}

/// Holds the books of all payments of these hashes, which followed on `before`, against the
/// network.
///
/// # Errors
/// The first thing that differs, as a sentence.
pub(crate) fn audit(
    world: &World,
    driver: &Driver,
    hashes: &[PaymentHash],
    before: Spent,
) -> Result<Agreement, String> {
    world.network.audit().map_err(|why| format!("the network lost money: {why}"))?;
    let books = driver.engine().resource::<Books>().ok_or("there are no books")?;
    books.0.verify().map_err(|why| format!("the books don't add up: {why}"))?;
    let channels = channels(world, driver)?;
    let (mut received, mut fees) = (Msat::ZERO, Msat::ZERO);
    for hash in hashes {
        let truth = world.truth(*hash).map_err(|why| why.to_string())?;
        same("what is in flight", Msat::ZERO, truth.in_flight())?;
        received = plus(received, truth.received_in_all())?;
        fees = plus(fees, truth.spent().saturating_sub(truth.received_in_all()))?;
    }
    let now = Spent::of(driver);
    same("what payees received", now.payments.saturating_sub(before.payments), received)?;
    same("what forwarding nodes kept", now.fees.saturating_sub(before.fees), fees)?;
    let balance = books.0.balance_object();
    let set_aside = plus(balance.pending_outgoing_msat, balance.reserved_fees_msat)?;
    same("what is set aside", set_aside, Msat::ZERO)?;
    let claims = hashes.iter().filter_map(|hash| books.0.claim(hash).ok().flatten());
    let postings = claims.filter_map(|(claim, _)| books.0.postings_of(&claim.payment).ok());
    let postings = postings.map(|postings| postings.len()).sum();
    Ok(Agreement { channels, postings, received_msat: received, fees_msat: fees })
}

/// Holds what the books say is ours in each channel against the network; how many there are.
///
/// # Errors
/// The first channel that differs, as a sentence.
pub(crate) fn channels(world: &World, driver: &Driver) -> Result<usize, String> {
    let channels = world.network.our_balance();
    for (channel, really) in &channels {
        let booked = booked(driver, *channel).unwrap_or_default();
        same(&format!("our side of channel {channel}"), booked, *really)?;
    }
    Ok(channels.len())
}

fn spent(books: &dyn Ledger, account: Account) -> Msat {
    let balance = books.balance(&account.of(OUR_NAME));
    balance.debits_posted_msat.saturating_sub(balance.credits_posted_msat)
}

fn plus(a: Msat, b: Msat) -> Result<Msat, String> {
    a.checked_add(b).ok_or_else(|| "a sum is above 2^64 msat".to_owned())
}

fn same(what: &str, booked: Msat, really: Msat) -> Result<(), String> {
    if booked == really {
        return Ok(());
    }
    Err(format!("{what}: {booked} by the books, {really} by the network"))
}
