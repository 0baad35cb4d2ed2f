//! `getroutes`, `getinfo`, `ledger-balance` and `ledger-list`.

use crate::{
    calls::{field, json},
    harness::Payer,
    invoices::hash_of,
    nets,
};
use ecs_core::Json;
use ecs_systems::{
    port::{Ledger, Posting},
    units::Msat,
};
use node_sim::InvoiceRequest;

const AMOUNT: Msat = Msat(100_000);

/// An invoice that is paid, and its preimage.
fn pay(payer: &mut Payer) -> (String, String) {
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let paid = payer.call("pay", &format!("[\"{invoice}\"]")).expect("it is paid");
    payer.run_for(1_000);
    (invoice, field(&paid, "payment_preimage"))
}

fn items(answer: &Json, name: &str) -> Vec<Json> {
    json(&field(answer, name)).items().expect("an array")
}

/// The params of `getroutes` to a node, with that in place of some.
fn to(payer: &Payer, whom: &str, amount: u64, more: &str) -> String {
    let (us, them) = (payer.network.us(), payer.node(whom));
    format!(
        "{{\"source\":\"{us}\",\"destination\":\"{them}\",\"amount_msat\":{amount},\
         \"layers\":[\"auto.localchans\",\"auto.sourcefree\"],\"maxfee_msat\":\"5sat\",\
         \"final_cltv\":18{more}}}"
    )
}

#[test]
fn routes_are_those_that_a_payment_takes_and_nothing_is_sent() {
    let mut payer = Payer::new(&nets::line());
    let params = to(&payer, "carol", AMOUNT.0, "");
    let found = payer.call("getroutes", &params).unwrap();
    let [route] = &items(&found, "routes")[..] else { panic!("{found}") };
    assert_eq!(field(route, "amount_msat"), "100000");
    assert_eq!(field(route, "final_cltv"), "18");
    assert_eq!(field(route, "probability_ppm"), field(&found, "probability_ppm"));
    let path = items(route, "path");
    let told = |name: &str| -> Vec<String> { path.iter().map(|hop| field(hop, name)).collect() };
    assert_eq!(told("amount_in_msat"), ["101001", "101001"]);
    assert_eq!(told("amount_out_msat"), ["101001", "100000"]);
    assert_eq!(told("amount_msat"), told("amount_in_msat"));
    let [us, bob, carol] =
        ["alice", "bob", "carol"].map(|name| format!("\"{}\"", payer.node(name)));
    assert_eq!(told("node_id_in"), [us, bob.clone()]);
    assert_eq!(told("node_id_out"), [bob, carol]);
    assert_eq!(told("next_node_id"), told("node_id_out"));
    assert_eq!(told("cltv_out")[1], "18");
    assert_eq!((&told("cltv_out")[0], told("cltv_in")), (&told("cltv_in")[1], told("delay")));
    assert_eq!((payer.submitted_in_all(), payer.driver.engine().entities().len()), (0, 0));
    let paid =
        payer.call("pay", &format!("[\"{}\"]", payer.invoice("carol", InvoiceRequest::of(AMOUNT))));
    assert_eq!(field(&paid.unwrap(), "fee_msat"), "1001", "as it was told");
}

#[test]
fn where_there_is_no_route_the_code_is_a_payments_and_the_data_say_what_binds() {
    let mut payer = Payer::new(&nets::line());
    for (payee, amount, more, code) in [
        ("carol", 900_000_000, "", 215),
        ("carol", 100_000, ",\"maxdelay\":18", 206),
        ("carol", 10_000_000, ",\"maxparts\":1", 0),
    ] {
        let params = to(&payer, payee, amount, more);
        let found = payer.call("getroutes", &params);
        assert_eq!(found.as_ref().err().map_or(0, |error| error.code), code, "{params}: {found:?}");
        let facts = found.err().map(|error| error.facts());
        assert!(facts.is_none_or(|facts| facts.contains_key("reason")));
    }
    let dear = to(&payer, "carol", AMOUNT.0, "").replace("5sat", "1sat");
    let error = payer.call("getroutes", &dear).unwrap_err();
    assert_eq!((error.code, error.facts()["fee_needed_msat"].text()), (206, "1001"));
}

#[test]
fn getinfo_tells_of_node_and_books() {
    let mut payer = Payer::new(&nets::line());
    pay(&mut payer);
    let info = payer.call("getinfo", "[]").unwrap();
    let height = payer.driver.engine().resource::<ecs_systems::port::NodeView>().unwrap().height;
    for (name, text) in [
        ("id", format!("\"{}\"", payer.network.us())),
        ("network", "\"regtest\"".to_owned()),
        ("blockheight", height.0.to_string()),
        ("synced", "true".to_owned()),
        ("num_active_channels", "1".to_owned()),
        ("num_inactive_channels", "0".to_owned()),
    ] {
        assert_eq!(field(&info, name), text, "{name}");
    }
    assert!(field(&info, "version").len() > 4, "{info}");
    let available = payer.books.lock().available();
    assert_eq!(field(&json(&field(&info, "balance")), "spendable_msat"), available.0.to_string());
    assert_eq!(field(&json(&field(&info, "intake")), "open"), "true");
}

#[test]
fn the_balance_is_told_in_msat_and_in_sats_rounded_down() {
    let mut payer = Payer::new(&nets::line());
    pay(&mut payer);
    let balance = payer.call("ledger-balance", "[]").unwrap();
    for (name, text) in [
        ("outgoing_total_msat", "100000"),
        ("outgoing_total_sats", "100"),
        ("fees_paid_msat", "1001"),
        ("fees_paid_sats", "1"),
        ("net_msat", "-101001"),
        ("net_sats", "-102"),
        ("pending_outgoing_msat", "0"),
        ("available_sats", "-102"),
        ("incoming_total_sats", "0"),
        ("reserved_fees_sats", "0"),
    ] {
        assert_eq!(field(&balance, name), text, "{name}");
    }
    let accounts = items(&balance, "accounts");
    assert_eq!(accounts.len(), payer.books.lock().trial_balance().len());
    let name = json(&field(&accounts[0], "account"));
    let one = payer.call("ledger-balance", &format!("[{name}]")).unwrap();
    assert_eq!(items(&one, "accounts"), [accounts[0].clone()]);
}

#[test]
fn an_account_without_postings_is_refused_and_those_there_are_named() {
    let mut payer = Payer::new(&nets::line());
    pay(&mut payer);
    let all = payer.books.lock().trial_balance();
    let close = format!("{}s", all[0].0);
    for (asked, hint) in [("nosuch", String::new()), (&close, format!("; `{}`?", all[0].0))] {
        let refused = payer.call("ledger-balance", &format!("[\"{asked}\"]")).unwrap_err();
        let said = format!("nothing was posted to an account `{asked}`{hint}");
        assert_eq!((refused.code, refused.message.as_str()), (-32_602, said.as_str()));
        let named = items(&refused.data.expect("the facts"), "accounts");
        assert_eq!(named.len(), all.len());
    }
}

#[test]
fn the_ledger_is_listed_page_by_page_with_every_posting_and_no_preimage() {
    let mut payer = Payer::new(&nets::line());
    let (invoice, preimage) = pay(&mut payer);
    let refused = payer.invoice("carol", InvoiceRequest::of(Msat(499_000_000)));
    payer.refused("pay", &format!("[\"{refused}\",null,0]"));
    let whole = payer.call("ledger-list", "[]").unwrap();
    assert!(field(&whole, "next").is_empty());
    let entries = items(&whole, "entries");
    let indexes: Vec<String> = entries.iter().map(|entry| field(entry, "index")).collect();
    let wanted: Vec<String> = (1..=entries.len()).map(|index| index.to_string()).collect();
    assert_eq!(indexes, wanted);
    let posted: Vec<Posting> = entries
        .iter()
        .flat_map(|entry| items(entry, "postings"))
        .map(|posting| posting.decode().expect("a posting"))
        .collect();
    assert_eq!(posted, payer.books.lock().postings(0, u32::MAX));
    assert!(!whole.text().contains(&preimage) && whole.text().contains("\"complete\""));
    let (mut paged, mut start) = (Vec::new(), "1".to_owned());
    while !start.is_empty() {
        let page =
            payer.call("ledger-list", &format!("{{\"start\":{start},\"limit\":2}}")).unwrap();
        assert!(items(&page, "entries").len() <= 2);
        paged.extend(items(&page, "entries"));
        start = field(&page, "next");
    }
    assert_eq!(paged, entries);
    let of_hash = payer.call("ledger-list", &format!("[\"{}\"]", hash_of(&invoice))).unwrap();
    let of_hash = items(&of_hash, "entries");
    assert!(!of_hash.is_empty() && of_hash.len() < entries.len());
    let hash = hash_of(&invoice).to_string();
    assert!(of_hash.iter().all(|entry| field(entry, "lines").contains(&hash)));
}

#[test]
fn routes_from_another_node_set_out_over_what_it_announces_and_cost_it_nothing() {
    let mut payer = Payer::new(&nets::line());
    let (us, bob) = (payer.network.us().to_string(), payer.node("bob").to_string());
    let asked = to(&payer, "carol", 1_000_000, "").replace(&us, &bob);
    let answer = payer.call("getroutes", &asked).unwrap();
    let route = &items(&answer, "routes")[0];
    let hops = items(route, "path");
    assert_eq!(hops.len(), 1, "bob and carol have a channel");
    assert_eq!(field(&hops[0], "amount_msat"), field(route, "amount_msat"), "no fee");
}

#[test]
fn params_that_do_not_fit_are_refused_and_named() {
    let mut payer = Payer::new(&nets::line());
    let good = to(&payer, "carol", 1_000, "");
    let us = payer.network.us().to_string();
    let layer = "[\"auto.localchans\",\"auto.sourcefree\"]";
    for (params, said) in [
        (good.replace("1000,", "0,"), "`amount_msat`: expected an amount above zero".to_owned()),
        (good.replace("5sat", "-5"), "`maxfee_msat`: expected an amount: integer msat".into()),
        (good.replace(&us, "02"), "`source`: expected a node id: 66 hex digits".into()),
        (good.replace(layer, "[\"xpay\"]"), "there is no layer `xpay`".into()),
        (good.replace(layer, "7"), "`layers`: expected an array of names of layers".into()),
        (good.replace(":18", ":-1"), "`final_cltv`: expected a number of blocks".into()),
        (
            to(&payer, "carol", 1, ",\"maxdelay\":2017"),
            "`maxdelay`: expected a number of blocks: an \
            integer from 1 to 2016"
                .into(),
        ),
        (
            to(&payer, "carol", 1, ",\"maxparts\":0"),
            "`maxparts`: expected an integer from 1".into(),
        ),
        (to(&payer, "carol", 1, ",\"fee\":0"), "unknown parameter: `fee`".into()),
        ("[]".into(), "missing required parameter: `source`, a node id".into()),
    ] {
        let (code, message) = payer.refused("getroutes", &params);
        assert_eq!(code, -32602, "{params}");
        assert!(message.starts_with(&*said), "{params}: {message}");
    }
    for (method, params, said) in [
        ("getinfo", "[1]", "too many parameters: `getinfo` takes 0, got 1"),
        ("ledger-balance", "[7]", "`account`: expected the name of an account"),
        ("ledger-list", "[\"00\"]", "`payment_hash`: expected 64 hex digits"),
        ("ledger-list", "[null,\"a\"]", "`start`: expected an integer"),
        ("ledger-list", "[null,1,0]", "`limit`: expected an integer from 1"),
        ("ledger-list", "{\"account\":1}", "unknown parameter: `account`"),
    ] {
        let (code, message) = payer.refused(method, params);
        assert_eq!(code, -32602, "{method} {params}");
        assert!(message.starts_with(said), "{method} {params}: {message}");
    }
}
