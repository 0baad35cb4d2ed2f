//! Paying ourselves across no channel.

use crate::{
    books::Audited,
    harness::{Outcome, Payer, START, signed_by_us},
    nets,
};
use ecs_systems::{
    port::{InvoiceDescription, InvoiceDraft},
    units::{Blocks, Msat, PaymentSecret, Preimage, Seconds},
};
use ledger_store::{Account, NewReceipt, Terms};

const PREIMAGE: Preimage = Preimage([7; 32]);
const SECRET: PaymentSecret = PaymentSecret([8; 32]);
const AMOUNT: Msat = Msat(100_000);

fn draft() -> InvoiceDraft {
    InvoiceDraft {
        payment_hash: PREIMAGE.hash(),
        payment_secret: SECRET,
        amount_msat: Some(AMOUNT),
        description: InvoiceDescription::Text("to ourselves".to_owned()),
        fallbacks: Vec::new(),
        created_at: START,
        expiry: Seconds(3_600),
        min_final_cltv: Blocks(18),
        hints: Vec::new(),
        payment_metadata: None,
    }
}

/// A payer, an invoice of its own node, and a receipt for it if there is to be one.
fn payer(secret: Option<PaymentSecret>) -> (Payer, String) {
    let network = nets::diamond(nets::HALF);
    let invoice = signed_by_us(&network, draft());
    let payer = Payer::new(&network);
    if let Some(secret) = secret {
        let receipt = NewReceipt {
            preimage: PREIMAGE,
            payment_secret: Some(secret),
            amount_msat: Some(AMOUNT),
            expires_at: START.after(Seconds(3_600)),
            terms: Terms::default(),
        };
        payer.receipts.lock().add(&receipt).expect("a first receipt");
    }
    (payer, invoice)
}

fn assert_refused(payer: &Payer, outcome: &Outcome) {
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 203), "{outcome:?}");
    payer.assert_books_agree();
}

#[test]
fn our_own_receipt_is_paid_through_control_self_and_no_channel_moves() {
    let (mut payer, invoice) = payer(Some(SECRET));
    let before = payer.network.our_balance();
    let outcome = payer.pay_plainly(&invoice);
    payer.assert_paid(&outcome, Msat::ZERO);
    assert_eq!(outcome.preimage, Some(PREIMAGE));
    assert_eq!((payer.network.our_balance(), payer.submitted_in_all()), (before, 0));
    let paid = payer.receipts.lock().paid(&PREIMAGE.hash()).map(|paid| paid.0);
    assert_eq!(paid, Some(AMOUNT));
    let myself = payer.books.sums(Account::SelfPayment);
    assert_eq!((myself.debits_posted_msat, myself.credits_posted_msat), (AMOUNT, AMOUNT));
    assert_eq!(payer.books.posted(Account::Payment), i128::from(AMOUNT.0));
    assert_eq!(payer.books.posted(Account::IncomeInvoice), -i128::from(AMOUNT.0));
}

#[test]
fn our_own_receipt_is_paid_once_and_answered_again() {
    let (mut payer, invoice) = payer(Some(SECRET));
    assert_eq!(payer.pay_plainly(&invoice).status, "complete");
    let postings = payer.books.all();
    let again = payer.pay_plainly(&invoice);
    assert!(again.replayed && again.preimage == Some(PREIMAGE), "{again:?}");
    assert_eq!(payer.books.all(), postings);
}

#[test]
fn a_receipt_that_is_unknown_paid_withdrawn_or_of_another_secret_is_refused() {
    let (mut unknown, invoice) = payer(None);
    let outcome = unknown.pay_plainly(&invoice);
    assert_refused(&unknown, &outcome);

    let (mut other_secret, invoice) = payer(Some(PaymentSecret([9; 32])));
    let outcome = other_secret.pay_plainly(&invoice);
    assert_refused(&other_secret, &outcome);
    assert_eq!(other_secret.receipts.lock().paid(&PREIMAGE.hash()), None, "it stays payable");

    let (mut withdrawn, invoice) = payer(Some(SECRET));
    withdrawn.receipts.lock().cancel(&PREIMAGE.hash()).unwrap();
    let outcome = withdrawn.pay_plainly(&invoice);
    assert_refused(&withdrawn, &outcome);

    let (mut paid, invoice) = payer(Some(SECRET));
    let now = paid.now;
    let mut receipts = paid.receipts.clone();
    ecs_systems::port::Receipts::settle(&mut receipts, &PREIMAGE.hash(), AMOUNT, now).unwrap();
    let outcome = paid.pay_plainly(&invoice);
    assert_refused(&paid, &outcome);
}
