//! What must not be paid: each bad input has its code, and leaves no trace but its claim.

use crate::{
    harness::Payer,
    invoices::{with_bad_signature, with_prefix, with_wrong_checksum},
    nets,
};
use ecs_core::{INVALID_PARAMS, Json, Write};
use ecs_systems::{
    components::{Destination, FeeBudget, Invoice, PayHash},
    port::Network,
    units::{Msat, NodeId, PaymentHash, Seconds},
};
use node_sim::{InvoiceRequest, Settings, Signer};

#[test]
fn an_invoice_that_is_damaged_or_for_another_network_is_refused_in_words_that_say_why() {
    let foreign = Settings { network: Network::Bitcoin, ..Settings::default() };
    let foreign = Payer::new(&nets::line_with(foreign));
    let mut payer = Payer::new(&nets::line());
    let good = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
    for (invoice, why) in [
        (foreign.invoice("carol", InvoiceRequest::of(Msat(1_000))), "another network"),
        (with_wrong_checksum(&good), "Bad bech32 string"),
        (with_bad_signature(&good), "Bad signature"),
        (with_prefix(&good, "lnbcrt18446744073709551616"), "Invalid amount"),
        (with_prefix(&good, "lnbcrt1p"), "Invalid amount"),
        (with_prefix(&good, "bcrt1m"), "Not a BOLT 11 invoice"),
        (good[..good.len() / 2].to_owned(), "Bad bech32 string"),
        ("lnbcrt1".to_owned(), "Bad bech32 string"),
        ("lno1pqps7sjqpgt".to_owned(), "Not a BOLT 11 invoice"),
    ] {
        payer.assert_refused(&invoice, Write::here(), INVALID_PARAMS);
        let error = payer.pay_plainly(&invoice).error.expect("it fails again");
        assert!(error.message.contains(why), "{invoice}: {} instead of {why}", error.message);
    }
    let outcome = payer.pay_plainly(&good);
    payer.assert_paid(&outcome, Msat(1_001));
}

#[test]
fn the_amount_in_an_invoice_is_under_its_signature() {
    let mut payer = Payer::new(&nets::line());
    let good = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
    let (prefix, _) = good.rsplit_once('1').unwrap();
    let dearer = with_prefix(&good, &prefix.replacen("lnbcrt1", "lnbcrt2", 1));
    let outcome = payer.pay_plainly(&dearer);
    assert_eq!(outcome.status, "failed");
    assert!([INVALID_PARAMS, 216].contains(&outcome.code()), "no node of ours signed it");
    assert_eq!(payer.submitted_in_all(), 0);
    payer.assert_books_agree();
}

#[test]
fn an_amount_of_zero_is_refused() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat::ZERO));
    payer.assert_refused(&invoice, Write::here(), INVALID_PARAMS);
    for name in ["lightningd:amount", "lightningd:partial"] {
        let zero =
            Write::here().attach(&Invoice(Json::of(&invoice))).attach_json(name, Json::of("0msat"));
        let now = payer.now;
        assert!(payer.driver.start_payment(now, zero).is_err(), "{name}");
    }
}

#[test]
fn amount_and_budget_above_64_bits_are_refused() {
    let mut payer = Payer::new(&nets::line());
    let whole = || InvoiceRequest::of(Msat(u64::MAX / 100));
    for (request, more) in [
        (InvoiceRequest::any(), Write::here().attach_json("lightningd:amount", number(u64::MAX))),
        (whole(), Write::here().attach(&FeeBudget(Msat(u64::MAX)))),
        (whole(), Write::here().attach_json("lightningd:maxfeepercent", number(1_000_000))),
    ] {
        let invoice = payer.invoice("carol", request);
        payer.assert_refused(&invoice, more, INVALID_PARAMS);
    }
}

fn number(number: u64) -> Json {
    Json::of(&number)
}

#[test]
fn a_hash_or_destination_that_is_not_the_invoices_is_refused() {
    let network = nets::line();
    let mut payer = Payer::new(&network);
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(1_000)));
    let NodeId(bob) = network.id("bob").unwrap();
    for more in [
        Write::here().attach(&Destination(NodeId(bob))),
        Write::here().attach(&PayHash(PaymentHash([7; 32]))),
    ] {
        payer.assert_refused(&invoice, more, INVALID_PARAMS);
    }
}

#[test]
fn an_invoice_is_expired_from_its_last_moment_on() {
    let mut payer = Payer::new(&nets::line());
    let request = || InvoiceRequest { expiry: Seconds(60), ..InvoiceRequest::of(Msat(100_000)) };
    let (late, soon) = (payer.invoice("carol", request()), payer.invoice("carol", request()));
    payer.run_for(50_001);
    payer.assert_refused(&soon, Write::here(), 207);
    payer.run_for(9_999);
    let outcome = payer.pay_plainly(&late);
    assert_eq!((outcome.code(), outcome.fact("expiry")), (207, "1700000061".to_owned()));
    assert_eq!(outcome.fact("now"), "1700000061");
    payer.assert_refused(&late, Write::here(), 207);
}

#[test]
fn nothing_is_sent_while_the_last_block_is_old() {
    let settings = Settings { block_interval: Seconds(0), ..Settings::default() };
    let mut payer = Payer::new(&nets::line_with(settings));
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(1_000)));
    payer.run_for(30 * 60 * 1_000 - 1_000);
    let outcome = payer.pay_plainly(&invoice);
    payer.assert_paid(&outcome, Msat(1_000));
    payer.run_for(2_000);
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(1_000)));
    payer.assert_refused(&invoice, Write::here(), 209);
}

#[test]
fn nothing_is_sent_while_the_node_has_not_caught_up() {
    let mut payer = Payer::new(&nets::line());
    payer.troubles.open().unsynced = true;
    payer.run_for(600_000);
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(1_000)));
    payer.assert_refused(&invoice, Write::here(), 209);
    payer.troubles.open().unsynced = false;
    payer.run_for(600_000);
    let outcome = payer.pay_plainly(&invoice);
    payer.assert_paid(&outcome, Msat(1_000));
}

#[test]
fn the_signers_veto_comes_before_anything_is_set_aside() {
    let settings = Settings { signer: Signer::UpTo(Msat(50_000)), ..Settings::default() };
    let mut payer = Payer::new(&nets::line_with(settings));
    let dear = payer.invoice("carol", InvoiceRequest::of(Msat(50_001)));
    payer.assert_refused(&dear, Write::here(), 213);
    assert_eq!(payer.books.lock().clone().postings_of_reserve(), 0);
    let cheap = payer.invoice("carol", InvoiceRequest::of(Msat(50_000)));
    let outcome = payer.pay_plainly(&cheap);
    payer.assert_paid(&outcome, Msat(1_000));
}

/// How often money was set aside.
trait Reserves {
    fn postings_of_reserve(&self) -> usize;
}

impl Reserves for ledger_store::MemoryLedger {
    fn postings_of_reserve(&self) -> usize {
        let all = ecs_systems::port::Ledger::postings(self, 0, u32::MAX);
        all.iter().filter(|posting| posting.code == "reserve").count()
    }
}
