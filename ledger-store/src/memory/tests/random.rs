//! What never happens, whatever is asked for.

use crate::MemoryLedger;
use crate::laws::fixture::{claim, dispatch, opening, payment, post, reserve, void};
use crate::laws::follow;
use ecs_systems::port::{Ledger, LedgerEntry};
use ecs_systems::units::Timestamp;
use proptest::prelude::*;

fn entry() -> impl Strategy<Value = LedgerEntry> {
    let number = 1_u8..4;
    prop_oneof![
        (0_u16..4, 1_u64..3_000).prop_map(|(channel, msat)| opening(channel, msat)),
        (number.clone(), 1_u64..3).prop_map(|(number, group)| claim(number, group, 900)),
        (number.clone(), 1_u64..900, 0_u64..50).prop_map(|(number, msat, fee)| reserve(
            payment(number, 1),
            msat,
            fee
        )),
        (number.clone(), 1_u64..4, 0_u16..4, 1_u64..400).prop_map(
            |(number, part, channel, msat)| {
                dispatch(payment(number, 1), &[(part, channel, msat, 5), (part + 1, channel, 1, 0)])
            }
        ),
        (number.clone(), 1_u64..5).prop_map(|(number, part)| post(payment(number, 1), part, 3)),
        (number, 1_u64..5).prop_map(|(number, part)| void(payment(number, 1), part)),
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_entries_leaves_the_model(
        choices in prop::collection::vec(any::<u64>(), 1..120),
    ) {
        follow(&mut MemoryLedger::new("sim"), &choices);
        follow(&mut MemoryLedger::folding("sim", 0), &choices);
    }

    #[test]
    fn a_batch_with_one_bad_entry_never_changes_anything(
        before in prop::collection::vec(entry(), 0..20),
        mut batch in prop::collection::vec(entry(), 0..8),
        place in any::<prop::sample::Index>(),
    ) {
        let mut books = MemoryLedger::new("sim");
        for one in before {
            let _ = books.commit(&[one], None, Timestamp(0));
        }
        let shown = format!("{books:?}");
        let good = books.clone().commit(&batch, None, Timestamp(1)).is_ok();
        let place = place.index(batch.len() + 1);
        batch.insert(place, void(payment(9, 9), 1));
        prop_assert!(books.commit(&batch, None, Timestamp(1)).is_err());
        prop_assert_eq!(format!("{books:?}"), shown);
        batch.remove(place);
        prop_assert_eq!(books.commit(&batch, None, Timestamp(1)).is_ok(), good);
        books.verify().unwrap();
    }

    #[test]
    fn one_batch_comes_to_the_same_as_one_entry_at_a_time(
        entries in prop::collection::vec(entry(), 0..30),
    ) {
        let mut one_by_one = MemoryLedger::new("sim");
        let mut accepted = Vec::new();
        for one in entries {
            if one_by_one.commit(std::slice::from_ref(&one), None, Timestamp(0)).is_ok() {
                accepted.push(one);
            }
        }
        let mut at_once = MemoryLedger::new("sim");
        at_once.commit(&accepted, None, Timestamp(0)).unwrap();
        prop_assert_eq!(at_once.trial_balance(), one_by_one.trial_balance());
        prop_assert_eq!(at_once.available(), one_by_one.available());
        prop_assert_eq!(at_once.balance_object(), one_by_one.balance_object());
        at_once.verify().unwrap();
    }
}
