//! The laws of a flow with Systems of third parties: what must hold whatever these do.
//!
//! Each law is a function that takes what makes a flow, and panics where the law does not hold;
//! [`flow_laws!`](crate::flow_laws) makes one test of each.

#![expect(clippy::missing_panics_doc, reason = "a law panics where it does not hold")]

use super::{
    flow::{Bench, Ended, Flow},
    simulator::{Config, Simulation},
    strategies::{Wanted, flow, invoice, network},
};
use ecs_core::Write;
use node_sim::{SimConfig, SimNetwork};
use proptest::{
    collection::vec,
    test_runner::{Config as Cases, TestCaseError, TestRunner},
};
use std::env;

/// So many random cases, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 16;
/// So many seeds of the simulator, unless `PAYECS_SEEDS` says otherwise.
const SEEDS: u64 = 6;
/// The codes with which the engine stops a System that goes wrong: it rests for nothing, does not
/// end, panics or is missing, or writes what is frozen.
const WENT_WRONG: [i32; 4] = [2_201, 2_202, 2_203, 2_205];

/// Tests that a flow with Systems of third parties keeps the laws of payments. The expression is a
/// function that makes the flow: `Fn() -> Flow`.
///
/// ```
/// use ecs_core::{Engine, Error, Json, On, Plugin, Step, system};
/// use payflow_default::testing::flow::Flow;
///
/// struct Acme;
/// impl Plugin for Acme {
///     fn name(&self) -> &'static str {
///         "acme"
///     }
///     fn build(&self, app: &mut Engine) -> Result<(), Error> {
///         let greets = system("acme:greets").requires(["lightningd:amount"]);
///         app.add_payment_system(greets.disallows(["acme:greeted"]), |_: On| {
///             Ok(Step::advance().attach_json("acme:greeted", Json::yes()))
///         })
///     }
/// }
///
/// mod acme {
///     # use super::*;
///     payflow_default::flow_laws!(|| Flow::of(Acme, ["acme:greets"], []));
/// }
/// ```
#[macro_export]
macro_rules! flow_laws {
    ($flow:expr) => {
        $crate::flow_laws! { @each $flow;
            whatever_goes_wrong_no_money_is_lost_and_every_payment_ends
            no_system_is_stopped_by_the_engine
            a_system_that_does_nothing_changes_nothing
        }
    };
    (@each $flow:expr; $($law:ident)*) => {
        $(
            #[test]
            fn $law() {
                $crate::testing::laws::$law($flow);
            }
        )*
    };
}

/// In the simulator, with faults and deaths, every law of the auditor holds.
pub fn whatever_goes_wrong_no_money_is_lost_and_every_payment_ends(make: impl Fn() -> Flow) {
    let wanted = env::var("PAYECS_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    for seed in 1..=wanted.unwrap_or(SEEDS) {
        let config = Config { flow: make(), ..Config::of(seed) };
        if let Err(finding) = Simulation::new(config).run_and_shrink() {
            panic!("{finding}");
        }
    }
}

/// On plain payments, whatever part of the Systems is listed, the engine has no reason to stop one:
/// it does not rest for nothing, ends, does not panic, and writes nothing that is frozen.
pub fn no_system_is_stopped_by_the_engine(make: impl Fn() -> Flow) {
    let cases = (network(), vec(invoice(), 1..4), flow(&make()));
    let judged = runner().run(&cases, |(world, invoices, flow)| {
        for ended in pay_all(&world, &invoices, &flow)? {
            let is_stopped = WENT_WRONG.contains(&ended.code);
            holds(!is_stopped, || format!("the engine stopped a System: {ended:?}"))?;
        }
        Ok(())
    });
    judged.unwrap_or_else(|error| panic!("{error}"));
}

/// Where no System of a third party ran, a payment ends as it does with the default list alone.
pub fn a_system_that_does_nothing_changes_nothing(make: impl Fn() -> Flow) {
    let cases = (network(), vec(invoice(), 1..4), flow(&make()));
    let judged = runner().run(&cases, |(world, invoices, flow)| {
        let beside = pay_all(&world, &invoices, &flow)?;
        if beside.iter().any(|ended| ended.ran.iter().any(|system| flow.names(system))) {
            return Ok(());
        }
        let alone = pay_all(&world, &invoices, &flow.without_systems())?;
        holds(beside == alone, || format!("with it {beside:?}, without it {alone:?}"))
    });
    judged.unwrap_or_else(|error| panic!("{error}"));
}

fn runner() -> TestRunner {
    let wanted = env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = wanted.unwrap_or(CASES);
    TestRunner::new(Cases { cases, failure_persistence: None, ..Cases::default() })
}

fn holds(does: bool, facts: impl FnOnce() -> String) -> Result<(), TestCaseError> {
    if does { Ok(()) } else { Err(TestCaseError::fail(facts())) }
}

/// Pays all invoices on a network of its own, and looks whether the money is whole.
fn pay_all(
    world: &SimConfig,
    invoices: &[Wanted],
    flow: &Flow,
) -> Result<Vec<Ended>, TestCaseError> {
    let network = SimNetwork::new(world.clone()).expect("a network of that size");
    let mut bench = Bench::new(&network, flow);
    let mut ended = Vec::new();
    for wanted in invoices {
        let invoice = wanted.issue(&network, bench.now);
        ended.push(bench.pay(&invoice, Write::here()));
    }
    bench.money_is_whole().map_err(TestCaseError::fail)?;
    Ok(ended)
}
