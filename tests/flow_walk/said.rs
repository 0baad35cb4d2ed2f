//! What the node says of a part, and of an invoice that it decodes.

use crate::{
    choice::{DecodeAnswer, PartAnswer},
    world::{self, AMOUNT_MSAT},
};
use ecs_core::{Json, Write};
use ecs_systems::{
    components::Part,
    planner::Route,
    port::{Failure, FailureCode, NodeError, PartStatus},
    replies,
    units::{Blocks, Msat},
};

/// What a node takes for a part beyond what was held, where it does.
pub(crate) const OVERSPENT_MSAT: u64 = 500;

pub(crate) fn status(answer: PartAnswer, route: &Route, part: &Part) -> PartStatus {
    let hops = u32::try_from(route.hops.len()).expect("a route is short");
    let at = |erring_index, failcode| {
        let local = Failure::local(route.hops.first(), failcode);
        PartStatus::Failed(Failure { erring_index: Some(erring_index), ..local })
    };
    let hash = part.0.key.payment_hash;
    let preimage = (1..9).map(world::preimage).find(|preimage| preimage.hash() == hash);
    let paid = |more| PartStatus::Paid {
        preimage: preimage.expect("every hash of a walk has a small number"),
        spent_msat: Msat(route.sent().0 + more),
    };
    match answer {
        PartAnswer::Paid => paid(0),
        PartAnswer::Overspent => paid(OVERSPENT_MSAT),
        PartAnswer::Temporary => at(0, FailureCode::TemporaryChannelFailure),
        PartAnswer::Permanent => at(hops, FailureCode::IncorrectOrUnknownPaymentDetails),
        PartAnswer::MppTimeout => at(hops, FailureCode::MppTimeout),
        PartAnswer::Ahead => {
            let local = Failure::local(None, FailureCode::IncorrectOrUnknownPaymentDetails);
            let height = part.0.height.checked_add(Blocks(1));
            PartStatus::Failed(Failure { erring_index: Some(hops), height, ..local })
        }
        PartAnswer::Unknown | PartAnswer::AsItCame => PartStatus::Unknown,
        PartAnswer::InFlight => PartStatus::InFlight,
        PartAnswer::WrongPreimage => {
            PartStatus::Paid { preimage: world::preimage(9), spent_msat: route.sent() }
        }
        PartAnswer::NeverArrived => PartStatus::NeverArrived,
    }
}

pub(crate) fn decoded(answer: DecodeAnswer) -> Vec<Write> {
    let world = world::World::get();
    replies::decoded(match answer {
        DecodeAnswer::Valid => Ok(json(&format!(
            r#"{{"type":"bolt12 invoice","valid":true,"invoice_payment_hash":"{}",
            "invoice_amount_msat":{AMOUNT_MSAT},"invoice_node_id":"{}",
            "invoice_created_at":{},"invoice_relative_expiry":3600}}"#,
            world::preimage(1).hash(),
            world.carol,
            world::START_MS / 1_000,
        ))),
        DecodeAnswer::Invalid => Ok(json(r#"{"valid":false,"warning_x":"signature is wrong"}"#)),
        DecodeAnswer::Error => Err(NodeError::Transport { message: "gone".to_owned() }),
    })
}

fn json(text: &str) -> Json {
    Json::parse(text).expect("it is written here")
}
