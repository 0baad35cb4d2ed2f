//! What whoever makes an invoice should know: whether it can be paid at all.

use crate::port::NodeView;
use ecs_core::{Fields, Json};
use payecs_units::Msat;

/// Warnings of an invoice over `amount`, by the names of Core Lightning.
pub(super) fn warnings(view: &NodeView, amount: Option<Msat>) -> Fields {
    let amount = amount.unwrap_or(Msat(1));
    let receivable = |usable_only: bool| {
        let channels = view.channels.iter().filter(move |it| it.usable || !usable_only);
        channels.map(|channel| channel.receivable_msat)
    };
    let sum = |usable_only| {
        receivable(usable_only).fold(Msat::ZERO, |all, more| Msat(all.0.saturating_add(more.0)))
    };
    let warning = if sum(false) < amount {
        let has = sum(false);
        Some(("warning_capacity", format!("All our channels together can receive {has}")))
    } else if sum(true) < amount {
        let what = "Our channels can receive so much, but some of them are not in use now";
        Some(("warning_offline", what.to_owned()))
    } else if receivable(true).all(|most| most < amount) {
        let what = "No single channel can receive so much: payers have to send several parts";
        Some(("warning_mpp", what.to_owned()))
    } else {
        None
    };
    warning.into_iter().map(|(name, text)| (name.to_owned(), Json::of(&text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::node;
    use payecs_planner::LocalChannel;

    #[test]
    fn what_cannot_be_paid_is_told() {
        let channel = |receivable: u64, usable: bool| LocalChannel {
            receivable_msat: Msat(receivable),
            usable,
            ..node().channels[0].clone()
        };
        for (channels, amount, warning) in [
            (vec![], None, Some("warning_capacity")),
            (vec![channel(99, true)], Some(100), Some("warning_capacity")),
            (vec![channel(100, true)], Some(100), None),
            (vec![channel(100, false)], Some(100), Some("warning_offline")),
            (vec![channel(60, true), channel(40, true)], Some(100), Some("warning_mpp")),
            (vec![channel(60, true), channel(40, false)], Some(100), Some("warning_offline")),
            (vec![channel(1, true)], None, None),
        ] {
            let view = NodeView { channels, ..node() };
            let told = warnings(&view, amount.map(Msat));
            let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, Vec::from_iter(warning), "{amount:?}");
        }
    }
}
