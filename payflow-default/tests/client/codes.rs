//! Who provokes each error code.

use ecs_systems::errors::{ERROR_CODES, of};
use std::{collections::BTreeSet, fs, path::Path};

/// How a code is provoked.
enum By {
    /// By the client, over a transport of a real daemon: `codes.py`.
    Client,
    /// By a test elsewhere, as no daemon can be brought to say it from outside.
    Test {
        /// Its file, from the root.
        file: &'static str,
        /// The function.
        name: &'static str,
        /// Why the client can't.
        why: &'static str,
    },
}

const ROWS: &[(i32, By)] = &[
    (-32_700, By::Client),
    (-32_600, By::Client),
    (-32_601, By::Client),
    (-32_602, By::Client),
    (
        -32_603,
        By::Test {
            file: "rpc-bridge/src/jsonrpc/tests.rs",
            name: "a_service_that_panics_is_an_internal_error",
            why: "it would be a mistake of ours",
        },
    ),
    (-32_006, By::Client),
    (-32_007, By::Client),
    (-32_008, By::Client),
    (-32_009, By::Client),
    (-32_010, By::Client),
    (-5, By::Client),
    (-1, By::Client),
    (200, By::Client),
    (201, By::Client),
    (203, By::Client),
    (205, By::Client),
    (206, By::Client),
    (207, By::Client),
    (208, By::Client),
    (
        209,
        By::Test {
            file: "tests/payments/rounds.rs",
            name: "rounds_are_bounded",
            why: "a hundred rounds must fail, or the node must be behind its chain",
        },
    ),
    (210, By::Client),
    (211, By::Client),
    (
        213,
        By::Test {
            file: "ecs-systems/src/replies/tests.rs",
            name: "only_a_yes_of_the_signer_is_a_yes",
            why: "the simulated node's signer refuses nothing",
        },
    ),
    (215, By::Client),
    (216, By::Client),
    (220, By::Client),
    (900, By::Client),
    (901, By::Client),
    (902, By::Client),
    (903, By::Client),
    (904, By::Client),
    (905, By::Client),
    (906, By::Client),
    (908, By::Client),
    (1_502, By::Client),
    (2_000, By::Client),
    (2_200, By::Client),
    (2_201, By::Client),
    (2_202, By::Client),
    (2_203, By::Client),
    (2_204, By::Client),
    (2_205, By::Client),
    (2_207, By::Client),
    (2_208, By::Client),
    (2_244, By::Client),
    (2_310, By::Client),
    (
        2_320,
        By::Test {
            file: "tests/payments/contradictions.rs",
            name: "a_payment_is_complete_though_its_node_says_it_took_more_than_there_is",
            why: "the node must contradict itself",
        },
    ),
    (2_321, By::Client),
    (
        2_322,
        By::Test {
            file: "ecs-systems/src/refusal.rs",
            name: "what_the_books_refuse_has_its_code_and_its_facts",
            why: "a disk must fail under the index while it is read",
        },
    ),
    (2_330, By::Client),
    (2_331, By::Client),
    (2_332, By::Client),
    (2_333, By::Client),
    (2_340, By::Client),
    (
        2_341,
        By::Test {
            file: "payflow-default/src/shell/tests/journal.rs",
            name: "a_full_disk_refuses_calls_and_once_there_is_room_what_waited_goes_on",
            why: "a disk must be full",
        },
    ),
];

/// The codes that a daemon can be brought to say.
pub(crate) fn said_by_a_daemon() -> BTreeSet<i32> {
    let said = ROWS.iter().filter(|(_, by)| matches!(by, By::Client));
    said.map(|(code, _)| *code).collect()
}

#[test]
fn every_code_has_somebody_who_provokes_it() {
    let rows: Vec<i32> = ROWS.iter().map(|(code, _)| *code).collect();
    let known: Vec<i32> = ERROR_CODES.iter().map(|known| known.code).collect();
    assert_eq!(rows, known, "rows on the left, codes that are documented on the right");
}

#[test]
fn tests_that_provoke_a_code_are_there_and_name_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the root");
    for (code, by) in ROWS {
        let By::Test { file, name, why } = by else { continue };
        let text = fs::read_to_string(root.join(file)).expect(file);
        let body = text.split(&format!("fn {name}(")).nth(1);
        let body = body.unwrap_or_else(|| panic!("{file} has no {name}, which provokes {code}"));
        let body = body.split("test]").next().expect("a split has a first piece");
        let known = of(*code).expect("it is documented");
        let is_named = [known.name, &code.to_string()].iter().any(|word| body.contains(word));
        assert!(is_named, "{file}: {name} does not name {code} ({why})");
    }
}
