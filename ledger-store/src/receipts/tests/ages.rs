//! Cleaning by age.

use super::{
    invoices::{labelled, three},
    *,
};
use ecs_systems::port::{Over, OverKind};

#[test]
fn what_was_cleaned_is_counted_by_kind_and_stays_so_through_an_image() {
    let mut receipts = three();
    let [a, bare, b] = [1, 2, 3].map(|number| preimage(number).hash());
    for (hash, at) in [(b, 5), (bare, 6)] {
        receipts.release(&hash).unwrap();
        receipts.settle(&hash, Msat(100), Timestamp(at)).unwrap();
    }
    receipts.issue(&labelled(4, None), Timestamp(7)).unwrap();
    let until = Timestamp(u64::MAX);
    let told = receipts.over(None, until, 9).into_iter().map(|Over { kind, .. }| kind);
    let told: Vec<OverKind> = told.collect();
    assert_eq!(told[..2], [OverKind::PaidInvoices, OverKind::PaidPaycodes]);
    let mut expired = told[2..].to_vec();
    expired.sort();
    assert_eq!(expired, [OverKind::ExpiredInvoices, OverKind::ExpiredPaycodes]);
    for hash in [b, bare, a] {
        receipts.clean(&hash).unwrap();
        receipts = through_image(&receipts);
    }
    let cleaned = |receipts: &MemoryReceipts| {
        [false, true].map(|invoices| {
            let counts = receipts.counts(invoices);
            (counts.cleaned_paid, counts.cleaned_expired, counts.deleted)
        })
    };
    assert_eq!(cleaned(&receipts), [(2, 1, 3), (1, 1, 2)]);
    receipts.delete(&preimage(4).hash(), false).unwrap();
    assert_eq!(cleaned(&receipts), [(2, 1, 4), (1, 1, 2)], "deleting is no cleaning");
    for (number, label) in [(2, None), (3, Some("b"))] {
        let again = receipts.check(&labelled(number, label));
        assert!(matches!(again, Err(AddReceiptError::WasPaid { .. })), "{again:?}");
    }
    receipts.issue(&labelled(1, Some("a")), Timestamp(8)).expect("it was never paid");
}
