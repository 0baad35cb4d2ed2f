//! Cleaning of invoices by age.

use super::{invoice, listed, merchant, paycode, pays, status_of};
use crate::{
    calls::field,
    paycodes::clean::{clean, ever, set},
};
use ecs_systems::port::OverKind;

#[test]
fn who_reads_paid_invoices_is_told_which_were_cleaned_away() {
    let mut payer = merchant();
    for label in ["a", "b"] {
        let made = invoice(&mut payer, label, 1_000);
        pays(&mut payer, &made, 1_000);
    }
    let first = payer.call("waitanyinvoice", "[0,0]").expect("there is one");
    assert_eq!(field(&first, "label"), "\"a\"");
    payer.run_for(60_000);
    let made = invoice(&mut payer, "c", 1_000);
    pays(&mut payer, &made, 1_000);
    assert_eq!(clean(&mut payer, "paidinvoices", 30), ["2", "1"]);
    let next = payer.call("waitanyinvoice", "[1,0]").expect("there is one");
    assert_eq!(field(&next, "label"), "\"c\"");
    assert_eq!(field(&next, "warning_missed"), "\"pay_index 2 to 2 are gone\"");
    let waiting = payer.begin_call("waitanyinvoice", "[3]");
    assert_eq!(clean(&mut payer, "paidinvoices", 0), ["1", "0"]);
    payer.run_for(1);
    assert_eq!(waiting.answered(), None, "a deletion is no payment");
    let made = invoice(&mut payer, "d", 1_000);
    pays(&mut payer, &made, 1_000);
    let told = waiting.answered().expect("an answer").expect("it is paid");
    assert_eq!((field(&told, "label"), field(&told, "pay_index").as_str()), ("\"d\"".into(), "4"));
    assert_eq!(field(&told, "warning_missed"), "", "nothing was missed");
    payer.assert_books_agree();
}

#[test]
fn invoices_and_bare_paycodes_are_cleaned_apart_and_labels_are_free_again() {
    let mut payer = merchant();
    payer.call("invoice", "[1000,\"old\",\"tea\",10]").expect("an invoice");
    paycode(&mut payer, "[1000,10]");
    let made = invoice(&mut payer, "paid", 1_000);
    pays(&mut payer, &made, 1_000);
    let bare = paycode(&mut payer, "[1000]");
    pays(&mut payer, &bare, 1_000);
    let young = invoice(&mut payer, "young", 1_000);
    let deleted = payer.begin_call("wait", "[\"invoices\",\"deleted\",2]");
    let waiting = payer.begin_call("waitinvoice", "[\"young\"]");
    payer.run_for(30_000);
    for (subsystem, left) in [("expiredinvoices", 2), ("paidinvoices", 1)] {
        assert_eq!(clean(&mut payer, subsystem, 5), ["1", "0"], "{subsystem}");
        assert_eq!(listed(&mut payer, "[]").len(), left, "{subsystem}");
    }
    payer.run_for(1);
    let told = deleted.answered().expect("an answer").expect("a count");
    assert_eq!(field(&told, "deleted"), "2");
    assert_eq!(payer.receipts.lock().count(), 3, "paycodes stay");
    for subsystem in ["expiredpaycodes", "paidpaycodes"] {
        assert_eq!(clean(&mut payer, subsystem, 5), ["1", "0"], "{subsystem}");
        assert_eq!(ever(&mut payer, subsystem), "1");
    }
    assert_eq!((status_of(&mut payer, "young").as_str(), waiting.answered()), ("unpaid", None));
    pays(&mut payer, &young, 1_000);
    assert!(waiting.answered().is_some(), "it can be paid");
    for label in ["old", "paid"] {
        invoice(&mut payer, label, 1_000);
    }
}

#[test]
fn invoices_go_by_themselves_each_at_the_age_of_its_kind() {
    let mut payer = merchant();
    set(&mut payer, 10, &[(OverKind::PaidInvoices, 30), (OverKind::ExpiredInvoices, 100)]);
    let made = invoice(&mut payer, "paid", 1_000);
    payer.call("invoice", "[1000,\"old\",\"tea\",1]").expect("an invoice");
    pays(&mut payer, &made, 1_000);
    payer.run_for(25_000);
    assert_eq!(listed(&mut payer, "[]").len(), 2);
    payer.run_for(20_000);
    assert_eq!(status_of(&mut payer, "old"), "expired");
    assert_eq!((listed(&mut payer, "[]").len(), ever(&mut payer, "paidinvoices")), (1, "1".into()));
    payer.run_for(80_000);
    assert_eq!(
        (listed(&mut payer, "[]").len(), ever(&mut payer, "expiredinvoices")),
        (0, "1".into())
    );
}
