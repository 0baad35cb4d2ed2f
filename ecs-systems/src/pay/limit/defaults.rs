//! Rows 15 to 19.

use crate::{
    components::{ExemptFee, MaxDelay, MaxFeePercent, RetryFor, RiskFactor},
    port::NodeView,
};
use bevy_ecs::prelude::Res;
use ecs_core::{Answer, Json, On, Step, SystemSpec};
use payecs_units::Msat;
use std::num::NonZeroU32;

/// What the fee budget never falls below, unless the caller says otherwise.
pub const EXEMPTFEE_DEFAULT: Msat = Msat(5_000);
/// Longest CLTV where neither caller nor node says: Core Lightning's.
pub const MAXDELAY_BLOCKS_DEFAULT: NonZeroU32 = NonZeroU32::new(2016).expect("2016 is not 0");

/// A System that fills in one Component of a main payment.
const fn defaulter(
    name: &'static str,
    disallowed: &'static [&'static str],
    attaches: &'static [&'static str],
    does: &'static str,
) -> SystemSpec {
    let required = &["lightningd:main-payment"];
    SystemSpec { name, required, disallowed, attaches, detaches: &[], refuses: &[], does }
}

/// 10 % a year.
pub const DEFAULT_RISKFACTOR: SystemSpec = defaulter(
    "lightningd:default_riskfactor",
    &["lightningd:riskfactor", "lightningd:failing", "lightningd:preimage"],
    &["lightningd:riskfactor"],
    "fills in 10 % a year",
);

pub(crate) fn default_riskfactor(_: On) -> Answer {
    Ok(Step::advance().attach(&RiskFactor(Json::of(&10))))
}

/// 0.5 %.
pub const DEFAULT_MAXFEEPERCENT: SystemSpec = defaulter(
    "lightningd:default_maxfeepercent",
    &["lightningd:maxfeepercent", "lightningd:failing", "lightningd:preimage"],
    &["lightningd:maxfeepercent"],
    "fills in 0.5 %",
);

pub(crate) fn default_maxfeepercent(_: On) -> Answer {
    Ok(Step::advance().attach(&MaxFeePercent(Json::of(&0.5))))
}

/// 60 s.
pub const DEFAULT_RETRY_FOR: SystemSpec = defaulter(
    "lightningd:default_retry_for",
    &["lightningd:retry_for", "lightningd:failing", "lightningd:preimage"],
    &["lightningd:retry_for"],
    "fills in 60 s",
);

pub(crate) fn default_retry_for(_: On) -> Answer {
    Ok(Step::advance().attach(&RetryFor(Json::of(&60))))
}

/// The node's limit.
pub const DEFAULT_MAXDELAY: SystemSpec = defaulter(
    "lightningd:default_maxdelay",
    &["lightningd:maxdelay", "lightningd:failing", "lightningd:preimage"],
    &["lightningd:maxdelay"],
    "fills in the node's limit, 2016 blocks where it has none",
);

pub(crate) fn default_maxdelay(_: On, node: Option<Res<NodeView>>) -> Answer {
    let limit = node.and_then(|node| NonZeroU32::new(node.delay_max.0));
    Ok(Step::advance().attach(&MaxDelay(limit.unwrap_or(MAXDELAY_BLOCKS_DEFAULT))))
}

/// 5 sat.
pub const DEFAULT_EXEMPTFEE: SystemSpec = defaulter(
    "lightningd:default_exemptfee",
    &["lightningd:exemptfee", "lightningd:failing", "lightningd:preimage"],
    &["lightningd:exemptfee"],
    "fills in 5000 msat",
);

pub(crate) fn default_exemptfee(_: On) -> Answer {
    Ok(Step::advance().attach(&ExemptFee(EXEMPTFEE_DEFAULT)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::MainPayment,
        fixture::{Bench, here, run},
    };
    use payecs_units::Blocks;

    #[test]
    fn each_default_fills_in_its_component_and_nothing_else() {
        for (spec, name, text) in [
            (&DEFAULT_RISKFACTOR, "riskfactor", "10"),
            (&DEFAULT_MAXFEEPERCENT, "maxfeepercent", "0.5"),
            (&DEFAULT_RETRY_FOR, "retry_for", "60"),
            (&DEFAULT_MAXDELAY, "maxdelay", "2016"),
            (&DEFAULT_EXEMPTFEE, "exemptfee", "\"5000msat\""),
        ] {
            let ran = run(spec, here().attach(&MainPayment(Json::yes())));
            assert_eq!(ran.names(), [name]);
            assert_eq!(ran.attached(name), Some(text));
        }
    }

    #[test]
    fn the_longest_delay_is_the_nodes_if_it_has_one() {
        for (limit, delay) in [(1, "1"), (1_008, "1008"), (0, "2016"), (u32::MAX, "4294967295")] {
            let mut bench = Bench::new().node(|node| node.delay_max = Blocks(limit));
            let ran = bench.run(&DEFAULT_MAXDELAY, here().attach(&MainPayment(Json::yes())));
            assert_eq!(ran.attached("maxdelay"), Some(delay));
        }
    }
}
