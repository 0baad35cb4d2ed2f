//! What `getroutes` makes of layers.

use crate::{
    calls::{field, json},
    harness::Payer,
    nets,
};
use ecs_systems::units::Msat;
use node_sim::InvoiceRequest;

/// The channels of the way that `getroutes` chooses to carol with these layers, ours left aside.
fn behind(payer: &mut Payer, layers: &str) -> Vec<String> {
    let (us, carol) = (payer.network.us(), payer.node("carol"));
    let params = format!("[\"{us}\",\"{carol}\",100000,{layers},\"5sat\",18]");
    let found = payer.call("getroutes", &params).expect(layers);
    let routes = json(&field(&found, "routes")).items().expect("an array");
    let [route] = &routes[..] else { panic!("{found}") };
    let path = json(&field(route, "path")).items().expect("an array");
    path[1..].iter().map(|hop| field(hop, "short_channel_id_dir")).collect()
}

fn ask(payer: &mut Payer, method: &str, params: &str) -> String {
    payer.call(&format!("askrene-{method}"), params).expect(params).text().to_owned()
}

#[test]
fn what_layers_say_counts_for_routes_that_name_them_and_for_no_payment() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let by_bob = behind(&mut payer, "[]");
    let (bob, dave) = (payer.node("bob"), payer.node("dave"));
    ask(&mut payer, "create-layer", "[\"off\",true]");
    ask(&mut payer, "disable-node", &format!("[\"off\",\"{bob}\"]"));
    let by_dave = behind(&mut payer, "[\"off\"]");
    assert_ne!(by_dave, by_bob);
    let bob_way = &by_bob[0];
    for (name, method, params) in [
        ("bias", "bias-channel", format!("{bob_way},-100")),
        ("node", "bias-node", format!("\"{dave}\",\"out\",100")),
        ("low", "inform-channel", format!("{bob_way},100000,\"constrained\"")),
        ("dear", "update-channel", format!("{bob_way},null,null,null,4000")),
        ("down", "update-channel", format!("{bob_way},false")),
    ] {
        ask(&mut payer, "create-layer", &format!("[\"{name}\"]"));
        ask(&mut payer, method, &format!("[\"{name}\",{params}]"));
        assert_eq!(behind(&mut payer, &format!("\"{name}\"")), by_dave, "{name}");
    }
    assert_eq!(behind(&mut payer, "[\"auto.localchans\"]"), by_bob, "nobody else's");
    let path = format!("[[{{\"short_channel_id_dir\":{bob_way},\"amount_msat\":\"1000000sat\"}}]]");
    ask(&mut payer, "reserve", &path);
    assert_eq!(behind(&mut payer, "[]"), by_dave, "what is reserved counts for all");
    ask(&mut payer, "unreserve", &path);
    assert_eq!(behind(&mut payer, "[]"), by_bob);
    ask(&mut payer, "reserve", &path);
    payer.crash();
    assert_eq!(behind(&mut payer, "[]"), by_bob, "until a restart");
    assert_eq!(behind(&mut payer, "[\"off\"]"), by_dave, "it is persistent");
    let (us, carol) = (payer.network.us(), payer.node("carol"));
    let gone = format!("[\"{us}\",\"{carol}\",100000,[\"bias\"],\"5sat\",18]");
    assert_eq!(payer.refused("getroutes", &gone), (-32602, "there is no layer `bias`".into()));
    let both = format!("[\"{us}\",\"{carol}\",100000,[\"off\"],\"2sat\",18]");
    assert_eq!(payer.call("getroutes", &both).unwrap_err().code, 206, "by dave it costs 3 sat");
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
    let paid = payer.call("pay", &format!("[\"{invoice}\"]")).expect("it is paid");
    assert_eq!(field(&paid, "fee_msat"), "1000");
}

#[test]
fn a_channel_of_ones_own_is_a_way_that_nobody_announces() {
    let mut payer = Payer::new(&nets::line());
    let (bob, carol) = (payer.node("bob"), payer.node("carol"));
    let announced = behind(&mut payer, "[]");
    ask(&mut payer, "create-layer", "[\"own\"]");
    let channel = format!("[\"own\",\"{carol}\",\"{bob}\",\"9x9x9\",\"1000sat\"]");
    ask(&mut payer, "create-channel", &channel);
    assert_eq!(behind(&mut payer, "\"own\""), announced, "nobody says on which terms");
    let way = if bob < carol { "9x9x9/0" } else { "9x9x9/1" };
    let terms = format!("[\"own\",\"{way}\",true,0,\"1000sat\",7,0,9]");
    ask(&mut payer, "update-channel", &terms);
    assert_eq!(behind(&mut payer, "\"own\""), [format!("\"{way}\"")]);
    assert_eq!(behind(&mut payer, "[]"), announced);
}
