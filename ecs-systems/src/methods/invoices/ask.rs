//! Making an invoice.

use super::{
    label::{self, LABEL},
    sign::{Tell, Then, not_issued, sign},
    warnings::warnings,
};
use crate::{
    bolt11,
    methods::{
        kinds, now,
        paycodes::{self, AMOUNT_OR_ANY, is_any, receipts},
    },
    policy::GraphView,
    port::{
        AddReceiptError, Chosen, InvoiceDescription, InvoiceDraft, IssuedReceipt, NodeView,
        ReceiptRequest, Receipts, Terms,
    },
    refusal::{INVOICE_HINTS_GAVE_NO_ROUTES, PAY_UNSPECIFIED_ERROR},
};
use ecs_core::{
    Args, Engine, ErrorObject, INTERNAL, Json, Kind, Method, NOT_PERMITTED, Reply, Scope, optional,
    required,
};
use payecs_planner::{HintHop, LocalChannel, RouteHint};
use payecs_units::{Msat, Seconds, ShortChannelId};
use std::sync::Arc;

/// Most bytes of a description in an invoice, and of metadata (BOLT 11: 1023 groups of five bits).
const DESCRIPTION_BYTES_MAX: usize = 639;
/// Most bytes of one whose hash alone is in it.
const HASHED_BYTES_MAX: usize = 8_192;
/// Most fallback addresses.
const FALLBACKS_MAX: usize = 5;
/// Most channels that an invoice tells of, unless they are named.
const HINTS_MAX: usize = 3;

pub(in crate::methods) const INVOICE: Method = Method {
    name: "invoice",
    params: &[
        required("amount_msat", AMOUNT_OR_ANY),
        required("label", LABEL),
        required("description", DESCRIPTION),
        optional("expiry", EXPIRY),
        optional("fallbacks", FALLBACKS),
        optional("preimage", kinds::PREIMAGE),
        optional("exposeprivatechannels", EXPOSE),
        optional("cltv", paycodes::CLTV),
        optional("deschashonly", Kind::FLAG),
        optional("prepend", paycodes::PREPEND),
        optional("payment_hash", kinds::HASH),
        optional("hold", Kind::FLAG),
        optional("overpay", paycodes::OVERPAY),
        optional("metadata", kinds::METADATA),
        optional("payment_metadata", PAYMENT_METADATA),
    ],
    scope: Scope::Receive,
    errors: &[NOT_PERMITTED, 209, 2330, 2208, 900, 901, 902, -1, 2340],
    result: r#"{"payment_hash", "expires_at", "bolt11", "payment_secret", "created_index",
        "warning_capacity", "warning_offline", "warning_deadends", "warning_private_unused",
        "warning_mpp"}"#,
    doc: "Makes an invoice for `amount_msat`, or for `any` amount above zero, that can be paid \
          once within `expiry` seconds, a week without it: a paycode with a `label`, which no \
          other invoice has, and a text that our node signs. `description` is in it, or with \
          `deschashonly` its hash alone. `fallbacks` are addresses of our chain, the best first. \
          Without `preimage` the engine draws it, as it should. Of channels that aren't announced \
          an invoice tells where no others are in use, up to three that can receive it; with \
          `exposeprivatechannels` true it does in any case, with false never, and with channel \
          ids of just those (902 where none of them is one). HTLCs must have `cltv` blocks left \
          when they come, 24 without it. `warning_capacity`: all our channels together can't \
          receive so much; `warning_offline`: not those that are in use; `warning_deadends`: not \
          those of peers that have other channels; `warning_private_unused`: not those that payers \
          see; `warning_mpp`: no single one. `prepend`, `payment_hash`, `hold`, `overpay` and \
          `metadata` are those of `paycode`: what is held is to be seen by `listpaycodes` and \
          `waitpaycode`, and decided by `settlepaycode` or `cancelpaycode`; until then the \
          invoice is `unpaid`. `payment_metadata` is in the invoice, and payers bring it with \
          each HTLC (BOLT 4); those that don't know it can't pay. Paycode and invoice are made in \
          one record, once it is signed: where our node doesn't sign it (−1), there is neither.",
    handle: invoice,
    check: |engine, args| drafted(engine, &Asked::of(engine, args)?).map(drop),
};

const DESCRIPTION: Kind = Kind {
    shape: "a string of at most 639 bytes, or 8192 with `deschashonly`",
    schema: r#"{"type":"string","maxLength":8192}"#,
    fits: |json| json.as_str().is_some_and(|text| text.len() <= HASHED_BYTES_MAX),
};

const EXPIRY: Kind = Kind {
    shape: "how long it can be paid, in seconds: an integer from 1 to 4294967295",
    schema: r#"{"type":"integer","minimum":1,"maximum":4294967295}"#,
    fits: kinds::LIMIT.fits,
};

const PAYMENT_METADATA: Kind = Kind {
    shape: "2 to 1278 hexadecimal digits, two for each byte",
    schema: r#"{"type":"string","pattern":"^([0-9a-fA-F]{2}){1,639}$"}"#,
    fits: |json| {
        let bytes = json.as_str().and_then(|text| hex::decode(&*text).ok());
        bytes.is_some_and(|bytes| (1..=DESCRIPTION_BYTES_MAX).contains(&bytes.len()))
    },
};

const FALLBACKS: Kind = Kind {
    shape: "an array of at most 5 addresses",
    schema: r#"{"type":"array","items":{"type":"string"},"maxItems":5}"#,
    fits: |json| json.decode::<Vec<String>>().is_ok_and(|all| all.len() <= FALLBACKS_MAX),
};

const EXPOSE: Kind = Kind {
    shape: "true, false, a channel id `BxTxO`, or an array of them",
    schema: r#"{"oneOf":[{"type":"boolean"},{"type":"string"},
        {"type":"array","items":{"type":"string"},"maxItems":20}]}"#,
    fits: |json| exposed(json).is_some(),
};

/// Of which channels that aren't announced an invoice tells.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expose {
    All,
    None,
    These(Vec<ShortChannelId>),
}

fn exposed(json: &Json) -> Option<Expose> {
    if let Ok(all) = json.decode::<bool>() {
        return Some(if all { Expose::All } else { Expose::None });
    }
    let one = json.decode::<ShortChannelId>().map(|one| vec![one]);
    let these = one.or_else(|_| json.decode::<Vec<ShortChannelId>>()).ok()?;
    (these.len() <= bolt11::HINTS_MAX).then_some(Expose::These(these))
}

/// What a caller asks for.
struct Asked {
    amount_msat: Option<Msat>,
    label: String,
    words: String,
    description: InvoiceDescription,
    expiry: Seconds,
    fallbacks: Vec<String>,
    chosen: Chosen,
    terms: Terms,
    metadata: Option<Json>,
    payment_metadata: Option<String>,
    hints: Vec<RouteHint>,
    prepend: Vec<Arc<str>>,
}

impl Asked {
    fn of(engine: &Engine, args: &Args<'_>) -> Result<Self, ErrorObject> {
        let words = args.need::<String>("description")?;
        let description = if args.read("deschashonly")?.unwrap_or(false) {
            InvoiceDescription::hash_of(&words)
        } else if words.len() <= DESCRIPTION_BYTES_MAX {
            InvoiceDescription::Text(words.clone())
        } else {
            let what = format!(
                "`description`: {} bytes, where an invoice has room for {DESCRIPTION_BYTES_MAX}: \
                 shorten it, or give `deschashonly`",
                words.len()
            );
            return Err(ErrorObject::invalid(what));
        };
        let view = view(engine)?;
        let fallbacks = args.read::<Vec<String>>("fallbacks")?.unwrap_or_default();
        for address in &fallbacks {
            bolt11::fallback(address, view.network)
                .map_err(|error| ErrorObject::invalid(format!("`fallbacks`: {error}")))?;
        }
        let is_any = args.given("amount_msat").is_some_and(is_any);
        let amount_msat = if is_any { None } else { args.read("amount_msat")? };
        Ok(Self {
            amount_msat,
            label: label::needed(args)?,
            words,
            description,
            expiry: Seconds(args.read("expiry")?.unwrap_or(paycodes::TIMEOUT_S)),
            fallbacks,
            chosen: paycodes::chosen(args)?,
            terms: paycodes::terms(args)?,
            metadata: args.given("metadata").cloned(),
            payment_metadata: args.read("payment_metadata")?,
            hints: hints(view, amount_msat, args.given("exposeprivatechannels"))?,
            prepend: paycodes::prepended(engine, args)?,
        })
    }
}

fn view(engine: &Engine) -> Result<&NodeView, ErrorObject> {
    let missing = || ErrorObject::new(PAY_UNSPECIFIED_ERROR, "Our node is not known yet");
    engine.resource::<NodeView>().ok_or_else(missing)
}

/// The ways in that an invoice tells of: of named channels, or of those with most room; of those
/// with room enough, where there are any, else of those that can receive it in parts.
fn hints(
    view: &NodeView,
    amount: Option<Msat>,
    expose: Option<&Json>,
) -> Result<Vec<RouteHint>, ErrorObject> {
    let receivable = |hop: &HintHop| {
        let mut channels = view.channels.iter();
        let channel = channels.find(|it| it.short_channel_id == hop.short_channel_id)?;
        channel.usable.then_some(channel.receivable_msat)
    };
    let is_enough = |room: Msat| room >= amount.unwrap_or(Msat(1));
    let widest = || {
        let mut ways: Vec<(Msat, &HintHop)> =
            view.ways_in.iter().filter_map(|hop| Some((receivable(hop)?, hop))).collect();
        let one_will_do = ways.iter().any(|(room, _)| is_enough(*room));
        ways.retain(|(room, _)| if one_will_do { is_enough(*room) } else { *room > Msat::ZERO });
        ways.sort_by_key(|(room, hop)| (std::cmp::Reverse(*room), hop.short_channel_id));
        ways.truncate(HINTS_MAX);
        ways.into_iter().map(|(_, hop)| vec![*hop]).collect()
    };
    let is_announced = |channel: &LocalChannel| {
        let mut hidden = view.ways_in.iter().map(|hop| hop.short_channel_id);
        channel.usable && hidden.all(|hidden| hidden != channel.short_channel_id)
    };
    match expose.and_then(exposed) {
        Some(Expose::None) => Ok(Vec::new()),
        Some(Expose::These(these)) => {
            let named = view.ways_in.iter().filter(|hop| these.contains(&hop.short_channel_id));
            let named: Vec<RouteHint> = named.map(|hop| vec![*hop]).collect();
            let what = "`exposeprivatechannels`: none of them is a channel of ours that isn't \
                        announced";
            let none = || ErrorObject::new(INVOICE_HINTS_GAVE_NO_ROUTES, what);
            (!named.is_empty()).then_some(named).ok_or_else(none)
        }
        // Who has announced channels is found by them.
        None if view.channels.iter().any(is_announced) => Ok(Vec::new()),
        Some(Expose::All) | None => Ok(widest()),
    }
}

/// The receipt as it would be issued but for its text, which our node has not signed yet.
fn drafted(engine: &Engine, asked: &Asked) -> Result<IssuedReceipt, ErrorObject> {
    let receipts: &dyn Receipts = receipts(engine)?;
    if receipts.of_label(&asked.label).is_some() {
        let taken = AddReceiptError::LabelTaken { label: asked.label.clone() };
        return Err(not_issued(engine, &taken));
    }
    let wanted = ReceiptRequest {
        terms: asked.terms,
        chosen: asked.chosen,
        metadata: asked.metadata.clone(),
        prepend: asked.prepend.clone(),
        ..ReceiptRequest::of(asked.amount_msat, now(engine).after(asked.expiry))
    };
    paycodes::drafted(engine, receipts, &wanted)
}

fn invoice(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let asked = Asked::of(engine, args)?;
    let receipt = drafted(engine, &asked)?;
    let payment_secret = receipts(engine)?.payment_secret_of(&receipt);
    let payment_secret =
        payment_secret.ok_or_else(|| ErrorObject::new(INTERNAL, "a secret was lost"))?;
    let graph = engine.resource::<GraphView>().map(|view| &*view.0);
    let warnings = warnings(view(engine)?, graph, &asked.hints, asked.amount_msat);
    let draft = InvoiceDraft {
        payment_hash: receipt.payment_hash,
        payment_secret,
        amount_msat: asked.amount_msat,
        description: asked.description,
        created_at: now(engine),
        expiry: asked.expiry,
        min_final_cltv: asked.terms.cltv,
        fallbacks: asked.fallbacks,
        hints: asked.hints,
        payment_metadata: asked.payment_metadata,
    };
    let (label, description) = (asked.label, asked.words);
    let tell = Tell::Made { warnings };
    let then = Then::Issue { receipt: Box::new(receipt), label, description, tell };
    Ok(sign(engine, draft, then))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::node;
    use payecs_units::{Blocks, Ppm};

    /// Our node with channels 1, 2, …, which can receive so much; those above `announced` aren't.
    fn view(receivable: &[u64], announced: u64) -> NodeView {
        let template = node();
        let numbered = || (1_u64..).zip(receivable);
        let channels = numbered().map(|(number, msat)| LocalChannel {
            short_channel_id: ShortChannelId(number),
            receivable_msat: Msat(*msat),
            ..template.channels[0].clone()
        });
        let ways_in =
            numbered().filter(|(number, _)| *number > announced).map(|(number, _)| HintHop {
                pubkey: template.channels[0].peer,
                short_channel_id: ShortChannelId(number),
                fee_base_msat: Msat(1),
                fee_proportional_millionths: Ppm(2),
                cltv_expiry_delta: Blocks(3),
            });
        NodeView { channels: channels.collect(), ways_in: ways_in.collect(), ..template.clone() }
    }

    fn told(view: &NodeView, amount: u64, expose: Option<&str>) -> Result<Vec<u64>, i32> {
        let expose = expose.map(|text| Json::parse(text).unwrap());
        let hints = hints(view, Some(Msat(amount)), expose.as_ref()).map_err(|error| error.code)?;
        Ok(hints.iter().map(|hint| hint[0].short_channel_id.0).collect())
    }

    #[test]
    fn an_invoice_tells_of_hidden_channels_where_there_are_no_others_or_it_is_to() {
        let hidden = view(&[50, 90, 70, 80, 60], 0);
        assert_eq!(told(&hidden, 60, None), Ok(vec![2, 4, 3]), "those with most room");
        assert_eq!(told(&hidden, 75, None), Ok(vec![2, 4]), "those with room enough");
        assert_eq!(told(&hidden, 95, None), Ok(vec![2, 4, 3]), "it comes in parts");
        assert_eq!(told(&hidden, 60, Some("false")), Ok(vec![]));
        let mixed = view(&[50, 90], 1);
        assert_eq!(told(&mixed, 10, None), Ok(vec![]), "an announced one will do");
        assert_eq!(told(&mixed, 10, Some("true")), Ok(vec![2]));
        assert_eq!(told(&mixed, 99, Some(r#""0x0x2""#)), Ok(vec![2]), "it was named");
        assert_eq!(told(&mixed, 10, Some(r#"["0x0x1","0x0x2"]"#)), Ok(vec![2]));
        assert_eq!(told(&mixed, 10, Some(r#""0x0x1""#)), Err(902), "it is announced");
        let mut offline = hidden;
        offline.channels[1].usable = false;
        assert_eq!(told(&offline, 75, None), Ok(vec![4]));
        let mut mixed = mixed;
        mixed.channels[0].usable = false;
        assert_eq!(told(&mixed, 10, None), Ok(vec![2]), "the announced one is not in use");
    }
}
