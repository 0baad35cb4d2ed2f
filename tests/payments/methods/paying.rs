//! `pay`.

use crate::{
    calls::{Call, field},
    harness::Payer,
    invoices::{hash_of, with_bad_signature},
    nets,
};
use ecs_core::{Caller, EntityId, Json, Scope};
use ecs_systems::{components::PartsOpen, port::PartKey, units::Msat};
use node_sim::{InvoiceRequest, Script};

const AMOUNT: Msat = Msat(100_000);

fn carols(payer: &Payer) -> String {
    payer.invoice("carol", InvoiceRequest::of(AMOUNT))
}

fn entity(answer: &Json) -> EntityId {
    answer.fields().expect("an object")["entity"].decode().expect("an entity")
}

#[test]
fn pay_answers_what_xpay_answers_and_more_and_the_books_agree() {
    let mut payer = Payer::new(&nets::line());
    let invoice = carols(&payer);
    let began = payer.now;
    let paid = payer.call("pay", &format!(r#"["lightning:{}"]"#, invoice.to_uppercase())).unwrap();
    let outcome = payer.outcome(entity(&paid));
    payer.assert_paid(&outcome, Msat(1_001));
    let (preimage, hash) = (outcome.preimage.unwrap(), outcome.preimage.unwrap().hash());
    let wanted = format!(
        "{{\"payment_preimage\":\"{}\",\"payment_hash\":\"{hash}\",\"status\":\"complete\",\
         \"amount_msat\":100000,\"amount_sent_msat\":101001,\"fee_msat\":1001,\
         \"successful_parts\":1,\"failed_parts\":0,\"created_at\":{},\"entity\":1}}",
        preimage.reveal(),
        began.unix_seconds()
    );
    assert_eq!(paid.text(), wanted);
    assert_eq!(payer.truth_of(&invoice).received_in_all(), AMOUNT);
}

#[test]
fn every_msat_form_of_an_amount_is_taken() {
    for amount in [
        "100000",
        "\"100000\"",
        "\"100000msat\"",
        "\"100sat\"",
        "\"100.000sat\"",
        "\"0.000001btc\"",
    ] {
        let mut payer = Payer::new(&nets::line());
        let invoice = payer.invoice("carol", InvoiceRequest::any());
        let params = format!(r#"{{"amount_msat":{amount},"invstring":"{invoice}"}}"#);
        let paid = payer.call("pay", &params).unwrap();
        assert_eq!(field(&paid, "amount_msat"), "100000", "{amount}");
        assert_eq!(payer.truth_of(&invoice).received_in_all(), AMOUNT);
    }
}

#[test]
fn each_param_becomes_what_the_payment_is_made_of() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let bob = payer.node("bob");
    let params = format!(
        r#"["{invoice}", 150000, 9000, null, 30, null, 700, null, "rent", null, "k", true,
        ["{bob}"], {{"source":"shop"}}, "all"]"#
    );
    let paid = payer.call("pay", &params).unwrap();
    assert_eq!(field(&paid, "fee_msat"), "3000", "by dave");
    let engine = payer.driver.engine();
    for (name, text) in [
        ("amount", "\"150000msat\""),
        ("feebudget", "\"9000msat\""),
        ("retry_for", "30"),
        ("maxdelay", "700"),
        ("label", "\"rent\""),
        ("idempotency_key", "\"k\""),
        ("overpay", "true"),
        ("metadata", "{\"source\":\"shop\"}"),
    ] {
        let component = engine.component(entity(&paid), &format!("lightningd:{name}"));
        assert_eq!(component.as_ref().map(Json::text), Some(text), "{name}");
    }
    assert_eq!(payer.truth_of(&invoice).received_in_all(), Msat(150_000));
}

#[test]
fn first_answers_with_the_first_preimage_and_all_when_no_part_is_out() {
    let mut answers = Vec::new();
    for wait in ["first", "all"] {
        let mut payer = Payer::new(&nets::diamond(nets::HALF));
        let request = InvoiceRequest { basic_mpp: true, ..InvoiceRequest::of(Msat(700_000_000)) };
        let invoice = payer.invoice("carol", request);
        let params = format!(r#"{{"invstring":"{invoice}","wait":"{wait}"}}"#);
        let call = payer.begin_call("pay", &params);
        while payer.submitted(hash_of(&invoice)).len() < 2 {
            payer.run_for(10);
        }
        let (group_id, part_id, _) = payer.submitted(hash_of(&invoice))[1];
        let key = PartKey { payment_hash: hash_of(&invoice), group_id, part_id };
        payer.script(Script::LoseOutcome { key });
        let paid = payer.finish_call(&call).unwrap();
        let is_open = payer.driver.engine().get::<PartsOpen>(entity(&paid)).is_some();
        assert_eq!(is_open, wait == "first", "{paid}");
        assert_eq!(field(&paid, "successful_parts"), "2");
        answers
            .push(["amount_msat", "amount_sent_msat", "fee_msat"].map(|name| field(&paid, name)));
        payer.finish(entity(&paid));
        payer.assert_books_agree();
    }
    assert_eq!(answers[0], answers[1], "what is still out counts");
    assert_eq!(answers[0][0], "700000000");
}

#[test]
fn a_failure_has_the_payments_code_and_facts() {
    let mut payer = Payer::new(&nets::dead_ends());
    for (payee, amount, code) in
        [("dave", 1_000, 216), ("carol", 900_000_000, 215), ("gina", 2_500_000, 205)]
    {
        let invoice = payer.invoice(payee, InvoiceRequest::of(Msat(amount)));
        let error = payer.call("pay", &format!("[\"{invoice}\"]")).unwrap_err();
        assert_eq!(error.code, code, "{payee}: {}", error.message);
        let facts = error.facts();
        assert_eq!(facts["final"], Json::yes());
        let id: EntityId = facts["entity"].decode().unwrap();
        let outcome = payer.outcome(id);
        assert_eq!((outcome.code(), outcome.error.unwrap().message), (code, error.message));
    }
    payer.assert_books_agree();
}

#[test]
fn amounts_that_do_not_fit_the_invoice_are_refused_in_core_lightnings_words() {
    let mut payer = Payer::new(&nets::line());
    let (fixed, any, zero) = (
        carols(&payer),
        payer.invoice("carol", InvoiceRequest::any()),
        payer.invoice("carol", InvoiceRequest::of(Msat::ZERO)),
    );
    let damaged = with_bad_signature(&fixed);
    for (params, said) in [
        (format!("[\"{fixed}\",100000]"), "msatoshi parameter unnecessary"),
        (format!("[\"{any}\"]"), "msatoshi parameter required"),
        (format!("[\"{zero}\"]"), "Cannot pay bolt11 invoice with zero amount"),
        (
            format!("{{\"invstring\":\"{fixed}\",\"partial_msat\":100001}}"),
            "`lightningd:partial` 100001msat is above 100000msat",
        ),
        (format!("{{\"invstring\":\"{fixed}\",\"amount_msat\":1,\"overpay\":true}}"), "Amount 1"),
        (format!("[\"{damaged}\"]"), "Bad signature"),
        ("[\"lno1abc\"]".to_owned(), "Not a BOLT 11 invoice"),
    ] {
        let (code, message) = payer.refused("pay", &params);
        assert_eq!(code, -32602, "{params}");
        assert!(message.starts_with(said), "{params}: {message}");
    }
    assert_eq!(payer.submitted_in_all(), 0);
}

#[test]
fn an_invoice_that_has_expired_is_refused_with_how_long_ago() {
    let mut payer = Payer::new(&nets::line());
    let invoice = carols(&payer);
    payer.run_for(3_700_000);
    let error = payer.call("pay", &format!("[\"{invoice}\"]")).unwrap_err();
    assert_eq!(error.code, 207);
    assert!(error.message.starts_with("Invoice expired 1"), "{}", error.message);
    assert!(error.facts().contains_key("expiry"));
}

#[test]
fn params_that_do_not_fit_are_refused_before_there_is_a_payment() {
    let mut payer = Payer::new(&nets::line());
    let invoice = carols(&payer);
    let amount = "an amount above zero: integer msat, or a string `N`, `Nmsat`, `Nsat`, \
                  `N.DDDsat` or `N.Dbtc`";
    let amount = |name: &str| format!("`{name}`: expected {amount}");
    for (params, said) in [
        ("\"amount_msat\":0", amount("amount_msat")),
        ("\"amount_msat\":-1", amount("amount_msat")),
        ("\"amount_msat\":1.5", amount("amount_msat")),
        ("\"amount_msat\":\"1.5\"", amount("amount_msat")),
        ("\"amount_msat\":\"any\"", amount("amount_msat")),
        ("\"amount_msat\":18446744073709551616", amount("amount_msat")),
        ("\"partial_msat\":\"0sat\"", amount("partial_msat")),
        ("\"maxfee\":\"1 sat\"", amount("maxfee").replace(" above zero", "")),
        ("\"retry_for\":86401", "`retry_for`: expected a number of seconds from 0 to 86400".into()),
        (
            "\"maxdelay\":0",
            "`maxdelay`: expected a number of blocks: an integer from 1 to \
           4294967295"
                .into(),
        ),
        ("\"label\":\"\"", "`label`: expected a string of 1 to 1024 bytes".into()),
        ("\"idempotency_key\":7", "`idempotency_key`: expected a string of 1 to 128 bytes".into()),
        ("\"overpay\":\"yes\"", "`overpay`: expected true or false".into()),
        (
            "\"exclude\":\"all\"",
            "`exclude`: expected an array of node ids and channel directions \
           `BxTxO/D`"
                .into(),
        ),
        ("\"metadata\":[]", "`metadata`: expected an object of at most 4096 bytes".into()),
        ("\"wait\":\"none\"", "`wait`: expected `first` or `all`".into()),
        ("\"layers\":[]", "`layers` is not supported".into()),
        ("\"payer_note\":\"hi\"", "`payer_note` is not supported".into()),
        ("\"localinvreqid\":\"00\"", "`localinvreqid` is not supported".into()),
        ("\"riskfactor\":1", "unknown parameter: `riskfactor`".into()),
    ] {
        let params = format!("{{\"invstring\":\"{invoice}\",{params}}}");
        assert_eq!(payer.refused("pay", &params), (-32602, said.clone()), "{params}");
        let check = params.replacen('{', "{\"command_to_check\":\"pay\",", 1);
        assert_eq!(payer.refused("check", &check), (-32602, said), "{check}");
    }
    let surplus = format!("[\"{invoice}\"{}]", ",null".repeat(15));
    let said = "too many parameters: `pay` takes 15, got 16";
    assert_eq!(payer.refused("pay", &surplus), (-32602, said.to_owned()));
    let good = format!("[\"pay\",\"{invoice}\"]");
    assert_eq!(field(&payer.call("check", &good).unwrap(), "command_to_check"), "\"pay\"");
    assert_eq!(payer.driver.engine().entities().len(), 0, "nothing was begun");
}

#[test]
fn whoever_pays_gets_the_preimage_though_it_may_read_no_secrets() {
    let mut payer = Payer::new(&nets::line());
    let params = format!("[\"{}\"]", carols(&payer));
    let reader = payer.begin_call_of(&Caller::with([Scope::Read, Scope::Flow]), "pay", &params);
    assert_eq!(payer.finish_call(&reader).unwrap_err().code, 1_502);
    let call = payer.begin_call_of(&Caller::with([Scope::Pay]), "pay", &params);
    let paid = payer.finish_call(&call).unwrap();
    assert_eq!(field(&paid, "payment_preimage").len(), 66, "in quotes");
}

#[test]
fn a_payment_whose_caller_has_left_goes_on() {
    let mut payer = Payer::new(&nets::line());
    let params = format!("[\"{}\"]", carols(&payer));
    let call = payer.begin_call("pay", &params);
    call.leave();
    payer.run_for(60_000);
    assert_eq!(call.answered(), None);
    assert_eq!(payer.submitted_in_all(), 1);
    let again = payer.call("pay", &params).unwrap();
    assert_eq!(field(&again, "replayed"), "true");
    assert_eq!(payer.submitted_in_all(), 1, "and is paid once");
}

/// Two calls at the same time; bob keeps the first one's part for a minute.
fn both(payer: &mut Payer, more: &str) -> [Result<Json, ecs_core::ErrorObject>; 2] {
    let until = payer.now.after_ms(60_000);
    payer.script(Script::KeepNext { node: payer.node("bob"), until });
    let params = format!("{{\"invstring\":\"{}\"{more}}}", carols(payer));
    let first = payer.begin_call("pay", &params);
    payer.run_for(1_000);
    let second = payer.begin_call("pay", &params);
    [first, second].map(|call: Call| payer.finish_call(&call))
}

#[test]
fn the_same_call_with_its_key_waits_for_the_same_end() {
    let mut payer = Payer::new(&nets::line());
    let [first, second] = both(&mut payer, ",\"idempotency_key\":\"order 7\"");
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(field(&first, "payment_preimage"), field(&second, "payment_preimage"));
    assert_eq!(
        (field(&first, "replayed"), field(&second, "replayed")),
        (String::new(), "true".into())
    );
    assert_eq!(payer.submitted_in_all(), 1);
    let params = "{\"invstring\":\"lnbcrt1\",\"idempotency_key\":\"order 7\"}";
    assert_eq!(payer.refused("pay", params).0, -32602, "no invoice");
    payer.assert_books_agree();
}

#[test]
fn the_same_call_without_a_key_is_told_who_pays() {
    let mut payer = Payer::new(&nets::line());
    let [first, second] = both(&mut payer, "");
    let (first, second) = (first.unwrap(), second.unwrap_err());
    assert_eq!(second.code, 200);
    assert_eq!(second.facts()["entity"].text(), field(&first, "entity"));
    payer.assert_books_agree();
}
