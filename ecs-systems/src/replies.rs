//! What comes back from outside, as the writes it means.

use crate::{
    bolt11::Bolt11Error,
    components::{
        INVOICE_PREFIX, PaidPreimage, Part, PartFailure, PartSpent, Planned, Preapproved, Refusing,
        SetClaimed, SetLost, SetSettling,
    },
    port::{Failure, HtlcId, NodeError, PartStatus, PayeeFailure},
    refusal::{PREAPPROVAL_DECLINED, from_no_plan},
};
use ecs_core::{Failing, Json, Refusal, Write};
use payecs_planner::{NoPlan, Plan};
use std::{borrow::Cow, collections::BTreeMap};

/// Reply to `DecodeByNode`: the fields of the node's `decode`, or why not. A field set that says
/// `valid: false` fails with its warnings.
#[must_use]
pub fn decoded(reply: Result<Json, NodeError>) -> Vec<Write> {
    let fields = match reply {
        Ok(json) => json.fields().unwrap_or_default(),
        Err(error) => return failed(Refusal::invalid(error.to_string())),
    };
    if fields.get("valid").map(Json::text) != Some("true") {
        let warnings: Vec<String> = fields
            .iter()
            .filter(|(name, _)| name.starts_with("warning_"))
            .filter_map(|(_, json)| json.as_str().map(Cow::into_owned))
            .collect();
        let message = if warnings.is_empty() {
            Bolt11Error::Field("not valid".to_owned()).to_string()
        } else {
            warnings.join("; ")
        };
        return failed(Refusal::invalid(message).with_data(&fields));
    }
    let named = bolt11_names(fields);
    let write = named.into_iter().fold(Write::here(), |write, (name, json)| {
        write.attach_json(format!("{INVOICE_PREFIX}{name}"), json)
    });
    vec![write]
}

/// BOLT 12's fields also under the BOLT 11 names that the flow matches on.
fn bolt11_names(mut fields: BTreeMap<String, Json>) -> BTreeMap<String, Json> {
    const SAME: [(&str, &str); 5] = [
        ("invoice_payment_hash", "payment_hash"),
        ("invoice_amount_msat", "amount_msat"),
        ("invoice_node_id", "payee"),
        ("invoice_created_at", "created_at"),
        ("invoice_relative_expiry", "expiry"),
    ];
    const EXPIRY_SECONDS_DEFAULT: u64 = 7_200;
    for (theirs, ours) in SAME {
        if let Some(json) = fields.get(theirs).cloned() {
            fields.entry(ours.to_owned()).or_insert(json);
        }
    }
    let number = |name: &str| fields.get(name).and_then(|json| json.decode::<u64>().ok());
    if let Some(created_at) = number("created_at") {
        let expiry = number("expiry").unwrap_or(EXPIRY_SECONDS_DEFAULT);
        let expires_at = Json::of(&created_at.saturating_add(expiry));
        fields.entry("expiry".to_owned()).or_insert_with(|| Json::of(&expiry));
        fields.insert("expires_at".to_owned(), expires_at);
    }
    fields
}

/// Reply to `AskSigner`. No answer is no approval.
#[must_use]
pub fn preapproved(reply: Result<(), NodeError>) -> Vec<Write> {
    match reply {
        Ok(()) => vec![Write::here().attach(&Preapproved)],
        Err(error) => failed(Refusal::new(
            PREAPPROVAL_DECLINED,
            format!("The signer did not approve the payment: {error}"),
        )),
    }
}

/// Reply to `ChooseRoutes`.
#[must_use]
pub fn planned(reply: Result<Plan, NoPlan>) -> Vec<Write> {
    match reply {
        Ok(plan) => vec![Write::here().attach(&Planned::new(plan))],
        Err(no_plan) => failed(from_no_plan(&no_plan)),
    }
}

/// What a part's status means to its Entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartReply {
    /// The part is over: reply with these writes.
    Final(Vec<Write>),
    /// It is out: wait for its outcome.
    Wait,
    /// The node never had it: the same offer may be made again, if the node is idempotent.
    OfferAgain,
    /// Nobody can say: ask again later. Never resent, never written off.
    AskAgain,
}

/// What a part's status means. A preimage of another hash is no payment and no failure: the part is
/// out until the node says something true.
#[must_use]
pub fn part_status(part: &Part, status: PartStatus) -> PartReply {
    match status {
        PartStatus::Paid { preimage, spent_msat } => {
            if preimage.hash() != part.0.key.payment_hash {
                tracing::error!(
                    target: "payflow::send", payment_hash = %part.0.key.payment_hash,
                    part_id = %part.0.key.part_id, "node gave a preimage of another hash"
                );
                return PartReply::AskAgain;
            }
            let write =
                Write::here().attach(&PartSpent(spent_msat)).attach(&PaidPreimage(preimage));
            PartReply::Final(vec![write])
        }
        PartStatus::Failed(failure) => {
            let failure = named(part, failure);
            PartReply::Final(vec![Write::here().attach(&PartFailure(failure))])
        }
        PartStatus::InFlight => PartReply::Wait,
        PartStatus::NeverArrived => PartReply::OfferAgain,
        PartStatus::Unknown => PartReply::AskAgain,
    }
}

/// The failure with the channel that our own node doesn't name where it fails a part itself: there
/// is but one.
fn named(part: &Part, failure: Failure) -> Failure {
    let first = part.0.route.hops.first().filter(|_| failure.erring_index == Some(0));
    let erring_channel = failure.erring_channel.or(first.map(|hop| hop.short_channel_id_dir));
    Failure { erring_channel, ..failure }
}

/// Reply to `SettleHtlcs`: every HTLC is off its channel. Those in `lost` are not ours, though the
/// preimage left for them.
#[must_use]
pub fn set_claimed(lost: Vec<HtlcId>) -> Vec<Write> {
    let lost = (!lost.is_empty()).then_some(SetLost(lost));
    vec![Write::here().attach(&SetClaimed).attach_some(lost.as_ref())]
}

/// Reply to `SettleHtlcs`: nothing has left, and it is too late now; the set is refused.
#[must_use]
pub fn set_withdrawn() -> Vec<Write> {
    let refusing = Refusing(PayeeFailure::DETAILS);
    vec![Write::here().detach::<SetSettling>().attach(&refusing)]
}

fn failed(refusal: Refusal) -> Vec<Write> {
    vec![Write::here().attach(&Failing(refusal))]
}

#[cfg(test)]
mod tests;
