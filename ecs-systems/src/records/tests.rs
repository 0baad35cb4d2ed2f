//! All of a record is written, or nothing.

use super::*;
use crate::{
    components::MainPayment,
    fixture::{AMOUNT, Bench, PREIMAGE, child, claim, here, payment},
    port::{CLTV_BLOCKS_MIN, LedgerError, OverpayRule, Receipt, ReceiptSecrets, SeedId},
};
use ecs_core::{On, Record, system};

fn settles() -> ReceiptLine {
    ReceiptLine::Settle { payment_hash: PREIMAGE.hash(), amount_msat: AMOUNT }
}

fn books() -> LedgerEntry {
    LedgerEntry::Fail { payment: claim().claim.payment, answer: None }
}

fn receipt(state: ReceiptState) -> Receipt {
    Receipt { state, ..crate::receive::fixture::receipt() }
}

/// Writes a line for the books and one for the receipts in one record; answers the refusal's code.
fn written(bench: &mut Bench) -> Option<i32> {
    let lines = Step::advance().keep(&books()).receipt(&settles());
    bench.app.keep_records(lines.records()).err().map(|error| error.code())
}

fn seen(bench: &Bench) -> (usize, usize) {
    (bench.notebook.batches().len(), bench.shelf.0.lock().unwrap().settled.len())
}

#[test]
fn books_and_receipts_are_written_together() {
    let mut bench = Bench::new().receipt(receipt(ReceiptState::Unpaid));
    assert_eq!(written(&mut bench), None);
    assert_eq!(bench.notebook.batches(), [vec![books()]]);
    assert_eq!(bench.shelf.0.lock().unwrap().settled, [(PREIMAGE.hash(), AMOUNT)]);
}

#[test]
fn books_that_refuse_leave_the_receipt_unpaid() {
    let error = LedgerError::Invariant { what: "no".to_owned() };
    let mut bench = Bench::new().receipt(receipt(ReceiptState::Unpaid)).refusing(error);
    assert_eq!((written(&mut bench), seen(&bench)), (Some(LEDGER_INVARIANT), (0, 0)));
}

#[test]
fn a_receipt_that_cannot_be_paid_leaves_the_books_untouched() {
    for state in [None, Some(ReceiptState::Paid), Some(ReceiptState::Cancelled)] {
        let mut bench = Bench::new();
        if let Some(state) = state {
            bench = bench.receipt(receipt(state));
        }
        let code = written(&mut bench);
        assert_eq!((code, seen(&bench)), (Some(PAY_DESTINATION_PERM_FAIL), (0, 0)), "{state:?}");
    }
}

#[test]
fn a_receipt_line_is_written_only_where_the_receipt_is_in_the_state_for_it() {
    use ReceiptState::{Cancelled, Paid, Settling, Unpaid};
    let payment_hash = PREIMAGE.hash();
    let release = ReceiptLine::Release { payment_hash };
    let restore = ReceiptLine::Restore { payment_hash };
    let withdraw = ReceiptLine::Withdraw { payment_hash };
    for (line, fit, after) in [
        (withdraw, vec![Unpaid, Cancelled], Cancelled),
        (release, vec![Unpaid], Settling),
        (restore, vec![Settling], Unpaid),
        (settles(), vec![Unpaid, Settling], Paid),
    ] {
        for state in [Unpaid, Settling, Paid, Cancelled] {
            let mut bench = Bench::new().receipt(receipt(state));
            let lines = Step::advance().receipt(&line);
            let written = bench.app.keep_records(lines.records()).is_ok();
            assert_eq!(written, fit.contains(&state), "{line:?} {state:?}");
            let now = bench.shelf.0.lock().unwrap().receipt.clone().unwrap().state;
            assert_eq!(now, if written { after } else { state });
        }
    }
}

#[test]
fn a_receipt_is_issued_where_its_hash_has_none_and_else_nothing_is_written() {
    let issued = IssuedReceipt {
        prepend: Vec::new(),
        payment_hash: PREIMAGE.hash(),
        receipt_id: payecs_units::ReceiptId([1; 32]),
        seed: SeedId(2),
        secrets: ReceiptSecrets::Derived,
        amount_msat: Some(AMOUNT),
        overpay: OverpayRule::Exact,
        cltv: CLTV_BLOCKS_MIN,
        expires_at: Timestamp(u64::MAX),
        hold: false,
        metadata: None,
        key: None,
        invoice: None,
    };
    let line = ReceiptLine::Issue(Box::new(issued.clone()));
    assert_eq!(receipt_record(&line).body.decode::<ReceiptLine>().unwrap(), line);
    let mut bench = Bench::new();
    let lines = Step::advance().keep(&books()).receipt(&line);
    bench.app.keep_records(lines.records()).unwrap();
    let receipt = bench.shelf.0.lock().unwrap().receipt.clone().unwrap();
    assert_eq!((receipt.expires_at, receipt.cltv), (issued.expires_at, CLTV_BLOCKS_MIN));
    let error = bench.app.keep_records(lines.records()).unwrap_err();
    assert_eq!((error.code(), bench.notebook.batches().len()), (ecs_core::INVALID_PARAMS, 1));
}

#[test]
fn a_line_that_cannot_be_read_writes_nothing() {
    for system in ["ledger:claim", RECEIPTS] {
        let mut bench = Bench::new().receipt(receipt(ReceiptState::Unpaid));
        let lines = Step::advance().keep(&books()).receipt(&settles());
        let lines = lines.record(Record::new(system, Json::of("no line")));
        let error = bench.app.keep_records(lines.records()).unwrap_err();
        assert_eq!((error.code(), seen(&bench)), (LEDGER_INVARIANT, (0, 0)), "{system}");
        assert!(error.to_string().contains(system));
    }
}

#[test]
fn a_line_of_a_child_is_booked_for_its_payment() {
    for (on, parent) in [(payment(), None), (child(), Some(Parent(payment())))] {
        let mut bench = Bench::new();
        let once = system("acme:keep").requires(["acme:go"]).disallows(["acme:gone"]);
        let keeps = |_: On| {
            let entry = LedgerEntry::Fail { payment: claim().claim.payment, answer: None };
            Ok(Step::stop().attach_json("acme:gone", Json::yes()).keep(&entry))
        };
        bench.app.add_system(once, keeps).unwrap();
        let list = ecs_core::Systems::listing(["acme:keep"]);
        let write = here().attach(&list).attach_some(parent.as_ref());
        bench.put(on, write.attach_json("acme:go", Json::yes()));
        bench.put(payment(), here().attach(&MainPayment(Json::yes())));
        bench.app.advance(on, None).unwrap();
        assert_eq!(bench.notebook.0.lock().unwrap().batches[0].0, Some(payment()));
    }
}

#[test]
fn a_line_is_traced_as_the_system_that_writes_its_kind() {
    assert_eq!(ledger_record(&books()).system, "ledger:void");
    assert_eq!(ledger_record(&books()).body.decode::<LedgerEntry>().unwrap(), books());
}

/// What refuses a line about a receipt in that state that expires in so long, if anything does.
fn kept(line: &ReceiptLine, state: ReceiptState, expires_in_ms: u64) -> (Bench, Option<i32>) {
    let bench = Bench::new();
    let now = Timestamp(bench.app.resource::<Inputs>().unwrap().now_ms);
    let expires_at = now.after_ms(expires_in_ms);
    let mut bench = bench.receipt(Receipt { expires_at, ..receipt(state) });
    let lines = Step::advance().receipt(line);
    let refused = bench.app.keep_records(lines.records()).err();
    (bench, refused.map(|error| error.code()))
}

#[test]
fn a_receipt_expires_only_once_its_time_is_over_and_unpaid() {
    use ReceiptState::{Cancelled, Paid, Settling, Unpaid};
    let line = ReceiptLine::Expire { payment_hash: PREIMAGE.hash() };
    for (state, expires_in_ms, fit) in [
        (Unpaid, 1, false),
        (Unpaid, 0, true),
        (Settling, 0, false),
        (Paid, 0, false),
        (Cancelled, 0, false),
    ] {
        let (_, code) = kept(&line, state, expires_in_ms);
        assert_eq!(code, (!fit).then_some(ecs_core::INVALID_PARAMS), "{state:?}");
    }
}

#[test]
fn a_receipt_is_cleaned_away_only_once_it_is_over() {
    use ReceiptState::{Cancelled, Paid, Settling, Unpaid};
    let line = ReceiptLine::Clean { payment_hash: PREIMAGE.hash() };
    for (state, expires_in_ms, fit) in [
        (Unpaid, 1, false),
        (Unpaid, 0, true),
        (Settling, 0, false),
        (Paid, 1, true),
        (Cancelled, 1, true),
    ] {
        let (bench, code) = kept(&line, state, expires_in_ms);
        assert_eq!(code, (!fit).then_some(ecs_core::INVALID_PARAMS), "{state:?}");
        assert_eq!(bench.shelf.0.lock().unwrap().receipt.is_none(), fit, "{state:?}");
    }
}
