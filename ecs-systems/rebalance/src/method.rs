//! The method `rebalance`.

use crate::{
    AimError, Moved, Order, Tried, Way,
    aim::aim,
    systems::{BEGIN, JUDGE, TRIES_MAX, refused},
};
use ecs_core::{
    Args, Engine, Entities, EntityId, Error, ErrorObject, Failed, Inputs, Join, Json, Kind, Method,
    Reply, Scope, Systems, Write, Writer, optional, required,
};
use ecs_systems::{
    components::{InvoicePaymentSecret, PayHash},
    methods::{AMOUNT, make_paycode},
    planner::LocalChannel,
    port::{Books, NodeView, OverpayRule, ReceiptRequest, ReceiptsBook, Terms},
    refusal::{PAY_IN_PROGRESS, PAY_UNSPECIFIED_ERROR, overflow},
    units::{MicroPercent, Msat, Seconds, ShortChannelId, Timestamp},
};

/// Where nothing is said: half of the channel is to be ours.
const HALF: MicroPercent = MicroPercent(50_000_000);
/// Where nothing is said: half a percent of what is moved.
const MAXFEE_SHARE: MicroPercent = MicroPercent(500_000);
/// Where nothing is said: how long each payment may try.
const RETRY_FOR_S: u32 = 60;
/// How long a payment may go on after the last moment at which it may begin an attempt: a day, as
/// no HTLC of a usual route outlives that by far.
const SETTLES_S: u32 = 86_400;

pub(crate) const REBALANCE: Method = Method {
    name: "rebalance",
    params: &[
        required("short_channel_id", CHANNEL),
        optional("target", TARGET),
        optional("maxfee", AMOUNT),
        optional("maxfeepercent", PERCENT),
        optional("retry_for", RETRY_FOR),
    ],
    scope: Scope::Pay,
    errors: &[209, 200, 2330, 2208, 205, 215, 206, 210, 2310, 213],
    result: r#"{"short_channel_id", "status": "moved" or "level", "direction": "in" or "out",
        "target_msat", "before_msat", "amount_msat", "fee_msat", "tries", "payment_hash",
        "entity": id, "payment": id}"#,
    doc: "Brings one of our channels to the share that is wanted, by a payment to ourselves that \
          leaves through one channel and comes back through another, and answers when that is \
          over; whoever goes away meanwhile changes nothing. `target` is what should be \
          spendable there: an amount, or a percentage of what can be spent and received there \
          together; `50%` without it. A channel within 1 % of it is `level`: nothing is paid. A \
          payment may cost `maxfeepercent` of what it moves, 0.5 without it, and no more than \
          `maxfee`. What it costs is the only thing in the books: nothing is earned, and nothing \
          spent. Where the network lets through less, half as much is tried, down to an eighth; \
          `amount_msat` says how much it was. Each payment tries for `retry_for` seconds, 60 \
          without it. One order at a time for a channel: another is refused with 200, and \
          `data.entity` is the one under way. An order goes on after a restart, and one that is \
          over is known until the next one begins; `cancelpay` of its payment ends it. A failure \
          has the code of the last payment, which is `data.payment`.",
    handle: rebalance,
    check: |engine, args| asked(engine, args).map(drop),
};

const CHANNEL: Kind = Kind {
    shape: "a short channel id `BxTxO`",
    schema: r#"{"type":"string","pattern":"^[0-9]+x[0-9]+x[0-9]+$"}"#,
    fits: |json| json.decode::<ShortChannelId>().is_ok(),
};

const TARGET: Kind = Kind {
    shape: "a percentage from `0%` to `100%`, or an amount: integer msat, or a string `N`, \
            `Nmsat`, `Nsat`, `N.DDDsat` or `N.Dbtc`",
    schema: r#"{"oneOf":[{"type":"integer","minimum":0,"maximum":18446744073709551615},
        {"type":"string","pattern":"^[0-9]+(\\.[0-9]{1,6})?%$"},
        {"type":"string","pattern":"^[0-9]+(\\.[0-9]{1,11})?(msat|sat|btc)?$"}]}"#,
    fits: |json| Target::of(json).is_some(),
};

const PERCENT: Kind = Kind {
    shape: "a percentage from 0 to 100, with at most 6 decimals",
    schema: r#"{"type":"number","minimum":0,"maximum":100}"#,
    fits: |json| percent(json.text()).is_some(),
};

const RETRY_FOR: Kind = Kind {
    shape: "a number of seconds: an integer from 1 to 86400",
    schema: r#"{"type":"integer","minimum":1,"maximum":86400}"#,
    fits: |json| json.decode::<u32>().is_ok_and(|seconds| (1..=86_400).contains(&seconds)),
};

/// What should be spendable.
#[derive(Clone, Copy, Debug)]
enum Target {
    Share(MicroPercent),
    Amount(Msat),
}

impl Target {
    fn of(json: &Json) -> Option<Self> {
        let text = json.as_str();
        match text.as_deref().and_then(|text| text.strip_suffix('%')) {
            Some(number) => percent(number).map(Self::Share),
            None => json.decode().ok().map(Self::Amount),
        }
    }

    /// In msat, rounded down; no more than the channel has.
    fn of_channel(self, channel: &LocalChannel) -> Result<Msat, ErrorObject> {
        let size = Msat::sum([channel.spendable_msat, channel.receivable_msat]);
        let size = size.ok_or_else(|| overflow("The size of a channel"))?;
        match self {
            Self::Share(share) => size.share(share).ok_or_else(|| overflow("A share")),
            Self::Amount(amount) if amount <= size => Ok(amount),
            Self::Amount(_) => Err(ErrorObject::invalid(format!(
                "`target`: no more than {size} can be spent and received there together"
            ))),
        }
    }
}

/// A share of 100 % at most.
fn percent(text: &str) -> Option<MicroPercent> {
    let share: MicroPercent = text.parse().ok()?;
    (u128::from(share.0) <= MicroPercent::WHOLE).then_some(share)
}

/// What an order comes to.
struct Asked {
    order: Order,
    /// `None`: there is nothing to do.
    way: Option<Way>,
}

fn asked(engine: &Engine, args: &Args<'_>) -> Result<Asked, ErrorObject> {
    let (node, books) = engine
        .resource::<NodeView>()
        .zip(engine.resource::<Books>())
        .ok_or_else(|| ErrorObject::new(PAY_UNSPECIFIED_ERROR, "There is no node yet"))?;
    let short_channel_id = args.need("short_channel_id")?;
    let mut order = Order {
        short_channel_id,
        target_msat: Msat::ZERO,
        before_msat: Msat::ZERO,
        maxfee_share: args
            .given("maxfeepercent")
            .and_then(|json| percent(json.text()))
            .unwrap_or(MAXFEE_SHARE),
        maxfee_msat: args.read("maxfee")?,
        retry_for: args.read("retry_for")?.unwrap_or(RETRY_FOR_S),
    };
    let channels = node.channels_in(books, |_| true);
    let channel = channels.iter().find(|channel| channel.short_channel_id == short_channel_id);
    let channel = channel.ok_or_else(|| refused(AimError::NoChannel, &order))?;
    let target = args.given("target").and_then(Target::of).unwrap_or(Target::Share(HALF));
    order.target_msat = target.of_channel(channel)?;
    order.before_msat = channel.spendable_msat;
    let aim = aim(&order, &node.identity, &channels, 0);
    let aim = aim.map_err(|why| refused(why, &order))?;
    Ok(Asked { way: aim.map(|aim| aim.way), order })
}

fn rebalance(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let Asked { order, way } = asked(engine, args)?;
    let Some(way) = way else { return Ok(level(&order).into()) };
    if let Some(entity) = under_way(engine, order.short_channel_id) {
        let what = format!("Channel {} is being rebalanced", order.short_channel_id);
        let facts = Json::object([("entity", Json::of(&entity))]);
        return Err(ErrorObject::new(PAY_IN_PROGRESS, what).with_data(&facts));
    }
    let id = begin(engine, &order)?;
    Ok(Reply::later(move |engine| outcome(engine, id, &order, way), None))
}

/// The order for that channel that has not ended.
fn under_way(engine: &Engine, channel: ShortChannelId) -> Option<EntityId> {
    let is_of_it =
        |id: &EntityId| engine.get::<Order>(*id).is_some_and(|it| it.short_channel_id == channel);
    let lives = |id: &EntityId| engine.get::<Systems>(*id).is_some();
    engine.entities().into_iter().filter(is_of_it).find(lives)
}

/// Lets orders go that are over: whoever waited for one has been told.
fn forget_ended(engine: &mut Engine) -> Result<(), Error> {
    let is_over =
        |id: &EntityId| engine.get::<Order>(*id).is_some() && engine.get::<Systems>(*id).is_none();
    let ended: Vec<Write> = engine.entities().into_iter().filter(is_over).map(Write::end).collect();
    engine.set_components(&Writer::Engine, &ended, &[])
}

/// Makes the paycode and the order that pays it, and lets it begin.
fn begin(engine: &mut Engine, order: &Order) -> Result<EntityId, ErrorObject> {
    forget_ended(engine)?;
    let now = Timestamp(engine.resource::<Inputs>().map_or(0, |inputs| inputs.now_ms));
    let tries = order.retry_for.saturating_mul(TRIES_MAX);
    let lasts = Seconds(u64::from(tries.saturating_add(SETTLES_S)));
    let facts = Json::object([("rebalance", Json::of(&order.short_channel_id))]);
    let wanted = ReceiptRequest {
        terms: Terms { overpay: OverpayRule::Any, ..Terms::default() },
        metadata: Some(facts),
        ..ReceiptRequest::of(None, now.after(lasts))
    };
    let payment_hash = make_paycode(engine, &wanted)?;
    let receipts = engine.resource::<ReceiptsBook>();
    let secret = receipts.and_then(|receipts| receipts.0.payment_secret(&payment_hash));
    let id = engine.new_entity();
    let flow = engine.default_systems().iter().map(|name| &**name);
    let list: Vec<&str> = [BEGIN, JUDGE].into_iter().chain(flow).collect();
    let write = Write::to(id)
        .attach(order)
        .attach(&PayHash(payment_hash))
        .attach_some(secret.map(InvoicePaymentSecret).as_ref())
        .attach(&Systems::listing(list));
    engine.set_components(&Writer::Engine, &[write], &[])?;
    engine.advance(id, None)?;
    Ok(id)
}

/// What is answered once the order is over.
fn outcome(
    engine: &Engine,
    id: EntityId,
    order: &Order,
    way: Way,
) -> Option<Result<Reply, ErrorObject>> {
    if engine.resource::<Entities>().is_none_or(|all| all.get(id).is_none()) {
        return Some(Err(Error::UnknownEntity(id).into()));
    }
    if let Some(Failed(error)) = engine.get(id) {
        let mut facts = error.facts();
        facts.insert("entity".to_owned(), Json::of(&id));
        return Some(Err(error.clone().with_data(&facts)));
    }
    if let Some(Moved { payment, amount_msat, fee_msat }) = engine.get(id) {
        let tries = engine.get::<Tried>(id).map_or(1, |tried| tried.0.saturating_add(1));
        let hash = engine.get::<PayHash>(id)?;
        let more = [
            ("direction", Json::of(way.name())),
            ("amount_msat", Json::of(amount_msat)),
            ("fee_msat", Json::of(fee_msat)),
            ("tries", Json::of(&tries)),
            ("payment_hash", Json::of(&hash.0)),
            ("entity", Json::of(&id)),
            ("payment", Json::of(payment)),
        ];
        return Some(Ok(told(order, "moved", more).into()));
    }
    // An order waits for its payment, which ends; it rests for nothing else.
    let list = engine.get::<Systems>(id);
    let rests = |list: &Systems| list.error().cloned().filter(|_| engine.get::<Join>(id).is_none());
    match list {
        None => {
            let what = "The order was ended before it moved anything";
            Some(Err(ErrorObject::new(PAY_UNSPECIFIED_ERROR, what)))
        }
        Some(list) => rests(list).map(Err),
    }
}

fn level(order: &Order) -> Json {
    let nothing = [("amount_msat", Json::of(&Msat::ZERO)), ("fee_msat", Json::of(&Msat::ZERO))];
    told(order, "level", nothing)
}

fn told<const N: usize>(order: &Order, status: &str, more: [(&str, Json); N]) -> Json {
    let mut fields = vec![
        ("short_channel_id", Json::of(&order.short_channel_id)),
        ("status", Json::of(status)),
        ("target_msat", Json::of(&order.target_msat)),
        ("before_msat", Json::of(&order.before_msat)),
    ];
    fields.extend(more);
    Json::object(fields)
}
