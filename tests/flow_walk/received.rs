//! What must hold of what others pay us.

use crate::{
    closed::Closed,
    incoming::{Came, Incoming},
    laws::Judged,
    machine::{Breach, Machine, channels},
    payers::{self, hash, live_sets},
    taken,
    third::Does,
};
use ecs_core::{EntityId, Failed, Failing, Systems, WireComponent};
use ecs_systems::{
    components::{
        Hold, Htlc, HtlcJoined, PaidPreimage, Refused, Refusing, Reject, SecretKnown, Set,
        SetComplete, SetEnough, SetHeld, SetReceived, SetSettling, SetTimedOut, Settled,
    },
    port::{HtlcId, Ledger, ReceiptState, Receipts as _},
    receive::{hold_set::HOLD_ENDS_BLOCKS, settle_set::keeps_margin},
    refusal::PAY_DESTINATION_PERM_FAIL as OURS,
    units::{Msat, PaymentSecret},
};
use ledger_store::Account;

fn breach(law: &'static str, what: String) -> Judged {
    Err(Breach { law, what })
}

/// Judges a state in which others pay us.
pub(crate) fn judge(machine: &Machine) -> Judged {
    if machine.situation.payers.is_none() {
        return Ok(());
    }
    receipt_is_true(machine)?;
    one_kind_of_word(machine)?;
    one_timer_of_a_kind(machine)?;
    what_waits_is_booked(machine)?;
    if payers::is_over(machine) { income_is_true(machine) } else { Ok(()) }
}

fn sets(machine: &Machine) -> Vec<EntityId> {
    let is_set = |id: &EntityId| machine.app.get::<SetReceived>(*id).is_some();
    machine.app.entities().into_iter().filter(is_set).collect()
}

/// A receipt is taken by one set; after a set that was given back it can be paid again.
fn receipt_is_true(machine: &Machine) -> Judged {
    let (app, sets) = (&machine.app, sets(machine));
    let settled = sets.iter().filter(|set| app.get::<Settled>(**set).is_some()).count();
    let leaves = |set: &&EntityId| {
        app.get::<PaidPreimage>(**set).is_some() && app.get::<Settled>(**set).is_none()
    };
    let settling = sets.iter().filter(leaves).count();
    if settled + settling > 1 {
        return breach(
            "a receipt is taken once",
            format!("{settled} settled, {settling} settling"),
        );
    }
    if live_sets(machine).count() > 1 {
        return breach("one set gathers at a time", format!("{sets:?}"));
    }
    let wanted = if settled > 0 {
        ReceiptState::Paid
    } else if settling > 0 {
        ReceiptState::Settling
    } else if machine.env.decided.cancelled {
        ReceiptState::Cancelled
    } else {
        ReceiptState::Unpaid
    };
    let state = machine.receipts.lock().find(&hash()).map(|receipt| receipt.state);
    let law = "what was given back can be paid again";
    if state == Some(wanted) {
        return Ok(());
    }
    breach(law, format!("{state:?}, and {wanted:?} is true"))
}

/// A set is refused or settled, and every HTLC of it is the same.
fn one_kind_of_word(machine: &Machine) -> Judged {
    let app = &machine.app;
    let law = "a set gets one word";
    for set in sets(machine) {
        let words = |id| (app.get::<Settled>(id).is_some(), app.get::<Refused>(id).is_some());
        let own = words(set);
        let doubted = has::<Refusing>(machine, set) || failed_with(machine, set) == Some(OURS);
        if doubted && has::<SetSettling>(machine, set) {
            return breach("what is taken is not refused", format!("set {set}"));
        }
        let ended = app.get::<Systems>(set).is_none();
        if own == (true, true) || ended != (own.0 || own.1) {
            return breach(law, format!("set {set}: settled, refused are {own:?}"));
        }
        let mut htlcs = machine.env.htlcs.iter().filter(|it| joined(machine, it) == Some(set));
        if let Some(other) = htlcs.find(|it| words(it.entity) != own) {
            return breach(law, format!("set {set}: {own:?}, and {other:?}"));
        }
    }
    Ok(())
}

/// What waits, waits once.
fn one_timer_of_a_kind(machine: &Machine) -> Judged {
    for set in sets(machine) {
        let timers = machine.app.outstanding(set).iter();
        let mut kinds: Vec<&str> = timers.map(|effect| effect.kind.as_str()).collect();
        kinds.sort_unstable();
        if kinds.windows(2).any(|two| two[0] == two[1]) {
            return breach("what waits, waits once", format!("set {set}: {kinds:?}"));
        }
    }
    Ok(())
}

fn joined(machine: &Machine, it: &Incoming) -> Option<EntityId> {
    machine.app.get::<HtlcJoined>(it.entity).map(|joined| joined.0)
}

/// What is held, and what a preimage leaves for, is pending in the books, and nothing else is.
fn what_waits_is_booked(machine: &Machine) -> Judged {
    let app = &machine.app;
    let settles = |set: &EntityId| app.get::<PaidPreimage>(*set).is_some();
    let live: Vec<EntityId> = live_sets(machine).filter(settles).collect();
    let holds = |set: &EntityId| app.get::<SetHeld>(*set).is_some() && !settles(set);
    let held: Vec<EntityId> = live_sets(machine).filter(holds).collect();
    let books = machine.books.lock();
    let is_held = |it: &&Incoming| joined(machine, it).is_some_and(|set| held.contains(&set));
    let wanted: u64 = machine.env.htlcs.iter().filter(is_held).map(|it| it.amount_msat).sum();
    let pending = books.balance(&Account::HeldIn.of("walk")).debits_pending_msat;
    if pending != Msat(wanted) {
        let what = format!("{pending} held in the books, and {wanted} msat are held");
        return breach("what waits is in the books", what);
    }
    for channel in channels(machine.world) {
        let over = |it: &&Incoming| it.htlc.short_channel_id == channel;
        let waits = |it: &&Incoming| joined(machine, it).is_some_and(|set| live.contains(&set));
        let htlcs = machine.env.htlcs.iter().filter(over).filter(waits);
        let wanted: u64 = htlcs.map(|it| it.amount_msat).sum();
        let balance = books.balance(&Account::Channel(channel).of("walk"));
        let pending = [balance.debits_pending_msat, balance.credits_pending_msat];
        if pending != [Msat(wanted), Msat::ZERO] {
            let what = format!("{channel}: {pending:?} pending, and {wanted} msat wait");
            return breach("what waits is in the books", what);
        }
    }
    Ok(())
}

/// What is ours at the end is income, and nothing else is.
fn income_is_true(machine: &Machine) -> Judged {
    let income = machine.books.lock().balance(&Account::IncomeInvoice.of("walk"));
    let income = (income.credits_posted_msat, income.debits_posted_msat);
    let taken = Msat(taken::taken_msat(machine, None));
    if income == (taken, Msat::ZERO) {
        return Ok(());
    }
    breach("the books say what was paid", format!("income {income:?}, and {taken} is ours"))
}

/// A preimage leaves for a whole set alone: right HTLCs with one total, begun in time, and decided
/// where it was to be.
pub(crate) fn may_be_released(machine: &Machine, set: EntityId, htlcs: &[HtlcId]) -> Judged {
    let app = &machine.app;
    let law = "only what is right is taken";
    let of_set = || machine.env.htlcs.iter().filter(|it| joined(machine, it) == Some(set));
    if let Some(wrong) = of_set().find(|it| !it.fits || !htlcs.contains(&it.htlc)) {
        return breach(law, format!("set {set} with {wrong:?}, for {htlcs:?}"));
    }
    let facts = |it: &Incoming| {
        let Htlc(htlc) = app.get::<Htlc>(it.entity)?;
        Some((htlc.total_msat, htlc.payment_secret))
    };
    let shown: Vec<(Msat, Option<PaymentSecret>)> = of_set().filter_map(facts).collect();
    let sum: u64 = of_set().map(|it| it.amount_msat).sum();
    let same = shown.windows(2).all(|two| two[0] == two[1]);
    let whole = shown.first().is_some_and(|(total, _)| Msat(sum) >= *total);
    if shown.len() != htlcs.len() || !same || !whole {
        return breach(law, format!("set {set}: {sum} msat of {shown:?}"));
    }
    let receipt = machine.receipts.lock().find(&hash());
    let begun = app.get::<SetReceived>(set).map(|received| received.0.first_at);
    let in_time = begun.zip(receipt).is_some_and(|(begun, receipt)| begun < receipt.expires_at);
    if !in_time {
        return breach("what has expired is not taken", format!("set {set}, begun {begun:?}"));
    }
    if has::<Reject>(machine, set) || has::<Failing>(machine, set) {
        return breach("what is rejected, or fails, is not taken", format!("set {set}"));
    }
    if machine.is_undecided(set) {
        return breach("what is held is taken once that is decided", format!("set {set}"));
    }
    Ok(())
}

/// What is right is given back for a reason alone.
pub(crate) fn may_be_given_back(machine: &Machine, htlcs: &[HtlcId]) -> Judged {
    // Where somebody stands before a refusal, its reason may be gone once it comes.
    let thirds = &machine.situation.third;
    let late = thirds.iter().any(|third| third.requires == Refusing::SPEC.name);
    let outside = thirds.iter().any(|third| third.does == Does::External);
    if machine.situation.payers.is_none() || !machine.in_order || late {
        return Ok(());
    }
    let law = "nothing is given back for no reason";
    for it in machine.env.htlcs.iter().filter(|it| htlcs.contains(&it.htlc)) {
        let set = joined(machine, it);
        let entity = set.unwrap_or(it.entity);
        let theirs = failed_with(machine, entity).is_some_and(|code| code != OURS);
        let for_a_reason =
            set.map_or_else(|| outside || is_wrong(machine, it), |set| may_end(machine, set));
        if !for_a_reason && !theirs {
            return breach(law, format!("set {set:?}: {it:?}"));
        }
    }
    Ok(())
}

/// The code that an Entity fails with.
fn failed_with(machine: &Machine, entity: EntityId) -> Option<i32> {
    let failing = machine.app.get::<Failing>(entity).map(|failing| failing.0.code);
    failing.or_else(|| machine.app.get::<Failed>(entity).map(|failed| failed.0.code))
}

/// An HTLC that joins no set: it is wrong or gone, or there is nothing that it could pay.
fn is_wrong(machine: &Machine, it: &Incoming) -> bool {
    let app = &machine.app;
    let payable = machine.receipts.lock().find(&hash()).filter(|receipt| {
        receipt.state == ReceiptState::Unpaid && machine.env.now_ms < receipt.expires_at.0
    });
    let (Some(receipt), Some(Htlc(htlc))) = (payable, app.get::<Htlc>(it.entity)) else {
        return true;
    };
    let takes_more = |set: EntityId| {
        let total = app.get::<Set>(set).map(|set| set.0.total_msat);
        let closed = has::<SetEnough>(machine, set) || has::<Refusing>(machine, set);
        total == Some(htlc.total_msat) && !closed
    };
    !it.fits
        || it.came == Came::Gone
        || machine.height().0 + receipt.cltv.0 > htlc.cltv_expiry.0
        || !live_sets(machine).all(takes_more)
}

/// A set that somebody rejects or cancels, of which an HTLC is gone, whose time is over, that waits
/// and finds no place, or that no longer waits for a preimage that nobody has.
fn may_end(machine: &Machine, set: EntityId) -> bool {
    let (app, env) = (&machine.app, &machine.env);
    let Some(SetReceived(received)) = app.get::<SetReceived>(set) else { return true };
    let (enough, held) = (has::<SetEnough>(machine, set), has::<SetHeld>(machine, set));
    let waits = held || has::<Hold>(machine, set);
    let earliest = received.htlcs.iter().map(|htlc| htlc.cltv_expiry.0).min().unwrap_or(0);
    let too_many = received.htlcs.len() as u64 > machine.situation.policy.held_htlcs_max;
    let gone = |it: &Incoming| it.came == Came::Gone && joined(machine, it) == Some(set);
    env.decided.cancelled
        || env.closed.is_some_and(Closed::reconciles) && !held
        || env.htlcs.iter().any(gone)
        || has::<Reject>(machine, set) && has::<SetComplete>(machine, set)
        || has::<SetTimedOut>(machine, set) && !enough
        || waits && enough && machine.height().0 + HOLD_ENDS_BLOCKS.0 >= earliest
        || waits && !held && too_many
        || enough && !waits && !has::<SecretKnown>(machine, set)
        || enough && !keeps_margin(received, machine.height())
}

fn has<C: WireComponent>(machine: &Machine, entity: EntityId) -> bool {
    machine.app.get::<C>(entity).is_some()
}

/// What is seen that is worth a name.
pub(crate) fn cases(machine: &Machine) -> Vec<&'static str> {
    let (app, env) = (&machine.app, &machine.env);
    let sets = sets(machine);
    let came = |came: Came| env.htlcs.iter().filter(|it| it.came == came).count();
    let held = |set: EntityId| app.get::<SetHeld>(set).is_some();
    let refused = |set: EntityId| app.get::<Refused>(set).is_some();
    let settled = |set: EntityId| app.get::<Settled>(set).is_some();
    let any = |is: &dyn Fn(EntityId) -> bool| sets.iter().any(|set| is(*set));
    let lone = |it: &Incoming| it.came == Came::Refused && joined(machine, it).is_none();
    let withdrawn = |set| refused(set) && app.get::<SetEnough>(set).is_some() && env.blocks > 0;
    let rejected = |set| refused(set) && app.get::<Reject>(set).is_some();
    let expiry = machine.expiry_ms().is_some_and(|at| at <= env.now_ms);
    let all = [
        (any(&settled), "others pay"),
        (came(Came::Ours) > 1, "others pay in parts"),
        (came(Came::Ours) > 0 && came(Came::Lost) > 0, "a part of it is lost"),
        (env.htlcs.iter().any(lone), "a wrong HTLC is refused"),
        (env.htlcs.iter().any(lone) && any(&settled), "others pay beside a wrong HTLC"),
        (came(Came::TimedOut) > 0, "a set is out of time"),
        (any(&refused) && any(&settled), "others pay after a set was given back"),
        (any(&withdrawn), "a whole set is too old"),
        (any(&|set| held(set) && settled(set)), "what was held is taken"),
        (any(&|set| held(set) && refused(set)), "what was held is given back"),
        (env.decided.cancelled && any(&refused), "a set is cancelled"),
        (expiry && any(&settled), "a set that began in time is taken"),
        (expiry && env.htlcs.iter().any(lone), "an expired receipt is not paid"),
        (any(&rejected), "a third party rejects"),
    ];
    all.into_iter().filter(|(is, _)| *is).map(|(_, case)| case).collect()
}
