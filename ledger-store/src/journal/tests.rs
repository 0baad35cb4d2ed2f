use super::*;
use crate::chart::PostingKey;
use crate::dossier::Dossier;
use crate::laws::fixture::channel;
use ecs_systems::port::{EntryId, Posting, PostingState};
use ecs_systems::units::Timestamp;

const NOW: Circumstances = Circumstances { entity: None, at: Timestamp(0) };

fn opening(msat: u64) -> Transfer {
    Transfer {
        code: "opening",
        debit: Account::Channel(channel(1)),
        credit: Account::EquityOpening,
        amount: Msat(msat),
        pending: false,
        payment: None,
        part_id: None,
        began: None,
        number: 1,
    }
}

fn hold(msat: u64) -> Transfer {
    Transfer {
        code: "part",
        debit: Account::Payment,
        credit: Account::Channel(channel(1)),
        amount: Msat(msat),
        pending: true,
        ..opening(msat)
    }
}

/// A journal with all its postings, and these as an auditor is given them.
struct Whole {
    journal: Journal,
    booked: Vec<Arc<Booked>>,
    postings: Vec<Posting>,
}

impl Whole {
    /// A batch that knows what was written before.
    fn batch(&self) -> Batch<'_> {
        let mut dossier = Dossier::default();
        self.booked.iter().for_each(|posting| dossier.add(Arc::clone(posting)));
        let mut batch = Batch::new(&self.journal, NOW);
        batch.turn_to(Arc::new(dossier));
        batch
    }

    fn apply(&mut self, changes: Changes) {
        let booked = self.journal.apply(changes);
        self.postings.extend(booked.iter().map(|posting| posting.posting("sim")));
        self.booked.extend(booked);
    }

    fn verify(&self) -> Result<(), LedgerError> {
        crate::verify::postings(&self.journal, self.postings.iter().cloned())
    }
}

/// A channel with 100 msat, of which 60 are held.
fn held() -> (Whole, PostingKey) {
    let mut whole =
        Whole { journal: Journal::new("sim"), booked: Vec::new(), postings: Vec::new() };
    let mut batch = whole.batch();
    batch.transfer(&opening(100)).unwrap();
    let id = batch.transfer(&hold(60)).unwrap();
    let changes = batch.into_changes();
    whole.apply(changes);
    (whole, id)
}

fn text(error: &LedgerError) -> String {
    error.to_string()
}

#[test]
fn the_remainder_of_a_posted_transfer_returns() {
    for (posted, unheld) in [(60, 40), (59, 41), (1, 99)] {
        let (mut whole, id) = held();
        let mut batch = whole.batch();
        batch.resolve(&id, Resolution::Post(Msat(posted))).unwrap();
        let changes = batch.into_changes();
        whole.apply(changes);
        assert_eq!(whole.journal.unheld(), Msat(unheld));
        let expenses = whole.journal.balance(Account::Payment);
        assert_eq!(expenses.debits_posted_msat, Msat(posted));
        assert_eq!(expenses.debits_pending_msat, Msat(0));
        whole.verify().unwrap();
    }
}

#[test]
fn a_pending_transfer_has_one_resolution() {
    let (whole, id) = held();
    let mut batch = whole.batch();
    let error = batch.resolve(&id, Resolution::Post(Msat(61))).unwrap_err();
    assert!(text(&error).contains("61msat posted of 60msat pending"), "{error}");
    let first = batch.resolve(&id, Resolution::Post(Msat(50))).unwrap();
    assert_eq!(batch.resolve(&id, Resolution::Post(Msat(50))), Ok(first), "it exists");
    for (other, field) in [
        (Resolution::Post(Msat(49)), "exists_with_different_amount_msat"),
        (Resolution::Void, "exists_with_different_state"),
    ] {
        let error = batch.resolve(&id, other).unwrap_err();
        assert!(text(&error).ends_with(field), "{error}");
    }
    let error = batch.resolve(&first, Resolution::Void).unwrap_err();
    assert!(text(&error).contains("no pending posting"), "{error}");
}

#[test]
fn a_transfer_with_a_used_id_is_the_same_or_refused() {
    let (whole, id) = held();
    let mut batch = whole.batch();
    assert_eq!(batch.transfer(&hold(60)), Ok(id));
    let channel_2 = Account::Channel(channel(2));
    for (other, field) in [
        (hold(59), "amount_msat"),
        (Transfer { debit: Account::RoutingFee, ..hold(60) }, "debit_account"),
        (Transfer { credit: channel_2, ..hold(60) }, "credit_account"),
        (Transfer { pending: false, ..hold(60) }, "state"),
    ] {
        let error = batch.transfer(&other).unwrap_err();
        assert!(text(&error).ends_with(&format!("exists_with_different_{field}")), "{error}");
    }
    assert_eq!(batch.into_changes().postings.len(), 0);
}

#[test]
fn transfers_of_nothing_to_oneself_or_of_too_much_are_refused() {
    let itself = Account::Channel(channel(1));
    for (transfer, words) in [
        (Transfer { number: 2, ..hold(0) }, "a transfer of 0msat"),
        (Transfer { number: 2, debit: itself, ..hold(1) }, "a transfer of 1msat"),
        (Transfer { number: 2, ..hold(41) }, "sim:assets:channel:1x0x0 is overdrawn"),
        (Transfer { number: 2, ..opening(u64::MAX - 99) }, "a counter left 0 to 2^64-1 msat"),
        (
            Transfer {
                number: 2,
                debit: Account::Reserved,
                credit: Account::Spendable,
                ..hold(41)
            },
            "sim:control:spendable is overdrawn: 41msat reserved of 40msat",
        ),
    ] {
        let (whole, _) = held();
        let error = whole.batch().transfer(&transfer).unwrap_err();
        assert!(text(&error).contains(words), "{error}");
    }
}

#[test]
fn verify_finds_each_kind_of_damage() {
    type Damage = fn(&mut Whole);
    let damages: [(&str, Damage); 9] = [
        ("is used twice", |it| it.postings.push(it.postings[1].clone())),
        ("its counters are not its postings", |it| {
            it.postings.pop();
        }),
        ("is overdrawn", |it| it.postings[1].amount_msat = Msat(101)),
        ("its counters are not", |it| it.postings[0].amount_msat = Msat(99)),
        ("its counters are not", |it| it.postings[1].state = PostingState::Posted),
        ("it voids nothing", |it| it.postings[1].state = PostingState::Voided),
        ("is not pending", |it| it.postings[1].pending_id = Some(EntryId("x".to_owned()))),
        ("older than the one before", |it| it.postings[1].tx_id = 0),
        ("no counters", |it| {
            it.journal.accounts.remove(&Account::EquityOpening);
        }),
    ];
    for (words, damage) in damages {
        let (mut whole, _) = held();
        whole.verify().unwrap();
        damage(&mut whole);
        let error = whole.verify().unwrap_err();
        assert!(text(&error).contains(words), "{error} / {words}");
    }
}

#[test]
fn verify_finds_reservations_without_cover() {
    let (mut whole, _) = held();
    let mut batch = whole.batch();
    let (debit, credit) = (Account::Reserved, Account::Spendable);
    batch.transfer(&Transfer { code: "reserve", debit, credit, ..hold(40) }).unwrap();
    let changes = batch.into_changes();
    whole.apply(changes);
    whole.verify().unwrap();
    whole.postings[2].amount_msat = Msat(41);
    let error = whole.verify().unwrap_err();
    assert!(text(&error).ends_with("more is reserved than the channels have"), "{error}");
}

#[test]
fn verify_finds_resolutions_that_do_not_fit() {
    type Damage = fn(&mut Posting);
    let damages: [(&str, Damage); 4] = [
        ("it is not of what it resolves", |it| it.amount_msat = Msat(61)),
        ("it is not of what it resolves", |it| it.debit_account = "sim:control:self".to_owned()),
        ("it is pending and resolves another", |it| it.state = PostingState::Pending),
        ("what it resolves is not pending", |it| it.pending_id = Some(it.entry_id.clone())),
    ];
    for (words, damage) in damages {
        let (mut whole, id) = held();
        let mut batch = whole.batch();
        batch.resolve(&id, Resolution::Post(Msat(60))).unwrap();
        let changes = batch.into_changes();
        whole.apply(changes);
        damage(whole.postings.last_mut().unwrap());
        let error = whole.verify().unwrap_err();
        assert!(text(&error).contains(words), "{error} / {words}");
    }
}
