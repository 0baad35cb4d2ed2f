//! What is held, and what hangs on it.

use crate::{
    components::{Held, Set, SetReceived, SetSettling},
    policy::Policy,
    receive::sets::Sets,
};
use ecs_core::{
    Args, Engine, EntityId, ErrorObject, Json, Method, Reply, Scope, Systems, method::CHECK_KINDS,
};
use payecs_units::{BlockHeight, Msat, ShortChannelId};
use std::collections::BTreeMap;

pub(super) const LIST_HOLDS: Method = Method {
    name: "payecs_listholds",
    params: &[],
    scope: Scope::Read,
    errors: &[],
    result: r#"{"holds": [{"entity": id, "payment_hash", "amount_msat", "htlcs", "until_height"},
        …], "channels": [{"short_channel_id", "amount_msat", "htlcs", "until_height"}, …],
        "amount_msat", "htlcs", "until_height", "htlcs_max", "htlcs_per_channel_max"}"#,
    doc: "What others have paid that waits for `settlepaycode`, `cancelpaycode` or a third party, \
          by set and by channel. `until_height` is the height at which it goes back to its payers \
          where nobody has decided; of all together, and of a channel, the next one. An HTLC takes \
          one of the places of its channel while it is held, and goes on chain where channel or \
          peer fails meanwhile: `htlcs_max` is how many may be held at a time, \
          `htlcs_per_channel_max` how many of one channel. A set that would be beyond is given \
          back.",
    handle: list_holds,
    check: CHECK_KINDS,
};

/// What is held in some HTLCs.
#[derive(Clone, Copy, Debug, Default)]
struct Exposure {
    amount: u128,
    htlcs: u64,
    until: Option<BlockHeight>,
}

impl Exposure {
    fn add(&mut self, amount: Msat, htlcs: u64, until: BlockHeight) {
        self.amount = self.amount.saturating_add(u128::from(amount.0));
        self.htlcs = self.htlcs.saturating_add(htlcs);
        self.until = Some(self.until.map_or(until, |earlier| earlier.min(until)));
    }

    fn told(self) -> impl Iterator<Item = (&'static str, Json)> {
        let until = self.until.map(|height| ("until_height", Json::of(&height)));
        [("amount_msat", Json::of(&self.amount)), ("htlcs", Json::of(&self.htlcs))]
            .into_iter()
            .chain(until)
    }
}

fn list_holds(engine: &mut Engine, _: &Args<'_>) -> Result<Reply, ErrorObject> {
    let sets = engine.resource::<Sets>().into_iter().flat_map(Sets::all);
    let (mut all, mut holds) = (Exposure::default(), Vec::new());
    let mut channels = BTreeMap::<ShortChannelId, Exposure>::new();
    for id in sets {
        let Some((Set(set), SetReceived(received), Held(held))) = held(engine, id) else {
            continue;
        };
        for it in &received.htlcs {
            let of_channel = channels.entry(it.htlc.short_channel_id).or_default();
            of_channel.add(it.amount_msat, 1, held.until_height);
        }
        let mut one = Exposure::default();
        one.add(held.amount_msat, received.htlcs.len() as u64, held.until_height);
        all.add(held.amount_msat, one.htlcs, held.until_height);
        let named = [("entity", Json::of(&id)), ("payment_hash", Json::of(&set.payment_hash))];
        holds.push(Json::object(named.into_iter().chain(one.told())));
    }
    let channels = channels.into_iter().map(|(channel, exposure)| {
        let named = [("short_channel_id", Json::of(&channel))];
        Json::object(named.into_iter().chain(exposure.told()))
    });
    let lists = [("holds", Json::array(holds)), ("channels", Json::array(channels))];
    let policy = engine.resource::<Policy>().cloned().unwrap_or_default();
    let limits = [
        ("htlcs_max", Json::of(&policy.held_htlcs_max)),
        ("htlcs_per_channel_max", Json::of(&policy.held_htlcs_per_channel_max)),
    ];
    Ok(Json::object(lists.into_iter().chain(all.told()).chain(limits)).into())
}

/// A set that waits for a decision.
fn held(engine: &Engine, id: EntityId) -> Option<(&Set, &SetReceived, &Held)> {
    engine.get::<Systems>(id)?;
    if engine.get::<SetSettling>(id).is_some() {
        return None;
    }
    Some((engine.get(id)?, engine.get(id)?, engine.get(id)?))
}
