//! What must hold of HTLCs that come in, and of what comes back to us.

use crate::{
    incoming::{Came, Incoming},
    machine::{Breach, Fate, Machine},
};
use ecs_core::{EntityId, Systems};
use ecs_systems::{
    components::{Circular, Htlc, HtlcJoined, PartsPaid, Refused, Refusing, SetSettling},
    port::Ledger,
    units::Msat,
};
use ledger_store::{Account, MemoryLedger};

type Judged = Result<(), Breach>;

fn breach(law: &'static str, what: String) -> Judged {
    Err(Breach { law, what })
}

/// An HTLC is known by its one Entity.
pub(crate) fn came_back(machine: &Machine, shown: &Incoming) -> Judged {
    let app = &machine.app;
    let is_it = |entity: &EntityId| {
        app.get::<Htlc>(*entity).is_some_and(|Htlc(htlc)| htlc.htlc == shown.htlc)
    };
    let known: Vec<EntityId> = app.entities().into_iter().filter(is_it).collect();
    if known == [shown.entity] {
        return Ok(());
    }
    breach("an HTLC is judged once", format!("{shown:?} is known as {known:?}"))
}

/// Every HTLC that waits will get a word, and what was said of one stays.
pub(crate) fn htlcs_are_true(machine: &Machine) -> Judged {
    let app = &machine.app;
    let runs = |entity: EntityId| app.get::<Systems>(entity).is_some();
    for it in &machine.env.htlcs {
        let set = app.get::<HtlcJoined>(it.entity).map(|joined| joined.0);
        let refused = app.get::<Refused>(it.entity).is_some();
        let settling = set.is_some_and(|set| app.get::<SetSettling>(set).is_some());
        let (law, holds) = match it.came {
            Came::Waits => ("every HTLC gets our word", runs(set.unwrap_or(it.entity))),
            Came::Released => ("an HTLC is judged once", !refused && set.is_some_and(runs)),
            Came::Ours | Came::Lost => ("an HTLC is judged once", !refused && settling),
            Came::Gone => {
                let word = set.unwrap_or(it.entity);
                let will_be = app.get::<Refusing>(word).is_some() && runs(word);
                ("an HTLC is judged once", (refused || will_be) && !settling)
            }
            Came::Refused | Came::TimedOut => ("an HTLC is judged once", refused && !settling),
        };
        if !holds {
            return breach(law, format!("{it:?}: set {set:?}, {refused}, {settling}"));
        }
    }
    Ok(())
}

/// No HTLC of a payment that has ended waits.
pub(crate) fn none_waits_at_the_end(machine: &Machine, payment: EntityId) -> Judged {
    let circular = machine.app.get::<Circular>(payment).is_some();
    let open = |it: &&Incoming| matches!(it.came, Came::Waits | Came::Released);
    match machine.env.htlcs.iter().find(open) {
        Some(open) if circular => {
            breach("no payment ends while a part is out", format!("{payment}: {open:?}"))
        }
        Some(_) | None => Ok(()),
    }
}

/// What came in over a channel, and is ours.
pub(crate) fn taken_msat(machine: &Machine, channel: Option<u64>) -> u64 {
    let ours = machine.env.htlcs.iter().filter(|it| {
        it.came == Came::Ours && channel.is_none_or(|it_is| it.htlc.short_channel_id.0 == it_is)
    });
    ours.map(|it| it.amount_msat).sum()
}

/// What we paid ourselves is level; what went around cost its fees, and what did not come back.
pub(crate) fn circles_are_true(machine: &Machine, books: &MemoryLedger) -> Judged {
    let law = "the books say what was paid";
    let level = books.balance(&Account::SelfPayment.of("walk"));
    if level.debits_posted_msat != level.credits_posted_msat {
        return breach(law, format!("`control:self` is not 0: {level:?}"));
    }
    let app = &machine.app;
    let circular = |payment: &&EntityId| app.get::<Circular>(**payment).is_some();
    let Some(payment) = machine.env.payments.iter().find(circular) else { return Ok(()) };
    let paid = machine.env.offers.values().filter(|it| it.fate == Fate::Paid);
    let (left, fee) = paid
        .fold((0, 0), |(left, fee), it| (left + it.amount_msat, fee + it.fee_msat + it.over_msat));
    let unbooked = app.get::<PartsPaid>(*payment).map_or(Msat::ZERO, |paid| paid.0.unbooked_msat);
    let net = |account: Account| {
        let sums = books.balance(&account.of("walk"));
        i128::from(sums.debits_posted_msat.0) - i128::from(sums.credits_posted_msat.0)
    };
    let back = taken_msat(machine, None);
    let wanted = [
        (Account::RebalanceFee, i128::from(fee) - i128::from(unbooked.0)),
        (Account::Payment, i128::from(left.max(back) - back)),
        (Account::IncomeInvoice, -i128::from(left.max(back) - left)),
        (Account::RoutingFee, 0),
    ];
    match wanted.into_iter().find(|(account, wanted)| net(*account) != *wanted) {
        Some((account, wanted)) => {
            breach(law, format!("{account}: {}, and {wanted} msat is true", net(account)))
        }
        None => Ok(()),
    }
}
