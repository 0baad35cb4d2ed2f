//! `paystatus`, `listpays` and `cancelpay`.

use crate::{
    calls::{field, json},
    harness::{Payer, Setup},
    invoices::hash_of,
    nets,
};
use ecs_core::{Caller, Json, Scope};
use ecs_systems::units::{Msat, Seconds};
use node_sim::{InvoiceRequest, Script};
use payflow_default::Retention;

const AMOUNT: Msat = Msat(100_000);
const MINUTE_MS: u64 = 60_000;

fn carols(payer: &Payer) -> String {
    payer.invoice("carol", InvoiceRequest::of(AMOUNT))
}

fn pays(answer: &Json) -> Vec<Json> {
    answer.fields().expect("an object")["pays"].items().expect("an array")
}

fn listed(payer: &mut Payer, params: &str) -> Vec<Json> {
    pays(&payer.call("listpays", params).expect(params))
}

fn statuses(payer: &mut Payer, params: &str) -> Vec<String> {
    listed(payer, params).iter().map(|pay| field(pay, "status").replace('"', "")).collect()
}

/// A payment that is paid, one that fails, and one whose part bob keeps.
fn three(payer: &mut Payer) -> [String; 3] {
    let paid = carols(payer);
    let params = format!("{{\"invstring\":\"{paid}\",\"label\":\"rent\"}}");
    payer.call("pay", &params).expect("it is paid");
    let failed = payer.invoice("carol", InvoiceRequest::of(Msat(499_000_000)));
    payer.refused("pay", &format!("[\"{failed}\",null,0]"));
    let until = payer.now.after_ms(10 * MINUTE_MS);
    payer.script(Script::KeepNext { node: payer.node("bob"), until });
    let pending = carols(payer);
    payer.begin_call("pay", &format!("{{\"invstring\":\"{pending}\",\"retry_for\":600}}"));
    payer.run_for(1_000);
    [paid, failed, pending]
}

#[test]
fn payments_are_listed_as_core_lightning_lists_them() {
    let mut payer = Payer::new(&nets::line());
    let [paid, failed, pending] = three(&mut payer);
    let all = listed(&mut payer, "[]");
    assert_eq!(statuses(&mut payer, "[]"), ["complete", "failed", "pending"]);
    for (pay, invoice) in all.iter().zip([&paid, &failed, &pending]) {
        assert_eq!(field(pay, "payment_hash"), format!("\"{}\"", hash_of(invoice)));
        assert_eq!(field(pay, "bolt11"), format!("\"{invoice}\""));
        assert_eq!(field(pay, "description"), "\"simulated\"");
        assert_eq!(field(pay, "destination"), format!("\"{}\"", payer.node("carol")));
        assert_eq!(field(pay, "number_of_parts"), "");
    }
    let (complete, failed, pending) = (&all[0], &all[1], &all[2]);
    let amounts = ["amount_msat", "amount_sent_msat", "fee_msat"];
    assert_eq!(amounts.map(|name| field(complete, name)), ["100000", "101001", "1001"]);
    assert_eq!(amounts.map(|name| field(failed, name)), ["499000000", "0", "0"]);
    assert_eq!(amounts.map(|name| field(pending, name)), ["100000", "101001", "1001"]);
    assert_eq!(
        (field(complete, "label"), field(complete, "preimage").len()),
        ("\"rent\"".into(), 66)
    );
    assert!(
        !field(complete, "completed_at").is_empty() && field(pending, "completed_at").is_empty()
    );
    assert!(field(failed, "error").starts_with("{\"code\":206"), "{failed}");
    assert!(field(pending, "updated_index").is_empty());
    let created = |pay: &Json| field(pay, "created_index").parse::<u64>().unwrap();
    let updated = |pay: &Json| field(pay, "updated_index").parse::<u64>().unwrap();
    assert!(created(complete) < updated(complete) && updated(complete) < created(failed));
    assert!(created(failed) < updated(failed) && updated(failed) < created(pending));
}

#[test]
fn a_list_is_narrowed_and_paged() {
    let mut payer = Payer::new(&nets::line());
    let [paid, _, pending] = three(&mut payer);
    let hash = hash_of(&paid);
    for (params, wanted) in [
        (format!("[\"{paid}\"]"), vec!["complete"]),
        (format!("{{\"payment_hash\":\"{hash}\"}}"), vec!["complete"]),
        (format!("{{\"payment_hash\":\"{hash}\",\"status\":\"failed\"}}"), vec![]),
        (format!("{{\"payment_hash\":\"{}\"}}", "00".repeat(32)), vec![]),
        (format!("{{\"bolt11\":\"LIGHTNING:{pending}\"}}"), vec!["pending"]),
        ("{\"status\":\"failed\"}".into(), vec!["failed"]),
        ("{\"status\":\"pending\"}".into(), vec!["pending"]),
        ("{\"status\":\"pending\",\"index\":\"updated\"}".into(), vec![]),
        ("{\"index\":\"created\"}".into(), vec!["complete", "failed", "pending"]),
        ("{\"index\":\"updated\"}".into(), vec!["complete", "failed"]),
        ("{\"index\":\"updated\",\"start\":1000}".into(), vec![]),
    ] {
        assert_eq!(statuses(&mut payer, &params), wanted, "{params}");
    }
    for index in ["created", "updated"] {
        let whole = listed(&mut payer, &format!("{{\"index\":\"{index}\"}}"));
        let (mut paged, mut start) = (Vec::new(), "0".to_owned());
        while !start.is_empty() {
            let params = format!("{{\"index\":\"{index}\",\"start\":{start},\"limit\":1}}");
            let page = payer.call("listpays", &params).unwrap();
            assert!(pays(&page).len() == 1, "{page}");
            paged.extend(pays(&page));
            start = field(&page, "next");
        }
        assert_eq!(paged, whole, "{index}");
    }
}

#[test]
fn each_try_to_pay_a_hash_is_listed_and_what_was_collected_is_told_by_the_books() {
    let retention = Retention { age: Seconds(0), ..Retention::default() };
    let mut payer = Payer::with(&nets::line(), Setup { retention, ..Setup::default() });
    let invoice = carols(&payer);
    payer.refused("pay", &format!("[\"{invoice}\",null,0]"));
    payer.call("pay", &format!("[\"{invoice}\"]")).unwrap();
    payer.run_for(1_000);
    assert_eq!(payer.driver.engine().entities().len(), 0);
    assert_eq!(statuses(&mut payer, "[]"), ["failed", "complete"]);
    assert_eq!(statuses(&mut payer, &format!("[\"{invoice}\"]")), ["failed", "complete"]);
    let status = payer.call("paystatus", &format!("[\"{invoice}\"]")).unwrap();
    assert_eq!(field(&status, "status"), "\"complete\"", "that one counts");
    assert_eq!(
        (field(&status, "fee_msat"), field(&status, "successful_parts")),
        ("1001".into(), "1".into())
    );
    assert!(field(&status, "phase").is_empty() && !field(&status, "ended_at").is_empty());
}

#[test]
fn when_a_payment_was_made_and_ended_is_told_alike_by_every_method() {
    let retention = Retention { age: Seconds(0), ..Retention::default() };
    for setup in [Setup::default(), Setup { retention, ..Setup::default() }] {
        let mut payer = Payer::with(&nets::line(), setup);
        let (invoice, began) = (carols(&payer), payer.now.unix_seconds().to_string());
        let paid = payer.call("pay", &format!("[\"{invoice}\"]")).unwrap();
        payer.run_for(1_000);
        let status = payer.call("paystatus", &format!("[\"{invoice}\"]")).unwrap();
        let listed = &listed(&mut payer, "[]")[0];
        for told in [&paid, &status, listed] {
            assert_eq!(field(told, "created_at"), began, "{told}");
        }
        let ended = field(&status, "ended_at");
        assert!(ended.parse::<u64>().is_ok_and(|it| it.to_string() >= began), "{ended}");
        assert_eq!(field(listed, "completed_at"), ended);
    }
}

#[test]
fn preimages_are_shown_to_those_who_may_read_secrets() {
    let mut payer = Payer::new(&nets::line());
    let invoice = carols(&payer);
    let paid = payer.call("pay", &format!("[\"{invoice}\"]")).unwrap();
    let preimage = field(&paid, "payment_preimage");
    let reader = Caller::with([Scope::Read]);
    for (method, params) in
        [("listpays", "[]".to_owned()), ("paystatus", format!("[\"{invoice}\"]"))]
    {
        for (caller, shown) in [(&Caller::owner(), true), (&reader, false)] {
            let call = payer.begin_call_of(caller, method, &params);
            let answer = payer.finish_call(&call).unwrap();
            assert_eq!(answer.text().contains(&preimage), shown, "{method}");
        }
    }
}

#[test]
fn a_payment_under_way_says_how_far_it_is_and_where_it_rests() {
    let mut payer = Payer::new(&nets::line());
    let [.., pending] = three(&mut payer);
    let hash = hash_of(&pending);
    let by_hash = format!("{{\"payment_hash\":\"{hash}\"}}");
    let status = payer.call("paystatus", &by_hash).unwrap();
    let by_entity = format!("{{\"entity\":{}}}", field(&status, "entity"));
    for params in [format!("[\"{pending}\"]"), by_entity] {
        assert_eq!(payer.call("paystatus", &params).unwrap(), status, "{params}");
    }
    for (name, text) in [
        ("status", "\"pending\""),
        ("phase", "\"sending\""),
        ("system", "\"lightningd:dispatch\""),
        ("amount_msat", "100000"),
        ("fee_msat", "1001"),
        ("amount_sent_msat", "101001"),
        ("fee_budget_msat", "5000"),
        ("attempts", "1"),
        ("successful_parts", "0"),
        ("failed_parts", "0"),
        ("elapsed_ms", "1000"),
        ("cancelled", ""),
    ] {
        assert_eq!(field(&status, name), text, "{name}");
    }
    assert!(field(&status, "parts").contains("\"fee_msat\":1001"), "{status}");
}

#[test]
fn a_draft_and_a_failed_payment_are_told_by_their_entity() {
    let mut payer = Payer::new(&nets::line());
    let any = payer.invoice("carol", InvoiceRequest::any());
    let error = payer.call("pay", &format!("[\"{any}\"]")).unwrap_err();
    let entity = error.facts()["entity"].clone();
    let status = payer.call("paystatus", &format!("{{\"entity\":{entity}}}")).unwrap();
    assert_eq!(field(&status, "status"), "\"failed\"");
    assert!(field(&status, "error").contains("msatoshi parameter required"), "{status}");
    assert_eq!(payer.refused("paystatus", &format!("[\"{any}\"]")).0, 208, "it claimed nothing");
}

#[test]
fn a_cancel_answers_what_can_still_settle_and_the_payment_ends_with_210() {
    let mut payer = Payer::new(&nets::line());
    let until = payer.now.after_ms(2 * MINUTE_MS);
    payer.script(Script::KeepNext { node: payer.node("bob"), until });
    payer.script(Script::FailNext {
        node: payer.node("bob"),
        failcode: ecs_systems::port::FailureCode::TemporaryNodeFailure,
    });
    let invoice = carols(&payer);
    let call =
        payer.begin_call("pay", &format!("{{\"invstring\":\"{invoice}\",\"retry_for\":600}}"));
    payer.run_for(1_000);
    let by_hash = format!("[\"{}\"]", hash_of(&invoice));
    let cancelled = payer.call("cancelpay", &by_hash).unwrap();
    let exposure = json(&field(&cancelled, "exposure"));
    assert_eq!(
        (field(&exposure, "htlcs"), field(&exposure, "amount_msat")),
        ("1".into(), "100000".into())
    );
    assert_eq!(field(&cancelled, "status"), "\"sending\"");
    assert_eq!(payer.call("cancelpay", &by_hash).unwrap(), cancelled, "once");
    let status = payer.call("paystatus", &format!("[\"{invoice}\"]")).unwrap();
    assert_eq!(field(&status, "cancelled"), "true");
    assert_eq!(field(&status, "exposure"), exposure.text());
    let ended = payer.finish_call(&call);
    match ended {
        Err(error) => assert_eq!((error.code, error.facts()["final"].text()), (210, "true")),
        Ok(paid) => panic!("{paid}"),
    }
    assert_eq!(payer.submitted_in_all(), 1, "no second try");
}

#[test]
fn what_is_over_or_unknown_is_not_cancelled() {
    let mut payer = Payer::new(&nets::line());
    let invoice = carols(&payer);
    let unknown = (208, "No such payment is under way".to_owned());
    let by_hash = format!("[\"{}\"]", hash_of(&invoice));
    assert_eq!(payer.refused("cancelpay", &by_hash), unknown);
    assert_eq!(payer.refused("cancelpay", "{\"entity\":7}").0, 2204);
    let paid = payer.call("pay", &format!("[\"{invoice}\"]")).unwrap();
    assert_eq!(payer.refused("cancelpay", &by_hash), unknown, "it does not run");
    let by_entity = format!("{{\"entity\":{}}}", field(&paid, "entity"));
    let error = payer.call("cancelpay", &by_entity).unwrap_err();
    assert_eq!((error.code, error.facts()["status"].text()), (211, "\"complete\""));
    let reader = Caller::with([Scope::Read]);
    let call = payer.begin_call_of(&reader, "cancelpay", &by_hash);
    assert_eq!(payer.finish_call(&call).unwrap_err().code, 1_502);
}

#[test]
fn params_that_do_not_fit_are_refused_and_named() {
    let mut payer = Payer::new(&nets::line());
    let invoice = carols(&payer);
    let (hash, one) = (hash_of(&invoice), "give exactly one of");
    let both = format!("{{\"bolt11\":\"{invoice}\",\"payment_hash\":\"{hash}\"}}");
    for (method, params, said) in [
        ("paystatus", "[]", format!("{one} `bolt11`, `payment_hash` and `entity`")),
        ("paystatus", &both, format!("{one} `bolt11`, `payment_hash` and `entity`")),
        ("paystatus", "[\"x\"]", "Not a BOLT 11 invoice (`lnbc…`): no other kind".into()),
        ("cancelpay", "[]", format!("{one} `payment_hash` and `entity`")),
        ("cancelpay", "[\"00\"]", "`payment_hash`: expected 64 hex digits".into()),
        ("cancelpay", "[null, 0]", "`entity`: expected an entity id".into()),
        ("listpays", &both, "Can only specify one of {bolt11} or {payment_hash}".into()),
        (
            "listpays",
            "{\"status\":\"paid\"}",
            "`status`: expected `pending`, `complete` or `failed`".into(),
        ),
        ("listpays", "{\"index\":\"ended\"}", "`index`: expected `created` or `updated`".into()),
        ("listpays", "{\"start\":1}", "`start` needs `index`".into()),
        ("listpays", "{\"limit\":1}", "`limit` needs `index`".into()),
        ("listpays", "{\"index\":\"created\",\"start\":-1}", "`start`: expected an integer".into()),
        (
            "listpays",
            "{\"index\":\"created\",\"limit\":0}",
            "`limit`: expected an integer from 1".into(),
        ),
        ("listpays", "[1,2,3,4,5,6,7]", "too many parameters: `listpays` takes 6, got 7".into()),
        ("listpays", "{\"hash\":1}", "unknown parameter: `hash`".into()),
    ] {
        let (code, message) = payer.refused(method, params);
        assert_eq!(code, -32602, "{method} {params}");
        assert!(message.starts_with(&*said), "{method} {params}: {message}");
    }
}
