//! What ended long ago comes back from the history, or waits for it.

use crate::MemoryLedger;
use crate::laws::fixture::{
    claim, claimed, complete, dispatch, entity, fail, late, opening, payment, post, preimage,
    prove, reserve, set, settle_set, void,
};
use crate::past::Memory;
use ecs_core::EntityId;
use ecs_systems::port::{
    Claim, ClaimState, History, HistoryError, HoldState, Ledger, LedgerEntry, LedgerError,
    PastEntry, PaymentRef,
};
use ecs_systems::units::{Msat, PartId, PaymentHash, Timestamp};
use std::sync::{Arc, Mutex};

/// A history that is told what was taken, knows it later, and may refuse to tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<Mutex<Telling>>);

#[derive(Debug, Default)]
struct Telling {
    memory: Memory,
    coming: Vec<Arc<PastEntry>>,
    lag: usize,
    refuses: Option<HistoryError>,
    asked: usize,
}

impl Told {
    /// It knows all but the last `lag` entries.
    pub(crate) fn lagging(lag: usize) -> Self {
        Self(Arc::new(Mutex::new(Telling { lag, ..Telling::default() })))
    }

    /// Takes a batch that the books took.
    pub(crate) fn take(&self, batch: &[LedgerEntry], entity: Option<EntityId>, at: Timestamp) {
        let telling = &mut *self.0.lock().unwrap();
        let before = telling.memory.entries.len() + telling.coming.len();
        let (index, lines) = (u64::try_from(before).unwrap(), batch.to_vec());
        telling.coming.push(Arc::new(PastEntry { index, at, entity, lines }));
        while telling.coming.len() > telling.lag {
            telling.memory.entries.push(telling.coming.remove(0));
        }
    }

    pub(crate) fn refuse(&self, error: Option<HistoryError>) {
        self.0.lock().unwrap().refuses = error;
    }

    /// How often it was asked since the last call.
    fn asked(&self) -> usize {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    fn tell<T>(
        &self,
        tell: impl Fn(&Memory) -> Result<T, HistoryError>,
    ) -> Result<T, HistoryError> {
        let telling = &mut *self.0.lock().unwrap();
        telling.asked += 1;
        telling.refuses.clone().map_or_else(|| tell(&telling.memory), Err)
    }
}

impl History for Told {
    fn known(&self) -> u64 {
        let telling = self.0.lock().unwrap();
        if telling.refuses.is_some() { 0 } else { telling.memory.known() }
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<PastEntry>, HistoryError> {
        let telling = self.0.lock().unwrap();
        let entries = telling.memory.entries.iter().chain(&telling.coming);
        let entries = entries.skip(usize::try_from(from).unwrap()).take(limit);
        Ok(entries.map(|entry| PastEntry::clone(entry)).collect())
    }

    fn lines_of(&self, payment_hash: &PaymentHash) -> Result<Vec<PastEntry>, HistoryError> {
        self.tell(|memory| memory.lines_of(payment_hash))
    }

    fn payment_of_key(&self, idempotency_key: &str) -> Result<Option<PaymentRef>, HistoryError> {
        self.tell(|memory| memory.payment_of_key(idempotency_key))
    }
}

/// Books over a history, none late.
struct Cold {
    books: MemoryLedger,
    told: Told,
}

impl Cold {
    /// Payment 1 (key `a`) failed with part 1 void, payment 2 is complete; both are cold.
    fn new() -> Self {
        let told = Told::lagging(0);
        let books = MemoryLedger::over("sim", Arc::new(told.clone()), 0);
        let mut cold = Self { books, told };
        let (failed, paid) = (payment(1, 1), payment(2, 1));
        let keyed = Claim { idempotency_key: Some("a".to_owned()), ..claimed(1, 1, 500) };
        for entry in [
            opening(1, 9_000),
            LedgerEntry::Claim(keyed),
            reserve(failed, 500, 10),
            dispatch(failed, &[(1, 1, 500, 10)]),
            void(failed, 1),
            fail(failed),
            claim(2, 1, 300),
            reserve(paid, 300, 10),
            dispatch(paid, &[(1, 1, 300, 10)]),
            post(paid, 1, 4),
            complete(2, 1, 4),
            opening(2, 1),
        ] {
            cold.write(entry).expect("it is taken");
        }
        assert_eq!(cold.told.asked(), 0, "what is hot needs no history");
        cold
    }

    fn write(&mut self, entry: LedgerEntry) -> Result<(), LedgerError> {
        self.books.commit(std::slice::from_ref(&entry), None, Timestamp(5))?;
        self.told.take(&[entry], None, Timestamp(5));
        Ok(())
    }
}

#[test]
fn a_payment_that_failed_long_ago_is_claimed_again_by_a_new_group_alone() {
    let mut cold = Cold::new();
    assert!(cold.write(claim(1, 1, 500)).is_err(), "its group is used");
    cold.write(claim(1, 2, 500)).expect("a new group");
    let held = cold.books.claim(&preimage(1).hash()).unwrap().unwrap();
    assert!(held == (claimed(1, 2, 500), ClaimState::Open));
    cold.write(fail(payment(1, 2))).expect("it fails too");
    assert!(cold.write(claim(1, 1, 500)).is_err() && cold.write(claim(1, 2, 500)).is_err());
    cold.write(claim(1, 3, 500)).expect("another group");
    let used =
        LedgerError::HashUsed { used_msat: Msat(300), destination: claimed(2, 1, 300).destination };
    assert_eq!(cold.write(claim(2, 2, 300)), Err(used), "what is paid stays paid");
    cold.books.verify().unwrap();
}

#[test]
fn a_late_word_on_a_cold_part_is_booked_once() {
    let mut cold = Cold::new();
    let paying = payment(1, 1);
    assert_eq!(cold.books.part(&paying, PartId(1)), Ok(Some(HoldState::Void)));
    assert_eq!(cold.told.asked(), 1);
    let batch = [prove(1, 1), late(paying, 1, 7)];
    cold.books.check(&batch, Some(entity(1)), Timestamp(6)).unwrap();
    cold.books.commit(&batch, Some(entity(1)), Timestamp(6)).unwrap();
    assert_eq!(cold.told.asked(), 0, "once it has told, it is not asked again");
    cold.told.take(&batch, Some(entity(1)), Timestamp(6));
    assert_eq!(cold.books.available(), Msat(9_001 - 304 - 507));
    cold.write(opening(3, 1)).expect("another batch");
    cold.books.commit(&batch, Some(entity(1)), Timestamp(7)).expect("the same again");
    assert_eq!(cold.books.available(), Msat(9_002 - 304 - 507));
    assert_eq!(cold.books.part(&paying, PartId(1)), Ok(Some(HoldState::Paid)));
}

#[test]
fn what_needs_a_history_that_is_opening_is_refused_and_what_needs_none_is_not() {
    for (error, refused) in [
        (
            HistoryError::Opening { done: 3, of: 12 },
            LedgerError::HistoryOpening { done: 3, of: 12 },
        ),
        (
            HistoryError::Failed { what: "a bad sector".to_owned() },
            LedgerError::HistoryUnreadable { what: "a bad sector".to_owned() },
        ),
    ] {
        let mut cold = Cold::new();
        let keyed = Claim { idempotency_key: Some("a".to_owned()), ..claimed(3, 1, 500) };
        let needs_it = [
            claim(1, 2, 500),
            claim(2, 2, 300),
            LedgerEntry::Claim(keyed),
            prove(1, 1),
            late(payment(1, 1), 1, 5),
            void(payment(1, 1), 1),
            settle_set(2, &[(1, 5, 0)], None),
        ];
        cold.told.refuse(Some(error));
        let before = cold.books.image().json();
        for entry in needs_it {
            let name = entry.system();
            assert_eq!(cold.write(entry), Err(refused.clone()), "{name}");
        }
        assert_eq!(cold.books.claim(&preimage(1).hash()), Err(refused.clone()));
        assert_eq!(cold.books.claim_of_key("a"), Err(refused.clone()));
        assert_eq!(cold.books.end_of(&payment(1, 1)), Err(refused.clone()));
        assert_eq!(cold.books.part(&payment(2, 1), PartId(1)), Err(refused.clone()));
        assert_eq!(cold.books.part_hold(&payment(2, 1), PartId(1)), Err(refused.clone()));
        assert_eq!(cold.books.postings_of(&payment(2, 1)), Err(refused.clone()));
        assert_eq!(cold.books.image().json(), before, "nothing was written");
        let free = Claim { idempotency_key: Some("b".to_owned()), ..claimed(3, 1, 500) };
        for entry in [
            LedgerEntry::Claim(free),
            reserve(payment(3, 1), 500, 0),
            fail(payment(3, 1)),
            claim(3, 2, 500),
            settle_set(4, &[(1, 5, 0)], None),
            LedgerEntry::VoidSet { set: set(4) },
        ] {
            let name = entry.system();
            cold.write(entry).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        cold.told.refuse(None);
        cold.write(claim(1, 2, 500)).expect("now it can tell");
    }
}

#[test]
fn what_the_history_does_not_have_yet_is_kept_at_hand() {
    let told = Told::lagging(usize::MAX);
    let mut books = MemoryLedger::over("sim", Arc::new(told.clone()), 0);
    for entry in [claim(1, 1, 500), fail(payment(1, 1)), claim(2, 1, 5), fail(payment(2, 1))] {
        books.commit(&[entry], None, Timestamp(0)).unwrap();
    }
    for number in [1, 2, 1] {
        let known = books.claim(&preimage(number).hash()).unwrap();
        assert!(known.is_some_and(|(_, state)| state == ClaimState::Failed));
    }
    assert_eq!(told.asked(), 0);
}

#[test]
fn a_history_whose_lines_do_not_fit_or_do_not_end_is_unreadable() {
    let lines =
        |lines: Vec<LedgerEntry>| PastEntry { index: 0, at: Timestamp(0), entity: None, lines };
    for wrong in [
        vec![fail(payment(1, 1))],
        vec![claim(1, 1, 500)],
        vec![claim(1, 1, 500), dispatch(payment(1, 1), &[(1, 1, 1, 0)])],
    ] {
        let cold = Cold::new();
        cold.told.0.lock().unwrap().memory.entries = vec![Arc::new(lines(wrong))];
        let refused = cold.books.claim(&preimage(1).hash());
        assert!(matches!(refused, Err(LedgerError::HistoryUnreadable { .. })), "{refused:?}");
    }
}
