//! Knowledge as callers look at it and tell it.

use crate::{
    fixture::{HUB, PAYEE, US, graph},
    lessons,
    methods::tests::{answer, engine, refusal},
    policy::GraphView,
    port::{KnowledgeDesk, Lesson, PlanJob, Planner},
};
use ecs_core::{Change, Engine, Json, Reply};
use payecs_planner::{Graph, GraphDelta, Knowledge, LiquidityReport, PlanRequest};
use payecs_units::{Msat, Timestamp};
use std::sync::Arc;

const NOW_S: u64 = 1_700_000_000;
const WAY: &str = "0x0x20/0";

fn app() -> Engine {
    let mut app = engine();
    app.insert_resource(GraphView(Arc::new(graph())));
    app
}

/// Imports what may be imported; what is left for the planner.
fn told(app: &mut Engine, params: &str) -> (String, Vec<Lesson>) {
    let told = answer(app, "payecs_importknowledge", params).unwrap();
    let mut desk = app.resource_mut::<KnowledgeDesk>().unwrap();
    (told.text().to_owned(), desk.take_told())
}

fn report(way: &str, lo: Option<u64>, hi: Option<u64>, at: u64) -> LiquidityReport {
    LiquidityReport {
        short_channel_id_dir: way.parse().unwrap(),
        minimum_msat: lo.map(Msat),
        maximum_msat: hi.map(Msat),
        at: Timestamp(at * 1_000),
    }
}

/// A planner that knows something, and no more.
struct Knowing(Option<Arc<Knowledge>>);

impl Planner for Knowing {
    fn prepare(&self, _: PlanRequest) -> PlanJob {
        unreachable!("nobody asks for a plan")
    }

    fn learn(&mut self, _: &Lesson, _: Timestamp) {}

    fn knowledge(&self) -> Option<Arc<Knowledge>> {
        self.0.clone()
    }

    fn patch(&mut self, _: &[GraphDelta]) {}

    fn graph(&self) -> Arc<Graph> {
        Arc::default()
    }

    fn knowledge_version(&self) -> u64 {
        0
    }
}

/// What is listed of what a planner knows.
fn listed(app: &mut Engine, params: &str, planner: &dyn Planner) -> Result<String, i32> {
    let asked = crate::methods::tests::call(app, "payecs_listknowledge", params);
    let Ok(Reply::Later(mut later)) = asked else { panic!("{params}: {asked:?}") };
    assert!((later.look)(app).is_none(), "before the planner has answered");
    app.resource_mut::<KnowledgeDesk>().unwrap().answer(planner);
    let told = match (later.look)(app).expect("the planner has answered") {
        Ok(Reply::Elsewhere(work)) => work(),
        Ok(other) => panic!("{params}: {other:?}"),
        Err(error) => Err(error),
    };
    told.map(|json| json.text().to_owned()).map_err(|error| error.code)
}

#[test]
fn reports_are_taken_as_of_their_time_their_age_or_now() {
    let mut app = app();
    let rows = format!(
        r#"[[{{"short_channel_id_dir":"{WAY}","minimum_msat":"1sat","time":1699999999}},
            {{"short_channel_id_dir":"{WAY}","maximum_msat":1000000000,"age_seconds":7}},
            {{"short_channel_id_dir":"0x0x20/1","minimum_msat":5,"maximum_msat":5,"time":null}},
            {{"short_channel_id_dir":"{WAY}","minimum_msat":0,"time":1700000060}}]]"#
    );
    let expected = vec![
        report(WAY, Some(1_000), None, NOW_S - 1),
        report(WAY, None, Some(1_000_000_000), NOW_S - 7),
        report("0x0x20/1", Some(5), Some(5), NOW_S),
        report(WAY, Some(0), None, NOW_S),
    ];
    let (said, lessons) = told(&mut app, &rows);
    assert_eq!(said, r#"{"imported":4,"skipped":0}"#);
    assert_eq!(lessons, [Lesson::Told(expected)]);
    assert_eq!(told(&mut app, "[[]]"), (r#"{"imported":0,"skipped":0}"#.to_owned(), Vec::new()));
}

#[test]
fn one_bad_report_among_good_ones_is_named_and_nothing_is_taken() {
    let mut app = app();
    app.record_changes(true);
    let way = format!("\"short_channel_id_dir\":\"{WAY}\"");
    let long = "x".repeat(100_000);
    for (row, code, said) in [
        (r#"{"short_channel_id_dir":"1x2x3/0","minimum_msat":1}"#.into(), 2332, "no channel 1x2x3"),
        (format!("{{{way},\"minimum_msat\":6,\"maximum_msat\":5}}"), 2333, "above its maximum"),
        (format!("{{{way},\"maximum_msat\":1000000001}}"), 2333, "a capacity of 1000000000msat"),
        (format!("{{{way},\"minimum_msat\":1000000001}}"), 2333, "a capacity of"),
        (format!("{{{way},\"minimum_msat\":1,\"time\":1700000061}}"), 2333, "61 seconds ahead"),
        (format!("{{{way},\"minimum_msat\":1,\"time\":18446744073709551615}}"), 2333, "ahead"),
        (format!("{{{way}}}"), -32602, "it has neither `minimum_msat` nor `maximum_msat`"),
        (format!("{{{way},\"minimum_msat\":-1}}"), -32602, "`minimum_msat`: expected an amount"),
        (format!("{{{way},\"minimum_msat\":1,\"time\":1.5}}"), -32602, "`time`: expected seconds"),
        (format!("{{{way},\"minimum_msat\":1,\"time\":1,\"age_seconds\":1}}"), -32602, "both"),
        (format!("{{{way},\"min_msat\":1}}"), -32602, "a report has no `min_msat`"),
        (format!("{{{way},\"{long}\":1}}"), -32602, "a report has no `xxxxxxxxxxxxxxxxxxxxxx"),
        (r#"{"minimum_msat":1}"#.into(), -32602, "`short_channel_id_dir` is missing"),
        (r#"{"short_channel_id_dir":"0x0x20","minimum_msat":1}"#.into(), -32602, "BxTxO/D"),
        (r#"{"short_channel_id_dir":"0x0x20/2","minimum_msat":1}"#.into(), -32602, "BxTxO/D"),
    ] {
        let rows = format!("[[{{{way},\"minimum_msat\":7}},{row}]]");
        let (refused, message) = refusal(&mut app, "payecs_importknowledge", &rows);
        assert_eq!(refused, code, "{row}: {message}");
        assert!(message.starts_with("`reports[1]`: ") && message.contains(said), "{message}");
        assert!(message.len() < 300, "{} bytes", message.len());
        let mut desk = app.resource_mut::<KnowledgeDesk>().unwrap();
        assert_eq!(desk.take_told(), [], "{row}");
        assert_eq!(app.take_delta(), None, "{row}");
    }
    let twice = format!("[[{{{way},\"minimum_msat\":1,\"minimum_msat\":2}}]]");
    let (code, message) = refusal(&mut app, "payecs_importknowledge", &twice);
    assert_eq!((code, &*message), (-32602, "`reports`: `minimum_msat` is given twice"));
}

#[test]
fn a_refusal_says_in_its_data_which_report_and_why() {
    let mut app = app();
    let row = format!(r#"[{{"short_channel_id_dir":"{WAY}","minimum_msat":6,"maximum_msat":5}}]"#);
    let error = answer(&mut app, "payecs_importknowledge", &format!("[{row}]")).unwrap_err();
    let data = error.data.unwrap();
    let expected = r#"{"index":0,"short_channel_id_dir":"0x0x20/0","why":"minimum_above_maximum",
        "minimum_msat":6,"maximum_msat":5,"capacity_msat":1000000000}"#;
    assert_eq!(data.canonical(), Json::parse(expected).unwrap().canonical());
}

#[test]
fn what_is_told_is_in_the_record_of_the_call_and_is_read_from_it() {
    let mut app = app();
    app.record_changes(true);
    let rows = format!(r#"[[{{"short_channel_id_dir":"{WAY}","maximum_msat":1}}]]"#);
    let (_, lessons) = told(&mut app, &rows);
    let delta = app.take_delta().expect("a record of its own");
    let [Change::Beside(topic, what)] = &delta.changes[..] else { panic!("{delta:?}") };
    assert_eq!(lessons::told(topic, what).into_iter().collect::<Vec<_>>(), lessons);
    assert_eq!(lessons::told("acme:told", what), None);
    assert_eq!(lessons::told(topic, &Json::of("x")), None);
}

#[test]
fn reports_of_unknown_channels_are_skipped_where_that_is_wanted() {
    let mut app = app();
    let rows = format!(
        r#"[[{{"short_channel_id_dir":"1x2x3/0","maximum_msat":1}},
            {{"short_channel_id_dir":"{WAY}","maximum_msat":1}}],true]"#
    );
    let (said, lessons) = told(&mut app, &rows);
    assert_eq!(said, r#"{"imported":1,"skipped":1}"#);
    assert_eq!(lessons, [Lesson::Told(vec![report(WAY, None, Some(1), NOW_S)])]);
}

#[test]
fn too_many_reports_at_once_are_refused_as_a_whole() {
    let mut app = app();
    let row = format!(r#"{{"short_channel_id_dir":"{WAY}","minimum_msat":1}}"#);
    let rows = |count: usize| format!("[[{}]]", vec![row.as_str(); count].join(","));
    let (code, message) = refusal(&mut app, "payecs_importknowledge", &rows(1_001));
    assert_eq!(code, -32602);
    assert!(message.starts_with("`reports`: expected an array of at most 1000"), "{message}");
    assert_eq!(told(&mut app, &rows(1_000)).0, r#"{"imported":1000,"skipped":0}"#);
}

#[test]
fn knowledge_is_listed_by_direction_by_node_and_page_by_page() {
    let mut app = app();
    let mut knowledge = Knowledge::default();
    let other = "7x7x7/1";
    let reports = [
        report(WAY, Some(100), Some(900), NOW_S - 3_600),
        report(WAY, Some(400), None, NOW_S),
        report(other, None, Some(3), NOW_S),
    ];
    knowledge.told(&reports, Timestamp(NOW_S * 1_000));
    let planner = Knowing(Some(Arc::new(knowledge)));
    let way = format!(
        "{{\"short_channel_id_dir\":\"{WAY}\",\"source\":\"{HUB}\",\"destination\":\"{PAYEE}\",\
         \"capacity_msat\":1000000000,\"minimum_msat\":400,\"maximum_msat\":500000450,\
         \"reports\":[{{\"minimum_msat\":400,\"time\":1700000000}},\
         {{\"maximum_msat\":900,\"time\":1699996400}}]}}"
    );
    let unknown = "{\"short_channel_id_dir\":\"7x7x7/1\",\
                   \"reports\":[{\"maximum_msat\":3,\"time\":1700000000}]}";
    let list = |elements: &str| format!("{{\"knowledge\":[{elements}]}}");
    for (params, expected) in [
        ("[]".to_owned(), list(&format!("{way},{unknown}"))),
        (format!("[\"{WAY}\"]"), list(&way)),
        ("[\"0x0x20/1\"]".to_owned(), list("")),
        (format!("[null,\"{PAYEE}\"]"), list(&way)),
        (format!("[null,\"{US}\"]"), list("")),
        ("[null,null,null,1]".to_owned(), format!("{{\"knowledge\":[{way}],\"next\":\"{WAY}\"}}")),
        (format!("[null,null,\"{WAY}\",1]"), list(unknown)),
        (format!("[null,null,\"{other}\"]"), list("")),
    ] {
        assert_eq!(listed(&mut app, &params, &planner), Ok(expected), "{params}");
    }
    assert_eq!(listed(&mut app, "[]", &Knowing(None)), Err(209));
}

#[test]
fn what_is_listed_can_be_imported_and_comes_to_the_same() {
    let mut app = app();
    let mut knowledge = Knowledge::default();
    let now = Timestamp(NOW_S * 1_000);
    knowledge.told(&[report(WAY, Some(5), Some(900), NOW_S - 60)], now);
    let planner = Knowing(Some(Arc::new(knowledge.clone())));
    let list = Json::parse(&listed(&mut app, "[]", &planner).unwrap()).unwrap();
    let element = list.fields().unwrap()["knowledge"].items().unwrap().remove(0);
    let mut row =
        element.fields().unwrap()["reports"].items().unwrap().remove(0).entries().unwrap();
    row.push(("short_channel_id_dir".to_owned(), Json::of(WAY)));
    let rows = Json::array([Json::array([Json::object(row)])]);
    let (_, lessons) = told(&mut app, rows.text());
    let mut other = Knowledge::default();
    for lesson in lessons {
        let Lesson::Told(reports) = lesson else { panic!("{lesson:?}") };
        other.told(&reports, now);
    }
    assert_eq!(other, knowledge);
}

#[test]
fn before_there_is_a_graph_nothing_is_listed_or_imported() {
    let mut app = engine();
    for (method, params) in [("payecs_listknowledge", "[]"), ("payecs_importknowledge", "[[]]")] {
        let (code, message) = refusal(&mut app, method, params);
        assert_eq!((code, &*message), (209, "There is no graph yet: try again later"), "{method}");
    }
}
