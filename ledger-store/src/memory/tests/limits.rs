//! What may be spent within a time.

use crate::laws::fixture::{claim, complete, dispatch, fail, opening, payment, post, void};
use crate::{LIMIT_WINDOW_MAX, MemoryLedger};
use ecs_systems::port::{Ledger, LedgerEntry, LedgerError, SpendLimit};
use ecs_systems::units::{Msat, PartId, Seconds, Timestamp};

const DAY: Seconds = Seconds(86_400);

fn limit(label: Option<&str>, msat: u64) -> SpendLimit {
    let label = label.map(ToOwned::to_owned);
    SpendLimit { name: "daily".to_owned(), label, window: DAY, max_msat: Msat(msat) }
}

fn reserve(number: u8, msat: u64, label: Option<&str>, limits: &[SpendLimit]) -> LedgerEntry {
    LedgerEntry::Reserve {
        payment: payment(number, 1),
        amount_msat: Msat(msat),
        fee_budget_msat: Msat(0),
        label: label.map(ToOwned::to_owned),
        limits: limits.to_vec(),
    }
}

/// Hours since the books began.
fn hour(hours: u64) -> Timestamp {
    Timestamp(hours * 3_600_000)
}

/// Payment 1, labelled `rent`, spends 300 msat at hour 1 and 205 at hour 3; payment 2, without a
/// label, has 100 msat set aside since hour 2.
fn spent() -> MemoryLedger {
    let mut books = MemoryLedger::new("sim");
    let paying = payment(1, 1);
    for (at, batch) in [
        (0, vec![opening(1, 100_000), claim(1, 1, 500), reserve(1, 500, Some("rent"), &[])]),
        (0, vec![dispatch(paying, &[(1, 1, 295, 5), (2, 1, 200, 0)])]),
        (1, vec![post(paying, 1, 5)]),
        (2, vec![claim(2, 1, 1_000), reserve(2, 100, None, &[])]),
        (3, vec![post(paying, 2, 0), complete(1, 1, 5)]),
        (3, (3..6).map(|number| claim(number, 1, 1_000)).collect()),
    ] {
        books.commit(&batch, None, hour(at)).unwrap();
    }
    books
}

fn ask(at: Timestamp, msat: u64, label: Option<&str>, limit: SpendLimit) -> Option<LedgerError> {
    spent().commit(&[reserve(3, msat, label, &[limit])], None, at).err()
}

fn reached(used: u64, requested: u64, max: u64, resets_at: Option<Timestamp>) -> LedgerError {
    LedgerError::LimitReached {
        limit: "daily".to_owned(),
        used_msat: Msat(used),
        requested_msat: Msat(requested),
        max_msat: Msat(max),
        resets_at,
    }
}

#[test]
fn a_limit_counts_what_was_spent_in_its_window_and_all_that_is_set_aside() {
    for (at, msat, max, error) in [
        (hour(4), 200, 800, None),
        (hour(4), 201, 800, Some(reached(600, 201, 800, Some(hour(25))))),
        (hour(4), 500, 800, Some(reached(600, 500, 800, Some(hour(25))))),
        (hour(4), 501, 800, Some(reached(600, 501, 800, Some(hour(27))))),
        (hour(4), 700, 800, Some(reached(600, 700, 800, Some(hour(27))))),
        (hour(4), 701, 800, Some(reached(600, 701, 800, Some(hour(28))))),
        (hour(4), 800, 800, Some(reached(600, 800, 800, Some(hour(28))))),
        (hour(4), 801, 800, Some(reached(600, 801, 800, None))),
        (Timestamp(hour(25).0 - 1), 201, 800, Some(reached(600, 201, 800, Some(hour(25))))),
        (hour(25), 500, 800, None),
        (hour(25), 501, 800, Some(reached(300, 501, 800, Some(hour(27))))),
        (hour(27), 700, 800, None),
        (hour(1_000), 701, 800, Some(reached(100, 701, 800, Some(hour(1_024))))),
    ] {
        assert_eq!(ask(at, msat, None, limit(None, max)), error, "{msat} at {at}");
    }
}

#[test]
fn a_limit_on_a_label_concerns_that_label_alone() {
    for (label, on, msat, error) in [
        (Some("rent"), Some("rent"), 300, None),
        (Some("rent"), Some("rent"), 301, Some(reached(500, 301, 800, Some(hour(25))))),
        (Some("food"), Some("rent"), 900, None),
        (None, Some("rent"), 900, None),
        (Some("food"), Some("food"), 800, None),
        (Some("food"), None, 201, Some(reached(600, 201, 800, Some(hour(25))))),
    ] {
        let answer = ask(hour(4), msat, label, limit(on, 800));
        assert_eq!(answer, error, "{msat} for {label:?}, limit on {on:?}");
    }
}

#[test]
fn limits_are_asked_in_their_order_and_each_must_hold() {
    let hourly = SpendLimit {
        name: "hourly".to_owned(),
        label: None,
        window: Seconds(3_600),
        max_msat: Msat(150),
    };
    let mut books = spent();
    let both = [limit(None, 800), hourly];
    let error = books.commit(&[reserve(3, 300, None, &both)], None, hour(10)).unwrap_err();
    assert_eq!(error, reached(600, 300, 800, Some(hour(25))));
    let error = books.commit(&[reserve(3, 100, None, &both)], None, hour(10)).unwrap_err();
    let LedgerError::LimitReached { limit, used_msat, resets_at, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((limit.as_str(), used_msat), ("hourly", Msat(100)), "what is set aside counts");
    assert_eq!(resets_at, Some(hour(11)));
    books.commit(&[reserve(3, 50, None, &both)], None, hour(10)).unwrap();
}

#[test]
fn a_batch_counts_its_own_reservations_and_spends() {
    let mut books = spent();
    let limits = [limit(None, 800)];
    let two = [reserve(3, 150, None, &limits), reserve(4, 51, None, &limits)];
    let error = books.commit(&two, None, hour(4)).unwrap_err();
    assert_eq!(error, reached(750, 51, 800, Some(hour(25))));
    let fits = [reserve(3, 150, None, &limits), reserve(4, 50, None, &limits)];
    books.commit(&fits, None, hour(4)).unwrap();
    let paying = payment(3, 1);
    let error = books
        .commit(
            &[
                dispatch(paying, &[(1, 1, 150, 0)]),
                post(paying, 1, 0),
                complete(3, 1, 0),
                reserve(5, 1, None, &limits),
            ],
            None,
            hour(4),
        )
        .unwrap_err();
    assert_eq!(error, reached(800, 1, 800, Some(hour(25))), "spent instead of set aside");
}

#[test]
fn what_failed_or_came_back_is_not_spent() {
    let mut books = spent();
    let failing = payment(2, 1);
    let circular = LedgerEntry::PostPart {
        payment: payment(3, 1),
        part_id: PartId(1),
        fee_msat: Msat(7),
        circular: true,
    };
    for batch in [
        vec![dispatch(failing, &[(1, 1, 100, 0)]), void(failing, 1), fail(failing)],
        vec![reserve(3, 100, None, &[]), dispatch(payment(3, 1), &[(1, 1, 90, 10)])],
        vec![circular, complete(3, 1, 7)],
        vec![LedgerEntry::SelfPay { payment: payment(4, 1), amount_msat: Msat(1_000), paid: None }],
    ] {
        books.commit(&batch, None, hour(4)).unwrap();
    }
    let error = books.commit(&[reserve(5, 1, None, &[limit(None, 507)])], None, hour(4));
    assert_eq!(error, Err(reached(507, 1, 507, Some(hour(25)))), "500 and a fee of 7");
}

#[test]
fn windows_and_amounts_near_their_end_are_exact() {
    let longest = SpendLimit { window: LIMIT_WINDOW_MAX, ..limit(None, u64::MAX) };
    let none = SpendLimit { max_msat: Msat(0), ..longest.clone() };
    let last = Timestamp(hour(1).after(LIMIT_WINDOW_MAX).0 - 1);
    for (at, used) in [(last, 600), (Timestamp(last.0 + 1), 300), (Timestamp(u64::MAX - 1), 100)] {
        assert_eq!(ask(at, 1_000, None, longest.clone()), None);
        assert_eq!(ask(at, 1, None, none.clone()), Some(reached(used, 1, 0, None)));
    }
    let no_window = SpendLimit { window: Seconds(0), ..limit(None, 101) };
    assert_eq!(ask(hour(4), 1, None, no_window), None, "only what is set aside counts");
    let longer = SpendLimit { window: Seconds(LIMIT_WINDOW_MAX.0 + 1), ..longest };
    let refused = ask(hour(4), 1, None, longer);
    assert!(matches!(refused, Some(LedgerError::Invariant { .. })), "{refused:?}");
}
