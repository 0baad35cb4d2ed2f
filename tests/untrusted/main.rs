//! What strangers may send, with random input: the properties are `payecs_tests::untrusted`.

use ecs_core::{Json, Kind, Method, Scope};
use payecs_tests::untrusted::{calls, fresh, invoice, messages, piped, planned};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};

/// Values that are right for some parameter, and values that are right for none.
const VALUES: &str = include_str!("values.txt");

/// How a value is chosen: which one, and whether it must be of the parameter's kind.
type Choice = (prop::sample::Index, bool);

/// The values among which a parameter's is chosen.
fn chosen(kind: Option<&Kind>, (index, fits): Choice) -> &'static str {
    let taken = |text: &&str| {
        let value = Json::parse(text).ok();
        value.is_some_and(|value| kind.is_none_or(|kind| (kind.fits)(&value)))
    };
    let all: Vec<&str> = VALUES.lines().filter(|text| !fits || taken(text)).collect();
    if all.is_empty() { "null" } else { all[index.index(all.len())] }
}

/// Most params of a call.
const COUNT_MAX: usize = 16;

/// A call of one of these methods, by position or by the names that its method has. Most of its
/// values are of the kind that is wanted.
fn line(methods: &[&'static Method]) -> impl Strategy<Value = String> + use<> {
    let choice = (any::<prop::sample::Index>(), prop::bool::weighted(0.9));
    let extra = prop_oneof![6 => Just(0_usize), 2 => 1..4_usize, 1 => 4..9_usize];
    let all = (select(methods.to_vec()), vec(choice, COUNT_MAX), extra, any::<bool>());
    all.prop_map(|(method, choices, extra, by_name)| {
        let params = method.params;
        let required = params.iter().filter(|param| param.required).count();
        let count = (required + extra).min(COUNT_MAX);
        let value = |at: usize| chosen(params.get(at).map(|param| &param.kind), choices[at]);
        if !by_name || params.is_empty() {
            let values: Vec<&str> = (0..count).map(value).collect();
            return format!("{} [{}]", method.name, values.join(","));
        }
        let named = (0..count.min(params.len()))
            .map(|at| format!("{}:{}", Json::of(params[at].name), value(at)));
        format!("{} {{{}}}", method.name, named.collect::<Vec<_>>().join(","))
    })
}

/// Every method.
fn any_line() -> impl Strategy<Value = String> {
    line(&fresh().methods().collect::<Vec<_>>())
}

/// Methods that change something.
fn acting() -> impl Strategy<Value = String> {
    line(&fresh().methods().filter(|method| method.scope != Scope::Read).collect::<Vec<_>>())
}

/// A call as a request.
fn request(line: &str) -> Vec<u8> {
    let (method, params) = line.split_once(' ').expect("it has a blank");
    let request = r#"{"jsonrpc":"2.0","id":1,"method":""#;
    format!(r#"{request}{method}","params":{params}}}"#).into_bytes()
}

/// What requests are made of.
const PIECES: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ",",
    "\"",
    "\\",
    " ",
    "\n\n",
    "{}",
    "null",
    "\"id\":null,",
    r#"{"jsonrpc":"2.0","method":"payecs_newentity"}"#,
    r#"{"jsonrpc":"2.0","id":"a","method":"x"}"#,
];

proptest! {
    #![proptest_config(Config { cases: 300, failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_call_panics_and_none_that_is_refused_has_written(
        lines in vec(prop_oneof![any_line(), acting()], 1..10),
    ) {
        calls(&lines.join("\n"));
    }

    #[test]
    fn no_bytes_are_answered_with_what_is_no_answer(
        pieces in vec(prop_oneof![
            any_line().prop_map(|line| request(&line)),
            select(PIECES).prop_map(|text| text.as_bytes().to_vec()),
            vec(any::<u8>(), 0..9),
        ], 0..9),
        cut in 1_usize..40,
    ) {
        messages(&pieces.concat(), cut);
    }

    #[test]
    fn no_bytes_on_a_pipe_end_it_or_are_answered_otherwise_for_how_they_are_cut(
        pieces in vec(prop_oneof![
            any_line().prop_map(|line| request(&line)),
            select(PIECES).prop_map(|text| text.as_bytes().to_vec()),
            vec(any::<u8>(), 0..9),
        ], 0..9),
        cut in 1_usize..40,
    ) {
        piped(&pieces.concat(), cut);
    }

    #[test]
    fn no_invoice_makes_reading_panic(
        prefix in prop_oneof![
            8 => "ln(bc|tb|bcrt)([1-9][0-9]{0,9}[mun])?",
            2 => "ln(bc|tb|bcrt)[0-9]{0,12}[munp]?",
            1 => "[ -~]{0,20}",
            1 => ".{0,9}",
        ],
        fields in vec((0_u8..32, vec(0_u8..32, 0..60)), 0..4),
        signature in vec(0_u8..32, 102),
        recovery in prop_oneof![8 => 0_u8..4, 1 => 0_u8..32],
        skipped in prop_oneof![8 => Just(0_usize), 1 => 1..3_usize],
        stamp in vec(0_u8..32, 7),
    ) {
        // Hash, secret and description, without which no invoice is right.
        let wanted = [(1, vec![16; 52]), (16, vec![0; 52]), (13, vec![])];
        let mut data = stamp;
        for (tag, value) in wanted.into_iter().skip(skipped).chain(fields) {
            let size = u8::try_from(value.len()).expect("it is short");
            data.extend([tag, size >> 5, size & 31]);
            data.extend(value);
        }
        data.extend(signature);
        data.extend([0, recovery]);
        invoice(&prefix, &data);
    }

    #[test]
    fn no_network_has_a_plan_made_that_breaks_a_rule(
        head in (any::<u8>(), 0_u8..8, 0_u8..8, 1_u8..255, 0_u8..40, any::<u8>(), 0_u8..40),
        parts in 1_u8..20,
        rest in vec(any::<u8>(), 0..600),
    ) {
        // Who pays whom, how much, for how much; 4 096 blocks, of which the payee gets 18.
        let (flags, from, to, amount, shift, fee, fee_shift) = head;
        let head = [flags & 6, from, to, amount, shift, fee, fee_shift, 1, 12, 18, parts];
        planned(&[&head[..], &[3, 22, 0, 64], &rest].concat());
    }
}
