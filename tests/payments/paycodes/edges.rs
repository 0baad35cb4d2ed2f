//! What is easily wrong about being paid, each by its name.

use super::{PREIMAGE, Paycode, listed, merchant, merchant_on, paycode, status_of};
use crate::{
    books::Audited,
    calls::{field, json},
    harness::{Payer, START, signed_by_us},
    nets,
    receiving::{carol_sends, refused_all, status, told},
};
use ecs_core::Json;
use ecs_systems::{
    port::{FailureCode, InvoiceDescription, InvoiceDraft, PartStatus},
    units::{Blocks, Msat, Seconds, Timestamp},
};
use ledger_store::Account;
use node_sim::{RemoteId, RemotePart};

const UNKNOWN: FailureCode = FailureCode::IncorrectOrUnknownPaymentDetails;

fn parts(payer: &mut Payer, paycode: &Paycode) -> Vec<Json> {
    json(&field(&listed(payer, paycode), "parts")).items().expect("an array")
}

fn is_paid(payer: &Payer, id: RemoteId) -> bool {
    matches!(status(payer, id), PartStatus::Paid { .. })
}

fn income(payer: &Payer) -> i128 {
    -payer.books.posted(Account::IncomeInvoice)
}

#[test]
fn duplicate_htlc_replay_after_restart() {
    let mut payer = merchant();
    payer.troubles.open().lost_words = u32::MAX;
    let made = paycode(&mut payer, "[1000]");
    let id = carol_sends(&mut payer, made.whole(1_000));
    for _ in 0..3 {
        payer.network.restart(payer.now);
        payer.run_for(1_000);
        payer.crash();
        payer.run_for(1_000);
        assert_eq!(status_of(&mut payer, &made), "receiving", "the node has not heard it");
        assert_eq!(parts(&mut payer, &made).len(), 1);
    }
    payer.troubles.open().lost_words = 0;
    payer.run_for(600_000);
    assert!(is_paid(&payer, id));
    assert_eq!((status_of(&mut payer, &made).as_str(), income(&payer)), ("paid", 1_000));
    payer.assert_books_agree();
}

#[test]
fn second_payer_to_an_any_paycode() {
    let mut payer = merchant();
    let made = paycode(&mut payer, "[\"any\"]");
    let first = carol_sends(&mut payer, made.whole(100_000).of_it(Msat(60_000)));
    let other = carol_sends(&mut payer, made.whole(90_000).of_it(Msat(30_000)));
    assert_eq!(told(&payer, other), UNKNOWN, "another total");
    assert_eq!(status(&payer, first), PartStatus::InFlight);
    let joins = carol_sends(&mut payer, made.whole(100_000).of_it(Msat(40_000)));
    assert!(is_paid(&payer, first) && is_paid(&payer, joins), "the same total joins");
    let late = carol_sends(&mut payer, made.whole(70_000));
    assert_eq!(told(&payer, late), UNKNOWN, "it is paid");
    assert_eq!(field(&listed(&mut payer, &made), "amount_received_msat"), "100000");
    assert_eq!(income(&payer), 100_000);
    payer.assert_books_agree();
}

#[test]
fn total_msat_0() {
    for params in ["[\"any\"]", "[1000]", "{\"amount_msat\":1000,\"overpay\":\"any\"}"] {
        let mut payer = merchant();
        let made = paycode(&mut payer, params);
        let part = RemotePart { total_msat: Msat(0), ..made.whole(1_000) };
        let id = carol_sends(&mut payer, part);
        assert_eq!((told(&payer, id), income(&payer)), (UNKNOWN, 0), "{params}");
        assert_eq!(status_of(&mut payer, &made), "unpaid");
        payer.assert_books_agree();
    }
}

#[test]
fn sum_above_total() {
    let mut payer = merchant();
    let made = paycode(&mut payer, "{\"amount_msat\":1000,\"overpay\":\"exact\"}");
    let ids = [600, 900].map(|msat| carol_sends(&mut payer, made.whole(1_000).of_it(Msat(msat))));
    assert!(ids.iter().all(|id| is_paid(&payer, *id)), "the rule is for the total");
    let paid = listed(&mut payer, &made);
    assert_eq!((field(&paid, "amount_received_msat").as_str(), income(&payer)), ("1500", 1_500));
    payer.assert_books_agree();
}

#[test]
fn twice_the_amount_plus_1_msat() {
    for (params, msat, taken) in [
        ("[1000]", 2_000, true),
        ("[1000]", 2_001, false),
        ("{\"amount_msat\":1000,\"overpay\":\"any\"}", 2_001, true),
        ("{\"amount_msat\":1000,\"overpay\":\"exact\"}", 1_001, false),
        ("[\"any\"]", 2_001, true),
    ] {
        let mut payer = merchant();
        let made = paycode(&mut payer, params);
        let id = carol_sends(&mut payer, made.whole(msat));
        assert_eq!(is_paid(&payer, id), taken, "{params} {msat}");
        assert_eq!(refused_all(&payer), usize::from(!taken));
        payer.assert_books_agree();
    }
}

/// A paycode of our own preimage, on a node that has signed an invoice for it.
fn with_invoice(more: &str) -> (Payer, Paycode, String) {
    let params = format!("{{\"amount_msat\":100000,\"preimage\":\"{}\"{more}}}", PREIMAGE.reveal());
    // The same node draws the same secret, and it signs before it is connected.
    let secret = paycode(&mut merchant(), &params).secret;
    let network = nets::diamond(nets::HALF);
    let invoice = signed_by_us(
        &network,
        InvoiceDraft {
            payment_hash: PREIMAGE.hash(),
            payment_secret: secret,
            amount_msat: Some(Msat(100_000)),
            description: InvoiceDescription::Text("to ourselves".to_owned()),
            fallbacks: Vec::new(),
            created_at: START,
            expiry: Seconds(3_600),
            min_final_cltv: Blocks(24),
            hints: Vec::new(),
            payment_metadata: None,
        },
    );
    let mut payer = merchant_on(&network);
    let made = paycode(&mut payer, &params);
    assert_eq!(made.secret, secret);
    (payer, made, invoice)
}

#[test]
fn self_pay_of_a_held_paycode() {
    let (mut payer, made, invoice) = with_invoice("");
    assert_eq!(payer.pay_plainly(&invoice).status, "complete");
    let paid = listed(&mut payer, &made);
    assert_eq!(field(&paid, "status"), "\"paid\"");
    assert_eq!(
        (field(&paid, "amount_received_msat"), field(&paid, "parts")),
        ("100000".to_owned(), "[]".to_owned())
    );
    payer.assert_books_agree();

    let (mut payer, made, invoice) = with_invoice(",\"hold\":true");
    let outcome = payer.pay_plainly(&invoice);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 203), "nothing to hold");
    assert_eq!(status_of(&mut payer, &made), "unpaid");
    assert_eq!(payer.books.posted(Account::SelfPayment), 0);
    payer.assert_books_agree();
}

#[test]
fn clock_jumping_backwards() {
    let mut payer = merchant();
    let made = paycode(&mut payer, "[1000,60]");
    let other = paycode(&mut payer, "[1000,120]");
    payer.run_for(61_000);
    assert_eq!(status_of(&mut payer, &made), "expired");
    payer.now = Timestamp(START.0 - 3_600_000);
    assert_eq!(status_of(&mut payer, &made), "expired", "it stays so");
    let third = listed_after(&mut payer);
    assert!(third >= START.unix_seconds() + 61, "made no earlier than what was before it");
    payer.now = START.after_ms(62_000);
    let late = carol_sends(&mut payer, made.whole(1_000));
    assert_eq!(told(&payer, late), UNKNOWN);
    let id = carol_sends(&mut payer, other.whole(1_000));
    assert!(is_paid(&payer, id));
    payer.assert_books_agree();
}

/// When a paycode that is made now for no time at all expires, in seconds since 1970.
fn listed_after(payer: &mut Payer) -> u64 {
    let answer = payer.call("paycode", "[1000,1]").expect("a paycode");
    field(&answer, "expires_at").parse().expect("seconds")
}

#[test]
fn expiry_while_the_set_is_complete_or_held() {
    let mut payer = merchant();
    let held = paycode(
        &mut payer,
        &format!(
            "{{\"amount_msat\":1000,\"timeout\":60,\"payment_hash\":\"{}\"}}",
            PREIMAGE.hash()
        ),
    );
    let id = carol_sends(&mut payer, held.whole(1_000));
    payer.run_for(600_000);
    assert_eq!(
        (status_of(&mut payer, &held).as_str(), status(&payer, id)),
        ("held", PartStatus::InFlight)
    );
    payer.call("settlepaycode", &format!("[\"{}\"]", PREIMAGE.reveal())).expect("it is held");
    payer.run_for(5_000);
    assert!(is_paid(&payer, id), "judged by its first HTLC");
    payer.assert_books_agree();

    let mut payer = merchant();
    payer.troubles.open().lost_words = u32::MAX;
    let complete = paycode(&mut payer, "[1000,60]");
    let id = carol_sends(&mut payer, complete.whole(1_000));
    payer.run_for(120_000);
    assert_eq!(status_of(&mut payer, &complete), "receiving");
    payer.troubles.open().lost_words = 0;
    payer.run_for(600_000);
    assert!(is_paid(&payer, id) && status_of(&mut payer, &complete) == "paid");
    payer.assert_books_agree();
}
