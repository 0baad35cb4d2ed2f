//! Books that fold up what has ended answer as those that keep everything.

use super::thaw::Told;
use crate::history::tests::Followed;
use crate::laws::fixture::{claimed, complete, dispatch, late, opening, payment, post};
use crate::laws::fixture::{preimage, prove, void};
use crate::laws::follow;
use crate::{LIMIT_WINDOW_MAX, MemoryLedger};
use ecs_core::{EntityId, ErrorObject, Json};
use ecs_systems::port::{
    Balance, BalanceObject, BooksImage, BooksReader, Claim, ClaimState, History, HoldState, Ledger,
    LedgerEntry, LedgerError, OpenPayment, PartHold, PaymentRef, Posting, SpendLimit,
};
use ecs_systems::units::Timestamp;
use ecs_systems::units::{Msat, PartId, PaymentHash, RequestHash, Seconds, ShortChannelId};
use proptest::prelude::*;
use std::fmt::Debug;
use std::sync::Arc;

/// Books that keep everything, and others that must say the same.
struct Several {
    whole: MemoryLedger,
    folding: Vec<(&'static str, MemoryLedger)>,
    told: Vec<Told>,
    /// What the last two are told by.
    followed: Followed,
    taken: u64,
}

impl Several {
    fn new() -> Self {
        let (told, followed) = (vec![Told::lagging(0), Told::lagging(7)], Followed::new());
        let over =
            |told: &Told, late_max| MemoryLedger::over("sim", Arc::new(told.clone()), late_max);
        let folding = vec![
            ("none late", MemoryLedger::folding("sim", 0)),
            ("one late", MemoryLedger::folding("sim", 1)),
            ("ten late", MemoryLedger::folding("sim", 10)),
            ("none late, told by another", over(&told[0], 0)),
            ("one late, told later", over(&told[1], 1)),
            ("none late, over an index", over_index(&followed, 0)),
            ("one late, over an index", over_index(&followed, 1)),
        ];
        Self { whole: MemoryLedger::new("sim"), folding, told, followed, taken: 0 }
    }

    fn ask<T: PartialEq + Debug>(&self, ask: impl Fn(&MemoryLedger) -> T) -> T {
        let answer = ask(&self.whole);
        for (name, books) in &self.folding {
            assert_eq!(ask(books), answer, "{name}");
        }
        answer
    }

    /// Every answer about the payments of these numbers, and about the sums; and every posting,
    /// read back.
    fn ask_all(&self) {
        for number in 0..4 {
            let hash = preimage(number).hash();
            self.claim(&hash).expect("told");
            for group in 0..4 {
                self.postings_of(&payment(number, group)).expect("told");
                self.end_of(&payment(number, group)).expect("told");
                for part in 1..6 {
                    self.part(&payment(number, group), PartId(part)).expect("told");
                    self.part_hold(&payment(number, group), PartId(part)).expect("told");
                }
            }
        }
        for key in ["a", "b"] {
            self.claim_of_key(key).expect("told");
        }
        let posted = in_order(self.whole.postings(0, u32::MAX));
        self.ask(|books| assert_eq!(read_back(books), posted));
        self.trial_balance();
        self.balance_object();
        self.available();
        self.verify().expect("they add up");
    }
}

/// Every posting, from the entries of the past.
fn read_back(books: &MemoryLedger) -> Vec<Posting> {
    let reader = books.reader();
    let mut look = reader.look().expect("told");
    let entries = look.entries(0, usize::MAX).expect("told");
    let postings = entries.iter().flat_map(|entry| look.postings(entry).expect("told"));
    let mut postings = in_order(postings.collect());
    // Who reads an entry alone can't know of an opening before.
    postings.dedup_by(|again, first| again.code == "opening" && again.entry_id == first.entry_id);
    postings
}

fn in_order(mut postings: Vec<Posting>) -> Vec<Posting> {
    let place = |it: &Posting| (it.entry_id.clone(), it.tx_id);
    postings.sort_by_key(place);
    postings
}

impl Ledger for Several {
    fn commit(
        &mut self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let checked = self.check(batch, entity, at);
        let answer = self.whole.commit(batch, entity, at);
        assert_eq!(checked.err(), answer.clone().err());
        for (name, books) in &mut self.folding {
            assert_eq!(books.commit(batch, entity, at), answer, "{name}");
        }
        if answer.is_ok() {
            self.told.iter().for_each(|told| told.take(batch, entity, at));
            self.followed.take(batch, entity, at);
            self.taken += 1;
            // Now and then the index is behind.
            if !self.taken.is_multiple_of(4) {
                self.followed.catch_up();
            }
        }
        answer
    }

    fn check(
        &self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        self.ask(|books| books.check(batch, entity, at))
    }

    fn claim(&self, hash: &PaymentHash) -> Result<Option<(Claim, ClaimState)>, LedgerError> {
        self.ask(|books| books.claim(hash))
    }

    fn running(&self, payment_hash: &PaymentHash) -> Option<Claim> {
        self.ask(|books| books.running(payment_hash))
    }

    fn claim_of_key(&self, key: &str) -> Result<Option<(Claim, ClaimState)>, LedgerError> {
        self.ask(|books| books.claim_of_key(key))
    }

    fn end_of(&self, paying: &PaymentRef) -> Result<Option<LedgerEntry>, LedgerError> {
        self.ask(|books| books.end_of(paying))
    }

    fn available(&self) -> Msat {
        self.ask(Ledger::available)
    }

    fn part(&self, paying: &PaymentRef, part: PartId) -> Result<Option<HoldState>, LedgerError> {
        self.ask(|books| books.part(paying, part))
    }

    fn part_hold(
        &self,
        paying: &PaymentRef,
        part: PartId,
    ) -> Result<Option<PartHold>, LedgerError> {
        self.ask(|books| books.part_hold(paying, part))
    }

    fn is_backup(&self) -> bool {
        self.ask(Ledger::is_backup)
    }

    fn open_payments(&self) -> Vec<OpenPayment> {
        self.ask(Ledger::open_payments)
    }

    fn open_payment(&self, payment: &PaymentRef) -> Option<OpenPayment> {
        self.ask(|books| books.open_payment(payment))
    }

    fn has_channel(&self, channel: ShortChannelId) -> bool {
        self.ask(|books| books.has_channel(channel))
    }

    fn channel_available(&self, channel: ShortChannelId) -> Msat {
        self.ask(|books| books.channel_available(channel))
    }

    fn balance(&self, account: &str) -> Balance {
        self.ask(|books| books.balance(account))
    }

    fn trial_balance(&self) -> Vec<(String, Balance)> {
        self.ask(Ledger::trial_balance)
    }

    fn balance_object(&self) -> BalanceObject {
        self.ask(Ledger::balance_object)
    }

    fn postings(&self, from: u64, limit: u32) -> Vec<Posting> {
        self.whole.postings(from, limit)
    }

    fn postings_of(&self, paying: &PaymentRef) -> Result<Vec<Posting>, LedgerError> {
        self.ask(|books| books.postings_of(paying))
    }

    fn entries(&self) -> u64 {
        self.ask(Ledger::entries)
    }

    fn reader(&self) -> BooksReader {
        self.whole.reader()
    }

    fn verify(&self) -> Result<(), LedgerError> {
        self.ask(Ledger::verify)
    }

    fn image(&self) -> BooksImage {
        self.whole.image()
    }

    /// Each is restored from its own image; what is given is not looked at.
    fn restore(&mut self, _: &Json) -> Result<(), String> {
        self.whole = restored(&self.whole, MemoryLedger::new("sim"))?;
        for (place, (_, books)) in self.folding.iter_mut().enumerate() {
            let late_max = [0, 1, 10, 0, 1, 0, 1][place];
            let empty = match (place, place.checked_sub(3).and_then(|it| self.told.get(it))) {
                (..3, _) => MemoryLedger::folding("sim", late_max),
                (_, Some(told)) => MemoryLedger::over("sim", Arc::new(told.clone()), late_max),
                (_, None) => over_index(&self.followed, late_max),
            };
            *books = restored(books, empty)?;
        }
        Ok(())
    }

    fn recall_by(&mut self, _: Option<Arc<dyn History>>) {}
}

fn over_index(followed: &Followed, late_max: usize) -> MemoryLedger {
    MemoryLedger::over("sim", Arc::new(followed.history.clone()), late_max)
}

/// The books that an image comes back to, which must be those it was taken of.
fn restored(books: &MemoryLedger, mut empty: MemoryLedger) -> Result<MemoryLedger, String> {
    let json = Json::parse(books.image().json().text()).expect("it is within the limits");
    empty.restore(&json)?;
    assert_eq!(empty.image().json(), json);
    Ok(empty)
}

/// A batch of a few entries that concern a few payments, with keys, labels and limits.
fn batch() -> impl Strategy<Value = Vec<LedgerEntry>> {
    let limits = (1_u64..40, 0_u64..3_000).prop_map(|(days, msat)| SpendLimit {
        name: "some".to_owned(),
        label: (msat % 2 == 0).then(|| "rent".to_owned()),
        window: Seconds(days * 86_400),
        max_msat: Msat(msat),
    });
    let (number, group) = (0_u8..3, 0_u64..3);
    let paying =
        (number, group).prop_map(|(number, group)| (number, group, payment(number, group)));
    let keys = prop_oneof![Just(None), Just(Some("a".to_owned())), Just(Some("b".to_owned()))];
    let one = prop_oneof![
        1 => (1_u16..4, 1_u64..9_000).prop_map(|(channel, msat)| opening(channel, msat)),
        4 => (paying.clone(), keys, 0_u8..3).prop_map(|((number, group, _), key, request)| {
            let request = key.as_ref().map(|_| RequestHash([request / 2; 32]));
            let claim = claimed(number, group, 900);
            LedgerEntry::Claim(Claim { idempotency_key: key, request, ..claim })
        }),
        3 => (paying.clone(), 1_u64..900, prop::collection::vec(limits, 0..2)).prop_map(
            |((_, _, payment), msat, limits)| LedgerEntry::Reserve {
                payment,
                amount_msat: Msat(msat),
                fee_budget_msat: Msat(20),
                label: (msat % 3 == 0).then(|| "rent".to_owned()),
                limits,
            }
        ),
        3 => (paying.clone(), 1_u64..5, 1_u16..4, 1_u64..400)
            .prop_map(|(it, part, channel, msat)| dispatch(it.2, &[(part, channel, msat, 5)])),
        4 => (paying.clone(), 1_u64..5).prop_map(|(it, part)| post(it.2, part, 3)),
        3 => (paying.clone(), 1_u64..5).prop_map(|(it, part)| void(it.2, part)),
        2 => (paying.clone(), 1_u64..5).prop_map(|(it, part)| late(it.2, part, 3)),
        2 => paying.clone().prop_map(|(number, group, _)| prove(number, group)),
        2 => paying.clone().prop_map(|(number, group, _)| complete(number, group, 3)),
        3 => (paying, prop::option::of(0..2)).prop_map(|(it, code)| {
            let answer = code.map(|code| ErrorObject::new(code, "why").with_data(&[0.5]));
            LedgerEntry::Fail { payment: it.2, answer }
        }),
    ];
    prop::collection::vec(one, 1..3)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_folding_changes_an_answer(choices in prop::collection::vec(any::<u64>(), 1..100)) {
        let mut books = Several::new();
        follow(&mut books, &choices);
        books.ask_all();
    }

    #[test]
    fn no_folding_and_no_restart_changes_what_batches_come_to(
        batches in prop::collection::vec((batch(), 0_u64..20, 0_u8..8), 1..150),
    ) {
        let mut books = Several::new();
        books.commit(&[opening(1, 5_000), opening(2, 5_000)], None, Timestamp(0)).unwrap();
        let mut at = Timestamp(0);
        for (batch, days, event) in batches {
            at = at.after(Seconds(days * LIMIT_WINDOW_MAX.0 / 310));
            drop(books.commit(&batch, None, at));
            if event == 0 {
                books.ask_all();
            }
            if event == 1 {
                prop_assert_eq!(books.restore(&Json::null()), Ok(()));
            }
        }
        books.ask_all();
    }
}
