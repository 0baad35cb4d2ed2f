use super::*;
use crate::{Caller, ErrorObject, Inputs, Json, QUOTA_REACHED, Scope, Write};
use proptest::prelude::*;

fn id(number: u32) -> EntityId {
    EntityId::new(number).unwrap()
}

fn app(quotas: &[(Quota, u64)]) -> Engine {
    let mut app = Engine::new();
    let set = |all: Quotas, (quota, max): &(Quota, u64)| all.with(*quota, *max).unwrap();
    app.set_quotas(quotas.iter().fold(Quotas::default(), set));
    app.add_free_prefix("lightningd:invoice:");
    app
}

fn token(name: &str) -> Caller {
    Caller { token: Some(name.into()), ..Caller::with([Scope::Read, Scope::Flow]) }
}

fn call(app: &mut Engine, caller: &Caller, name: &str, params: &str) -> Result<(), ErrorObject> {
    let params = Json::parse(params).unwrap();
    app.call(caller, Inputs::default(), name, Some(&params)).map(drop)
}

fn set(app: &mut Engine, caller: &Caller, writes: &str) -> Result<(), ErrorObject> {
    call(app, caller, "payecs_setcomponents", &format!("[{writes}]"))
}

/// What is counted, told from what there is.
fn recounted(app: &Engine) -> (u64, BTreeMap<String, (u64, u64)>) {
    let (mut bytes, mut by_token) = (0, BTreeMap::new());
    for id in app.entities() {
        let life = app.life_of(id).unwrap();
        let texts = life.texts.iter().map(|(_, json)| json.text().len());
        let list = app.get::<Systems>(id).map(Systems::weight);
        let foreign = life.foreign.values.values().map(|json| json.text().len());
        let own = texts.chain(list).chain(foreign).sum::<usize>() as u64;
        assert_eq!((life.bytes, life.attached as usize), (own, app.components(id).len()), "{id}");
        bytes += own;
        if let Some(maker) = &life.maker {
            let share: &mut (u64, u64) = by_token.entry(maker.to_string()).or_default();
            *share = (share.0 + 1, share.1 + own);
        }
    }
    (bytes, by_token)
}

fn counted(app: &Engine) -> (u64, BTreeMap<String, (u64, u64)>) {
    let tokens = ["shop", "erp"].map(|name| (name.to_owned(), app.held.of(name)));
    let tokens = tokens.into_iter().filter(|(_, share)| *share != (0, 0));
    (app.bytes_held(), tokens.collect())
}

#[test]
fn what_is_one_too_many_is_refused_with_its_name_and_nothing_is_written() {
    let list = r#""lightningd:systems":{"systems":["acme:a"]}"#;
    let too_long = format!(r#"{{"entity":2,"acme:a":"{}"}}"#, "x".repeat(40));
    let rows: &[(Quota, u64, &str, &str)] = &[
        (Quota::Entities, 1, r#"{"entity":1,"acme:a":1}"#, r#"{"entity":2,"acme:a":1}"#),
        (
            Quota::Components,
            2,
            r#"{"entity":1,"acme:a":1}"#,
            r#"{"entity":1,"acme:b":1,"acme:c":1}"#,
        ),
        (Quota::ComponentBytes, 20, r#"{"entity":1,"acme:a":1}"#, &too_long),
        (Quota::EntityBytes, 6, r#"{"entity":1,"acme:a":123}"#, r#"{"entity":1,"acme:b":1234}"#),
        (Quota::Bytes, 6, r#"{"entity":1,"acme:a":123}"#, r#"{"entity":2,"acme:b":1234}"#),
        (Quota::Names, 1, r#"{"entity":1,"acme:a":1}"#, r#"{"entity":1,"acme:b":1}"#),
        (Quota::Entities, 1, &format!(r#"{{"entity":1,{list}}}"#), r#"{"entity":2,"acme:a":1}"#),
    ];
    for (quota, max, first, second) in rows {
        let mut app = app(&[(*quota, *max)]);
        set(&mut app, &Caller::owner(), first).unwrap();
        let before = app.snapshot();
        let refused = set(&mut app, &Caller::owner(), second).unwrap_err();
        assert_eq!(refused.code, QUOTA_REACHED, "{second}");
        let name = quota.name();
        let data = format!(r#"{{"max":{max},"quota":"{name}"}}"#);
        assert_eq!(refused.data, Some(Json::parse(&data).unwrap()), "{second}");
        assert!(refused.message.contains(&format!("`{name}` is reached: {max} ")), "{refused:?}");
        assert_eq!(app.snapshot(), before, "{second}");
        set(&mut app, &Caller::owner(), first).expect("it uses up no more than before");
        let writes = [Write::to(id(2)).attach_json("acme:engine", Json::of(&"x".repeat(50)))];
        let flow = app.set_components(&Writer::Engine, &writes, &[]);
        assert_eq!(flow, Ok(()), "{name}: the flow itself is never refused");
    }
}

#[test]
fn who_is_above_a_quota_may_use_less_and_not_more() {
    let mut app = app(&[]);
    let all = r#"{"entity":1,"acme:a":"12345678","acme:b":2,"acme:c":3}"#;
    set(&mut app, &Caller::owner(), all).unwrap();
    let quotas = [(Quota::Components, 1), (Quota::EntityBytes, 5), (Quota::Bytes, 5)];
    app.set_quotas(
        quotas.iter().fold(Quotas::default(), |all, (quota, max)| all.with(*quota, *max).unwrap()),
    );
    let owner = Caller::owner();
    set(&mut app, &owner, r#"{"entity":1,"acme:c":null}"#).unwrap();
    set(&mut app, &owner, r#"{"entity":1,"acme:a":"1234567","acme:b":2}"#).unwrap();
    let more = set(&mut app, &owner, r#"{"entity":1,"acme:a":"12345678"}"#);
    assert_eq!(more.unwrap_err().code, QUOTA_REACHED);
    set(&mut app, &owner, r#"{"entity":1,"exact":true,"acme:b":2}"#).unwrap();
    assert_eq!(app.bytes_held(), 1);
}

#[test]
fn systems_are_counted_while_they_are_registered() {
    let mut app = app(&[(Quota::Systems, 2), (Quota::Names, 2), (Quota::TokenSystems, 1)]);
    let owner = Caller::owner();
    let new = |app: &mut Engine, caller: &Caller, params: &str| {
        call(app, caller, "payecs_newsystem", params).map_err(|error| error.data.unwrap())
    };
    new(&mut app, &token("shop"), r#"["shop:a", "shop:x"]"#).unwrap();
    let data = |text: &str| Err(Json::parse(text).unwrap());
    let more = new(&mut app, &token("shop"), r#"["shop:b", "shop:x"]"#);
    assert_eq!(more, data(r#"{"max":1,"quota":"token-systems"}"#));
    let names = new(&mut app, &owner, r#"["acme:b", ["acme:y", "acme:z"]]"#);
    assert_eq!(names, data(r#"{"max":2,"quota":"names"}"#));
    new(&mut app, &owner, r#"["acme:b", "acme:y"]"#).unwrap();
    new(&mut app, &owner, r#"["acme:b", "acme:y"]"#).expect("it is there already");
    let systems = new(&mut app, &owner, r#"["acme:c", "acme:y"]"#);
    assert_eq!(systems, data(r#"{"max":2,"quota":"systems"}"#));
    call(&mut app, &owner, "payecs_removesystem", r#"["acme:b"]"#).unwrap();
    new(&mut app, &owner, r#"["acme:c", "acme:y"]"#).unwrap();
    let kept = app.snapshot();
    app.set_quotas(Quotas::default().with(Quota::Systems, 0).unwrap());
    app.restore(&kept).expect("what there was may be there again");
}

#[test]
fn a_token_that_floods_stops_itself_and_nobody_else() {
    let mut app = app(&[(Quota::TokenEntities, 2), (Quota::TokenBytes, 10)]);
    let write = |number: u32, bytes: usize| {
        format!(r#"{{"entity":{number},"acme:a":"{}"}}"#, "x".repeat(bytes - 2))
    };
    let (shop, erp) = (token("shop"), token("erp"));
    let code = |result: Result<(), ErrorObject>| result.map_err(|error| error.code);
    set(&mut app, &shop, &write(1, 4)).unwrap();
    assert_eq!(code(set(&mut app, &shop, &write(2, 7))), Err(QUOTA_REACHED));
    set(&mut app, &shop, &write(2, 4)).unwrap();
    assert_eq!(code(set(&mut app, &shop, &write(3, 2))), Err(QUOTA_REACHED));
    assert_eq!(code(set(&mut app, &erp, &write(1, 9))), Err(QUOTA_REACHED), "it is the shop's");
    set(&mut app, &erp, &write(3, 4)).expect("another token has its own");
    set(&mut app, &Caller::owner(), &write(2, 100)).expect("the owner is no token");
    let mut other = app_of(&app);
    assert_eq!(counted(&other), counted(&app));
    for app in [&mut app, &mut other] {
        assert_eq!(code(set(app, &shop, &write(4, 2))), Err(QUOTA_REACHED), "also then");
        call(app, &shop, "payecs_delentity", "[2]").unwrap();
        set(app, &shop, &write(4, 2)).unwrap();
        assert_eq!(counted(app), recounted(app));
    }
}

/// An engine that was brought to the same state.
fn app_of(app: &Engine) -> Engine {
    let mut other = Engine::new();
    other.set_quotas(app.quotas().clone());
    other.add_free_prefix("lightningd:invoice:");
    other.restore(&app.snapshot()).unwrap();
    other
}

/// Something that is done to an engine.
#[derive(Clone, Debug)]
enum Act {
    Write { by: u8, entity: u32, exact: bool, values: Vec<(u8, Option<u8>)> },
    Advance(u32),
    Delete(u32),
}

fn acts() -> impl Strategy<Value = Act> {
    let values = prop::collection::vec((0_u8..5, prop::option::of(0_u8..30)), 0..5);
    prop_oneof![
        6 => (0_u8..4, 1_u32..5, any::<bool>(), values)
            .prop_map(|(by, entity, exact, values)| Act::Write { by, entity, exact, values }),
        1 => (1_u32..5).prop_map(Act::Advance),
        1 => (1_u32..5).prop_map(Act::Delete),
    ]
}

fn value(name: u8, length: u8) -> (&'static str, String) {
    let text = "x".repeat(length.into());
    match name {
        0 => ("lightningd:systems", format!(r#"{{"systems":["acme:b"],"note":"{text}"}}"#)),
        1 => ("lightningd:error", format!(r#"{{"code":1,"message":"{text}"}}"#)),
        2 => ("lightningd:invoice:a", format!("\"{text}\"")),
        3 => ("acme:b", format!("\"{text}\"")),
        _ => ("acme:c", format!("[\"{text}\"]")),
    }
}

fn done(app: &mut Engine, act: &Act) {
    let callers = [Caller::owner(), token("shop"), token("erp")];
    // What is refused changes nothing, which is what is looked at.
    let _refused = match act {
        Act::Write { by, entity, exact, values } => {
            let fields = values.iter().map(|(name, length)| {
                let (name, text) = value(*name, length.unwrap_or_default());
                (name, length.map_or_else(Json::null, |_| Json::parse(&text).unwrap()))
            });
            let write = Write { exact: *exact, ..Write::to(id(*entity)) };
            let write = fields.fold(write, |write, (name, json)| write.attach_json(name, json));
            match callers.get(usize::from(*by)) {
                Some(caller) => {
                    app.calling.clone_from(&caller.token);
                    let written = app.set_components(&Writer::Caller, &[write], &[]);
                    app.calling = None;
                    written.map_err(ErrorObject::from)
                }
                None => app.set_components(&Writer::Engine, &[write], &[]).map_err(Into::into),
            }
        }
        Act::Advance(entity) => call(app, &callers[1], "payecs_advance", &format!("[{entity}]")),
        Act::Delete(entity) => call(app, &callers[0], "payecs_delentity", &format!("[{entity}]")),
    };
}

proptest! {
    #[test]
    fn what_is_counted_is_what_there_is(all in prop::collection::vec(acts(), 0..40)) {
        let mut app = app(&[(Quota::EntityBytes, 90), (Quota::TokenEntities, 2)]);
        app.record_changes(true);
        let mut follower = app_of(&app);
        for act in &all {
            let before = recounted(&app);
            done(&mut app, act);
            let now = recounted(&app);
            prop_assert_eq!(counted(&app), now.clone());
            let by_engine = matches!(act, Act::Write { by: 3, .. });
            let shop = |all: &(u64, BTreeMap<String, (u64, u64)>)| {
                all.1.get("shop").map_or(0, |share| share.0)
            };
            prop_assert!(by_engine || shop(&now) <= shop(&before).max(2));
            if let Some(delta) = app.take_delta() {
                follower.apply_delta(&delta).unwrap();
            }
            prop_assert_eq!(recounted(&follower).1, now.1);
            prop_assert_eq!(counted(&follower), recounted(&follower));
        }
        prop_assert_eq!(counted(&app_of(&app)), recounted(&app_of(&app)));
    }
}
