//! Layers as callers make, change and list them.

use super::{FACTS_MAX, LAYERS_MAX, apply, forget_passing};
use crate::fixture::{HUB, PAYEE, US};
use crate::methods::tests::{answer, engine, refusal};
use ecs_core::{Engine, ErrorObject, Json};
use payecs_planner::{Exclusion, Informed, NodeBias};
use payecs_units::{ChannelDirection, Msat};

const WAY: &str = "1x2x3/0";

fn way() -> ChannelDirection {
    WAY.parse().unwrap()
}

/// An engine with a layer `mine`.
fn with_layer() -> Engine {
    let mut app = engine();
    did(&mut app, "create-layer", r#"["mine"]"#);
    app
}

fn asked(app: &mut Engine, name: &str, params: &str) -> Result<Json, ErrorObject> {
    answer(app, &format!("askrene-{name}"), params)
}

fn did(app: &mut Engine, name: &str, params: &str) -> String {
    let told =
        asked(app, name, params).unwrap_or_else(|error| panic!("{name} {params}: {error:?}"));
    told.text().to_owned()
}

fn refused(app: &mut Engine, name: &str, params: &str) -> String {
    let (code, message) = refusal(app, &format!("askrene-{name}"), params);
    assert_eq!(code, -32602, "{name} {params}");
    message
}

/// A field of the layer `mine`.
fn mine(app: &mut Engine, field: &str) -> String {
    let layers = asked(app, "listlayers", r#"["mine"]"#).unwrap().fields().unwrap();
    let layer = layers["layers"].items().unwrap().remove(0).fields().unwrap();
    layer[field].text().to_owned()
}

#[test]
fn a_layer_is_made_once_listed_and_removed() {
    let mut app = engine();
    let empty = |name: &str, persistent: bool| {
        format!(
            "{{\"layers\":[{{\"layer\":\"{name}\",\"persistent\":{persistent},\
             \"disabled_nodes\":[],\"created_channels\":[],\"channel_updates\":[],\
             \"constraints\":[],\"impressions\":[],\"biases\":[],\"node_biases\":[]}}]}}"
        )
    };
    assert_eq!(did(&mut app, "listlayers", "[]"), "{\"layers\":[]}");
    assert_eq!(did(&mut app, "create-layer", r#"["mine"]"#), empty("mine", false));
    assert_eq!(did(&mut app, "create-layer", r#"["kept",true]"#), empty("kept", true));
    assert_eq!(did(&mut app, "create-layer", r#"["kept",true]"#), empty("kept", true));
    assert_eq!(did(&mut app, "create-layer", r#"["mine",true]"#), empty("mine", false));
    let again = refused(&mut app, "create-layer", r#"["mine"]"#);
    assert_eq!(again, "there is a layer `mine` already");
    assert_eq!(did(&mut app, "listlayers", r#"["kept"]"#), empty("kept", true));
    assert_eq!(app.entities().len(), 2);
    assert_eq!(did(&mut app, "remove-layer", r#"["mine"]"#), "{}");
    assert_eq!(did(&mut app, "listlayers", "[]"), empty("kept", true));
    for (name, params) in [
        ("remove-layer", r#"["mine"]"#.to_owned()),
        ("listlayers", r#"["mine"]"#.to_owned()),
        ("age", r#"["mine",1]"#.to_owned()),
        ("bias-channel", format!(r#"["mine","{WAY}",1]"#)),
        ("disable-node", format!(r#"["mine","{HUB}"]"#)),
        ("inform-channel", format!(r#"["mine","{WAY}",1,"succeeded"]"#)),
        (
            "reserve",
            format!(r#"[{{"short_channel_id_dir":"{WAY}","amount_msat":1,"layer":"mine"}}]"#),
        ),
    ] {
        let params = if name == "reserve" { format!("[{params}]") } else { params };
        assert_eq!(refused(&mut app, name, &params), "there is no layer `mine`", "{name}");
    }
}

#[test]
fn names_that_are_no_callers_and_too_many_are_refused() {
    let mut app = engine();
    for (params, said) in [
        (r#"["auto.mine"]"#.to_owned(), "layer `auto.mine`: names that begin with `auto.`"),
        (r#"[""]"#.to_owned(), "`layer`: expected the name of a layer"),
        (format!("[\"{}\"]", "x".repeat(129)), "`layer`: expected the name of a layer"),
        (r#"["a",1]"#.to_owned(), "`persistent`: expected true or false"),
    ] {
        let message = refused(&mut app, "create-layer", &params);
        assert!(message.starts_with(said), "{params}: {message}");
    }
    for number in 0..LAYERS_MAX {
        did(&mut app, "create-layer", &format!("[\"{number}\"]"));
    }
    let message = refused(&mut app, "create-layer", r#"["more"]"#);
    assert_eq!(message, "there are 100 layers already: remove one first");
    did(&mut app, "remove-layer", r#"["7"]"#);
    did(&mut app, "create-layer", r#"["more"]"#);
}

#[test]
fn a_bias_is_set_added_to_bounded_and_forgotten_at_zero() {
    let mut app = with_layer();
    let bias = |bias: i64, more: &str| format!(r#"["mine","{WAY}",{bias}{more}]"#);
    let told = |bias: i64, word: &str| {
        format!(
            "{{\"biases\":[{{\"layer\":\"mine\",\"short_channel_id_dir\":\"{WAY}\",\
             \"bias\":{bias}{word},\"timestamp\":1700000000}}]}}"
        )
    };
    let slow = ",\"description\":\"slow\"";
    assert_eq!(did(&mut app, "bias-channel", &bias(-60, ",\"slow\"")), told(-60, slow));
    assert_eq!(did(&mut app, "bias-channel", &bias(10, ",null,true")), told(-50, ""));
    assert_eq!(did(&mut app, "bias-channel", &bias(-60, ",null,true")), told(-100, ""));
    assert_eq!(did(&mut app, "bias-channel", &bias(3, ",null,false")), told(3, ""));
    assert_eq!(did(&mut app, "bias-channel", &bias(-3, ",null,true")), "{\"biases\":[]}");
    assert_eq!(mine(&mut app, "biases"), "[]");
    for (params, said) in [
        (bias(101, ""), "`bias`: expected an integer from -100 to 100"),
        (bias(-101, ""), "`bias`: expected an integer from -100 to 100"),
        (r#"["mine","1x2x3",1]"#.to_owned(), "`short_channel_id_dir`: expected a direction"),
    ] {
        let message = refused(&mut app, "bias-channel", &params);
        assert!(message.starts_with(said), "{params}: {message}");
    }
    let node = |way: &str, bias: i64| format!(r#"["mine","{HUB}","{way}",{bias},null,true]"#);
    did(&mut app, "bias-node", &node("in", 70));
    let both = did(&mut app, "bias-node", &node("out", -5));
    assert!(both.contains("\"in_bias\":70,\"out_bias\":-5"), "{both}");
    did(&mut app, "bias-node", &node("in", 70));
    assert!(mine(&mut app, "node_biases").contains("\"in_bias\":100"));
    did(&mut app, "bias-node", &node("out", 5));
    assert_eq!(did(&mut app, "bias-node", &node("in", -100)), "{\"node_biases\":[]}");
    let message = refused(&mut app, "bias-node", &node("up", 1));
    assert_eq!(message, "`direction`: expected `in` or `out`");
}

#[test]
fn all_that_layers_say_counts_together_in_the_order_in_which_they_are_named() {
    let mut app = with_layer();
    did(&mut app, "create-layer", r#"["other"]"#);
    for (name, params) in [
        ("bias-channel", format!(r#"["mine","{WAY}",60]"#)),
        ("bias-channel", format!(r#"["other","{WAY}",-5]"#)),
        ("bias-node", format!(r#"["mine","{HUB}","in",7]"#)),
        ("disable-node", format!(r#"["mine","{HUB}"]"#)),
        ("disable-node", format!(r#"["mine","{HUB}"]"#)),
        ("create-channel", format!(r#"["mine","{PAYEE}","{US}","7x7x7",500]"#)),
        ("update-channel", format!(r#"["mine","{WAY}",null,null,null,5,6,7]"#)),
        ("update-channel", format!(r#"["mine","{WAY}",true,1]"#)),
        ("update-channel", format!(r#"["other","{WAY}",false,2]"#)),
        ("inform-channel", format!(r#"["mine","{WAY}",500,"unconstrained"]"#)),
        ("inform-channel", format!(r#"["mine","{WAY}",900,"constrained"]"#)),
        ("inform-channel", format!(r#"["other","{WAY}",30,"succeeded"]"#)),
    ] {
        did(&mut app, name, &params);
    }
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let both = apply(&app, &names(&["mine", "auto.localchans", "other"])).unwrap();
    assert_eq!(both.exclude, [Exclusion::Node(HUB), Exclusion::Channel(way())]);
    assert_eq!(both.layer.biases, [(way(), 60), (way(), -5)]);
    assert_eq!(both.layer.node_biases, [(HUB, NodeBias { into: 7, out: 0 })]);
    let informed = [Informed::AtLeast(Msat(500)), Informed::AtMost(Msat(899))];
    let informed = informed.into_iter().chain([Informed::Moved(Msat(30))]);
    assert!(both.layer.informed.iter().map(|(_, said)| *said).eq(informed));
    let [channel] = &both.layer.channels[..] else { panic!("{both:?}") };
    assert_eq!((channel.node_a, channel.node_b), (US.min(PAYEE), US.max(PAYEE)));
    let [(_, terms)] = &both.layer.terms[..] else { panic!("{both:?}") };
    assert_eq!((terms.enabled, terms.htlc_minimum_msat), (Some(false), Some(Msat(2))));
    assert_eq!(terms.fee_base_msat, Some(Msat(5)));
    let turned = apply(&app, &names(&["other", "mine"])).unwrap();
    assert_eq!(turned.exclude, [Exclusion::Node(HUB)]);
    let one = apply(&app, &names(&["other", "auto.no_mpp_support"])).unwrap();
    assert!(one.is_one_part && one.layer.node_biases.is_empty());
    for (name, said) in [
        ("auto.include_fees", "layer `auto.include_fees` is not supported"),
        ("auto.other", "there is no layer `auto.other`"),
        ("their\n", "there is no layer `their\\n`"),
    ] {
        let error = apply(&app, &names(&["mine", name])).unwrap_err();
        assert!(error.code == -32602 && error.message.starts_with(said), "{error:?}");
    }
    did(&mut app, "remove-channel-update", &format!(r#"["mine","{WAY}"]"#));
    assert_eq!(mine(&mut app, "channel_updates"), "[]");
}

#[test]
fn what_makes_no_sense_of_a_channel_is_refused_and_changes_nothing() {
    let mut app = with_layer();
    did(&mut app, "create-channel", &format!(r#"["mine","{US}","{HUB}","7x7x7",500]"#));
    let before = app.snapshot();
    for (name, params, said) in [
        ("create-channel", format!(r#"["mine","{US}","{US}","8x7x7",5]"#), "`source` and"),
        (
            "create-channel",
            format!(r#"["mine","{US}","{HUB}","7x7x7",500]"#),
            "the layer has a channel 7x7x7 already",
        ),
        (
            "update-channel",
            format!(r#"["mine","{WAY}",true,0,0,0,0,65536]"#),
            "`cltv_expiry_delta`: expected a number of blocks",
        ),
        ("inform-channel", format!(r#"["mine","{WAY}",1,"passed"]"#), "`inform`: expected"),
    ] {
        let message = refused(&mut app, name, &params);
        assert!(message.starts_with(said), "{params}: {message}");
    }
    assert_eq!(app.snapshot().entities, before.entities);
}

#[test]
fn a_layer_holds_so_many_facts() {
    let mut app = with_layer();
    let inform = format!(r#"["mine","{WAY}",1,"succeeded"]"#);
    for _ in 0..FACTS_MAX {
        did(&mut app, "inform-channel", &inform);
    }
    let message = refused(&mut app, "inform-channel", &inform);
    assert_eq!(message, "layer `mine`: it holds at most 1000 facts");
    let aged = did(&mut app, "age", r#"["mine",1700000000]"#);
    assert_eq!(aged, "{\"layer\":\"mine\",\"num_removed\":0}");
    let aged = did(&mut app, "age", r#"["mine",1700000001]"#);
    assert_eq!(aged, "{\"layer\":\"mine\",\"num_removed\":1000}");
    did(&mut app, "inform-channel", &inform);
}

#[test]
fn only_what_was_learned_or_favoured_ages() {
    let mut app = with_layer();
    for (name, params) in [
        ("bias-channel", format!(r#"["mine","{WAY}",1]"#)),
        ("bias-node", format!(r#"["mine","{HUB}","out",1]"#)),
        ("inform-channel", format!(r#"["mine","{WAY}",1,"unconstrained"]"#)),
        ("disable-node", format!(r#"["mine","{HUB}"]"#)),
        ("update-channel", format!(r#"["mine","{WAY}",false]"#)),
    ] {
        did(&mut app, name, &params);
    }
    let aged = did(&mut app, "age", r#"["mine",1800000000]"#);
    assert_eq!(aged, "{\"layer\":\"mine\",\"num_removed\":3}");
    assert_eq!(mine(&mut app, "disabled_nodes"), format!("[\"{HUB}\"]"));
    assert!(mine(&mut app, "channel_updates").contains("\"enabled\":false"));
}

#[test]
fn what_is_reserved_counts_until_it_is_taken_back_as_it_was_said() {
    let mut app = with_layer();
    let hop = |amount: u64, more: &str| {
        format!(r#"{{"short_channel_id_dir":"{WAY}","amount_msat":{amount},"delay":9{more}}}"#)
    };
    let in_mine = ",\"layer\":\"mine\"";
    let path = |hops: &[String]| format!("{{\"path\":[{}]}}", hops.join(","));
    let all = path(&[hop(5, ""), hop(7, in_mine), hop(5, "")]);
    assert_eq!(did(&mut app, "reserve", &all), "{}");
    let counts = |app: &Engine, names: &[&str]| {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let reserved = apply(app, &names).unwrap().layer.reserved;
        reserved.iter().map(|(_, msat)| msat.0).sum::<u64>()
    };
    assert_eq!((counts(&app, &[]), counts(&app, &["mine"])), (10, 17));
    did(&mut app, "inform-channel", &format!(r#"["mine","{WAY}",100,"constrained"]"#));
    assert!(mine(&mut app, "constraints").contains("\"maximum_msat\":116"));
    let message = refused(&mut app, "unreserve", &path(&[hop(5, ""), hop(6, "")]));
    assert_eq!(message, "`path`: 6msat on 1x2x3/0 is not reserved");
    assert_eq!(counts(&app, &[]), 10, "nothing of it");
    did(&mut app, "unreserve", &path(&[hop(5, "")]));
    let listed = did(&mut app, "listreservations", "[]");
    let first = "{\"short_channel_id_dir\":\"1x2x3/0\",\"amount_msat\":7,\"age_in_seconds\":0,\
                 \"layer\":\"mine\"}";
    assert!(listed.contains(first), "{listed}");
    did(&mut app, "unreserve", &path(&[hop(7, in_mine), hop(5, "")]));
    assert_eq!(did(&mut app, "listreservations", "[]"), "{\"reservations\":[]}");
    assert_eq!(app.entities().len(), 1, "only the layer");
    for (params, said) in [
        ("[[{\"amount_msat\":1}]]".to_owned(), "`path`: expected an array of objects"),
        ("[7]".to_owned(), "`path`: expected an array of objects"),
        (path(&vec![hop(1, ""); 1_001]), "`path`: at most 1000 hops are reserved at a time"),
    ] {
        let message = refused(&mut app, "reserve", &params);
        assert!(message.starts_with(said), "{message}");
    }
    let most = path(&[hop(u64::MAX, ""), hop(u64::MAX, "")]);
    did(&mut app, "reserve", &most);
    let much = format!(r#"["mine","{WAY}",1,"constrained"]"#);
    let message = refused(&mut app, "inform-channel", &much);
    assert_eq!(message, "`amount_msat`: too much with what is reserved");
}

#[test]
fn a_restart_leaves_what_is_persistent() {
    let mut app = with_layer();
    did(&mut app, "create-layer", r#"["kept",true]"#);
    did(&mut app, "bias-channel", &format!(r#"["kept","{WAY}",60]"#));
    let path = format!(r#"[[{{"short_channel_id_dir":"{WAY}","amount_msat":5}}]]"#);
    did(&mut app, "reserve", &path);
    let before = did(&mut app, "listlayers", r#"["kept"]"#);
    let snapshot = app.snapshot();
    let mut app = engine();
    app.restore(&snapshot).unwrap();
    forget_passing(&mut app);
    assert_eq!(did(&mut app, "listlayers", "[]"), before);
    assert_eq!(did(&mut app, "listreservations", "[]"), "{\"reservations\":[]}");
    assert_eq!(app.entities().len(), 1);
    forget_passing(&mut app);
    assert_eq!(did(&mut app, "listlayers", "[]"), before);
}

#[test]
fn a_call_that_is_only_checked_changes_nothing() {
    let mut app = with_layer();
    let before = app.snapshot();
    let check = |name: &str, params: &str| format!("[\"askrene-{name}\",{params}]");
    for (name, params) in [
        ("create-layer", "\"new\"".to_owned()),
        ("remove-layer", "\"mine\"".to_owned()),
        ("bias-channel", format!("\"mine\",\"{WAY}\",1")),
        ("disable-node", format!("\"mine\",\"{HUB}\"")),
    ] {
        answer(&mut app, "check", &check(name, &params)).unwrap();
    }
    assert_eq!(app.snapshot().entities, before.entities);
    assert_eq!(refusal(&mut app, "check", &check("remove-layer", "\"new\"")).0, -32602);
}
