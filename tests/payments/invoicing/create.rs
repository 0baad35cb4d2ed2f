//! `signinvoice` and `createinvoice`.

use super::{invoice, listed, merchant, pays, status_of};
use crate::{
    calls::field,
    harness::{Payer, START, signed_by_us},
    nets,
    paycodes::Paycode,
};
use ecs_systems::{
    port::{InvoiceDescription, InvoiceDraft},
    units::{Blocks, Msat, PaymentSecret, Preimage, Seconds},
};

const PREIMAGE: Preimage = Preimage([7; 32]);
const SECRET: PaymentSecret = PaymentSecret([8; 32]);

fn draft() -> InvoiceDraft {
    InvoiceDraft {
        payment_hash: PREIMAGE.hash(),
        payment_secret: SECRET,
        amount_msat: Some(Msat(1_000)),
        description: InvoiceDescription::Text("written elsewhere".to_owned()),
        created_at: START,
        expiry: Seconds(3_600),
        min_final_cltv: Blocks(30),
        fallbacks: vec!["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080".to_owned()],
        hints: Vec::new(),
        payment_metadata: Some("c0ffee".to_owned()),
    }
}

/// The invoice of that draft, with a signature that is nobody's: some letters of it are others.
fn unsigned(draft: InvoiceDraft) -> String {
    signed_by_us(&nets::diamond(nets::HALF), draft)
}

fn create(payer: &mut Payer, text: &str, preimage: Preimage) -> Result<String, i32> {
    let params = format!("[\"{text}\",\"a\",\"{}\"]", preimage.reveal());
    let answer = payer.call("createinvoice", &params);
    answer.map(|told| field(&told, "status")).map_err(|error| error.code)
}

#[test]
fn an_invoice_that_was_written_elsewhere_is_signed_and_nothing_is_kept() {
    let mut payer = merchant();
    let text = unsigned(draft());
    let told = payer.call("signinvoice", &format!("[\"{text}\"]")).expect("it is fit");
    assert_eq!(field(&told, "bolt11"), format!("\"{text}\""), "signatures are the same each time");
    assert_eq!(listed(&mut payer, "{}").len(), 0);
    for unfit in ["lnbc1", "lno1abc"] {
        assert_eq!(payer.refused("signinvoice", &format!("[\"{unfit}\"]")).0, -32602, "{unfit}");
    }
}

#[test]
fn an_invoice_that_was_written_elsewhere_is_taken_on_and_paid() {
    let mut payer = merchant();
    let text = unsigned(draft());
    assert_eq!(create(&mut payer, &text, Preimage([9; 32])), Err(-32602), "another preimage");
    assert_eq!(create(&mut payer, &text, PREIMAGE), Ok("\"unpaid\"".to_owned()));
    assert_eq!(create(&mut payer, &text, PREIMAGE), Err(900));
    payer.crash();
    let found = &listed(&mut payer, &format!("{{\"invstring\":\"{text}\"}}"))[0];
    assert_eq!(field(found, "description"), "\"written elsewhere\"");
    pays(&mut payer, &Paycode { hash: PREIMAGE.hash(), secret: SECRET }, 1_000);
    assert_eq!(status_of(&mut payer, "a"), "paid");
    payer.assert_books_agree();
}

#[test]
fn what_could_not_be_paid_here_is_not_taken_on() {
    let mut payer = merchant();
    let hashed = InvoiceDraft { description: InvoiceDescription::hash_of("tea"), ..draft() };
    let short = InvoiceDraft { min_final_cltv: Blocks(17), ..draft() };
    let soon = InvoiceDraft { expiry: Seconds(1), ..draft() };
    payer.run_for(1_000);
    for (draft, why) in [(hashed, "no description"), (short, "too few blocks"), (soon, "expired")] {
        assert_eq!(create(&mut payer, &unsigned(draft), PREIMAGE), Err(-32602), "{why}");
    }
    invoice(&mut payer, "b", 1_000);
    assert_eq!(listed(&mut payer, "{}").len(), 1);
}
