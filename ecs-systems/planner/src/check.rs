//! Checks a plan, whoever made it, against the request alone: nothing of the search is used.

#[cfg(test)]
mod tests;

use crate::{
    Channel, Exclusion, Graph, HintHop, Hop, LocalChannel, Plan, PlanRequest, Policy, Route,
};
use payecs_units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with a plan. It must not be sent. Routes and hops are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant names its fields")]
pub enum Flaw {
    /// No route at all.
    #[error("the plan has no route")]
    NoRoute,
    /// More routes than the request allows.
    #[error("{parts} routes where {allowed} are allowed")]
    TooManyParts { parts: usize, allowed: u32 },
    /// The routes deliver another amount than asked for.
    #[error("the routes deliver {delivered} where {asked} was asked for")]
    WrongAmount { delivered: Msat, asked: Msat },
    /// The fees are above the budget.
    #[error("the routes cost {fee} where {allowed} is allowed")]
    FeeAboveBudget { fee: Msat, allowed: Msat },
    /// A sum does not fit into 64 bits (32 for blocks).
    #[error("a sum of the plan overflows")]
    Overflow,
    /// A route without a hop, or with too many.
    #[error("route {route}: {hops} hops, where 1 to {allowed} are allowed")]
    HopCount { route: usize, hops: usize, allowed: usize },
    /// The first expiry is too far away.
    #[error("route {route}: expires after {delay}, where {allowed} are allowed")]
    DelayAboveLimit { route: usize, delay: Blocks, allowed: Blocks },
    /// The last expiry is too near.
    #[error("route {route}: the payee is given {given}, and asks for {asked}")]
    FinalCltv { route: usize, given: Blocks, asked: Blocks },
    /// A hop does not start where the one before ends, or a route at the wrong node.
    #[error("route {route}, hop {hop}: starts from {node}, and should from {expected}")]
    Broken { route: usize, hop: usize, node: NodeId, expected: NodeId },
    /// The route ends elsewhere.
    #[error("route {route}: ends at {node}, not at the destination")]
    WrongEnd { route: usize, node: NodeId },
    /// A node is visited twice, or in a circle a channel.
    #[error("route {route}, hop {hop}: {node} was there before, or the channel to it")]
    Loop { route: usize, hop: usize, node: NodeId },
    /// No such channel between these nodes that way, or it is disabled, unusable or without policy.
    #[error("route {route}, hop {hop}: {direction} can't be used between these nodes")]
    NoSuchHop { route: usize, hop: usize, direction: ChannelDirection },
    /// The hop is excluded, or is another first or last hop than asked for.
    #[error("route {route}, hop {hop}: {direction} is excluded")]
    Excluded { route: usize, hop: usize, direction: ChannelDirection },
    /// The node before keeps less than it asks for.
    #[error("route {route}, hop {hop}: a fee of {fee}, where {allowed} is asked for")]
    FeeTooLow { route: usize, hop: usize, fee: Msat, allowed: Msat },
    /// The node before is left fewer blocks than it asks for.
    #[error("route {route}, hop {hop}: a delta of {delta}, where {allowed} are asked for")]
    CltvDeltaTooLow { route: usize, hop: usize, delta: Blocks, allowed: Blocks },
    /// The HTLC is below the minimum.
    #[error("route {route}, hop {hop}: {amount} is below the minimum {allowed}")]
    BelowMinimum { route: usize, hop: usize, amount: Msat, allowed: Msat },
    /// The HTLC is above the maximum.
    #[error("route {route}, hop {hop}: {amount} is above the maximum {allowed}")]
    AboveMaximum { route: usize, hop: usize, amount: Msat, allowed: Msat },
    /// All routes together put more on a direction than it can carry (spend, receive).
    #[error("{direction}: {amount} on a channel that can carry {allowed}")]
    AboveCapacity { direction: ChannelDirection, amount: Msat, allowed: Msat },
    /// All routes together put more HTLCs on one of our channels than fit.
    #[error("{direction}: {htlcs} HTLCs where {allowed} fit")]
    NoSlot { direction: ChannelDirection, htlcs: u32, allowed: u32 },
}

/// What a direction asks for, and what it can carry.
#[derive(Clone, Copy, Debug)]
struct Terms {
    fee_base: Msat,
    fee_rate: Ppm,
    cltv_delta: Blocks,
    min: Msat,
    max: Msat,
    capacity: Msat,
    slots: u32,
}

impl Terms {
    /// What a policy asks for.
    fn of(policy: &Policy) -> Self {
        Self {
            fee_base: policy.fee_base_msat,
            fee_rate: policy.fee_rate,
            cltv_delta: policy.cltv_delta,
            min: policy.htlc_minimum_msat,
            max: policy.htlc_maximum_msat,
            ..Self::NONE
        }
    }

    fn hinted(hop: &HintHop) -> Self {
        Self {
            fee_base: hop.fee_base_msat,
            fee_rate: hop.fee_proportional_millionths,
            cltv_delta: hop.cltv_expiry_delta,
            ..Self::NONE
        }
    }

    const NONE: Self = Self {
        fee_base: Msat::ZERO,
        fee_rate: Ppm(0),
        cltv_delta: Blocks(0),
        min: Msat::ZERO,
        max: Msat(u64::MAX),
        capacity: Msat(u64::MAX),
        slots: u32::MAX,
    };
}

/// Checks every rule of routes, and that the plan is what `request` asks for. What was learned
/// about liquidity isn't looked at: it is no rule. A hop that is both announced and hinted may keep
/// either's terms.
///
/// # Errors
/// The first [`Flaw`] found.
pub fn check(graph: &Graph, request: &PlanRequest, plan: &Plan) -> Result<(), Flaw> {
    let (parts, allowed) = (plan.routes.len(), request.parts_max);
    if parts == 0 {
        return Err(Flaw::NoRoute);
    }
    if u32::try_from(parts).map_or(true, |parts| parts > allowed) {
        return Err(Flaw::TooManyParts { parts, allowed });
    }
    let checker = Checker { graph, request };
    let mut loads = BTreeMap::new();
    for (index, route) in plan.routes.iter().enumerate() {
        checker.shape(index, route)?;
        checker.nodes(index, route)?;
        for hop in 0..route.hops.len() {
            checker.hop(index, route, hop, &mut loads)?;
        }
    }
    carried(&loads)?;
    let delivered = plan.amount().ok_or(Flaw::Overflow)?;
    if delivered != request.amount_msat {
        return Err(Flaw::WrongAmount { delivered, asked: request.amount_msat });
    }
    let (fee, allowed) = (plan.fee().ok_or(Flaw::Overflow)?, request.fee_budget_msat);
    if fee > allowed { Err(Flaw::FeeAboveBudget { fee, allowed }) } else { Ok(()) }
}

type Loads = BTreeMap<ChannelDirection, (Msat, u32, Terms)>;

/// Whether each direction can carry what all routes put on it.
fn carried(loads: &Loads) -> Result<(), Flaw> {
    for (&direction, &(amount, htlcs, terms)) in loads {
        if amount > terms.capacity {
            return Err(Flaw::AboveCapacity { direction, amount, allowed: terms.capacity });
        }
        if htlcs > terms.slots {
            return Err(Flaw::NoSlot { direction, htlcs, allowed: terms.slots });
        }
    }
    Ok(())
}

struct Checker<'a> {
    graph: &'a Graph,
    request: &'a PlanRequest,
}

impl Checker<'_> {
    /// Ends, hop count, first and last expiry.
    fn shape(&self, route: usize, it: &Route) -> Result<(), Flaw> {
        let request = self.request;
        let hops = it.hops.len();
        let fewest = if request.source == request.destination { 2 } else { 1 };
        let allowed = request.hops_allowed();
        let Some(last) = it.hops.last().filter(|_| (fewest..=allowed).contains(&hops)) else {
            return Err(Flaw::HopCount { route, hops, allowed });
        };
        if last.to != request.destination {
            return Err(Flaw::WrongEnd { route, node: last.to });
        }
        let (given, asked) = (last.cltv_blocks, request.final_cltv_blocks);
        if given < asked {
            return Err(Flaw::FinalCltv { route, given, asked });
        }
        let (delay, allowed) = (it.delay(), request.delay_max_blocks);
        if delay > allowed {
            return Err(Flaw::DelayAboveLimit { route, delay, allowed });
        }
        Ok(())
    }

    /// Contiguous from us on, without a node twice; a circle comes home once.
    fn nodes(&self, route: usize, it: &Route) -> Result<(), Flaw> {
        let request = self.request;
        let mut expected = request.source;
        let mut seen = BTreeSet::new();
        let mut channels = BTreeSet::new();
        if request.source != request.destination {
            seen.insert(request.source);
        }
        for (hop, step) in it.hops.iter().enumerate() {
            if step.from != expected {
                return Err(Flaw::Broken { route, hop, node: step.from, expected });
            }
            let new = channels.insert(step.short_channel_id_dir.scid) && seen.insert(step.to);
            let home_early = step.to == request.source && hop + 1 < it.hops.len();
            if !new || home_early {
                return Err(Flaw::Loop { route, hop, node: step.to });
            }
            expected = step.to;
        }
        Ok(())
    }

    /// One hop: that it may be used, on its terms.
    fn hop(&self, route: usize, it: &Route, hop: usize, loads: &mut Loads) -> Result<(), Flaw> {
        let step = &it.hops[hop];
        let direction = step.short_channel_id_dir;
        let offers = if hop == 0 { self.ours(step) } else { self.theirs(step) };
        if offers.is_empty() || direction.direction != Direction::between(&step.from, &step.to) {
            return Err(Flaw::NoSuchHop { route, hop, direction });
        }
        if self.is_excluded(step, hop == 0) {
            return Err(Flaw::Excluded { route, hop, direction });
        }
        let before = hop.checked_sub(1).map(|before| &it.hops[before]);
        let judged = offers
            .into_iter()
            .map(|terms| keeps((route, hop), before, step, &terms).map(|()| terms));
        let terms = judged.reduce(Result::or).expect("there is an offer")?;
        let load = loads.entry(direction).or_insert((Msat::ZERO, 0, terms));
        load.0 = load.0.checked_add(step.amount_msat).ok_or(Flaw::Overflow)?;
        load.1 += 1;
        load.2.capacity = load.2.capacity.min(terms.capacity);
        Ok(())
    }

    fn is_excluded(&self, step: &Hop, first: bool) -> bool {
        let request = self.request;
        let (source, destination) = (request.source, request.destination);
        let node = |node: &NodeId| {
            *node != source
                && *node != destination
                && request.exclude.contains(&Exclusion::Node(*node))
        };
        let scid = step.short_channel_id_dir.scid;
        let wrong_first = first && request.first_hop.is_some_and(|only| only != scid);
        let last = step.to == destination;
        let wrong_last = last && request.last_hop.is_some_and(|only| only != step.from);
        request.exclude.contains(&Exclusion::Channel(step.short_channel_id_dir))
            || node(&step.from)
            || node(&step.to)
            || wrong_first
            || wrong_last
    }

    fn local(&self, scid: ShortChannelId) -> Option<&LocalChannel> {
        self.request.local.iter().rfind(|local| local.short_channel_id == scid)
    }

    /// The terms of one of our channels as a first hop.
    fn ours(&self, step: &Hop) -> Vec<Terms> {
        let local = self.local(step.short_channel_id_dir.scid);
        let is_said = || self.request.layer.channel(step.short_channel_id_dir.scid).is_some();
        if local.is_none() && (self.request.announced_first_hops || is_said()) {
            let free = |terms| Terms {
                fee_base: Msat::ZERO,
                fee_rate: Ppm(0),
                cltv_delta: Blocks(0),
                ..terms
            };
            return self.theirs(step).into_iter().map(free).collect();
        }
        let usable = local.filter(|local| local.usable && local.peer == step.to);
        let terms = usable.map(|local| Terms {
            min: local.htlc_minimum_msat,
            max: local.htlc_maximum_msat,
            capacity: local.spendable_msat,
            slots: local.free_slots,
            ..Terms::NONE
        });
        terms.into_iter().collect()
    }

    /// The terms announced or hinted for a later hop.
    fn theirs(&self, step: &Hop) -> Vec<Terms> {
        let direction = step.short_channel_id_dir;
        let said = || self.request.layer.channel(direction.scid).copied();
        let channel = self.graph.channel(direction.scid).or_else(said);
        let known = channel.map_or(Msat(u64::MAX), |channel| channel.capacity);
        let home = step.to == self.request.source;
        let local = self.local(direction.scid);
        let receivable = local.filter(|local| local.usable).map(|local| local.receivable_msat);
        let told = self.request.told(direction);
        let leads_there = channel.is_some_and(|Channel { node_a, node_b, .. }| {
            [(node_a, node_b), (node_b, node_a)].contains(&(step.from, step.to))
        });
        let announced = told.or_else(|| self.graph.policy(direction));
        let holds = self
            .request
            .layer
            .policy(direction, announced)
            .filter(|policy| policy.enabled && leads_there && (!home || receivable.is_some()));
        let announced = holds.map(|policy| Terms {
            capacity: if home { receivable.unwrap_or(Msat::ZERO) } else { known },
            ..Terms::of(&policy)
        });
        let mut offers: Vec<Terms> = announced.into_iter().collect();
        for hint in &self.request.hints {
            for (place, hop) in hint.iter().enumerate() {
                let far = hint.get(place + 1).map_or(self.request.destination, |next| next.pubkey);
                let same = hop.short_channel_id == direction.scid;
                let off = home && local.is_some() && receivable.is_none();
                let off = off || told.is_some_and(|policy| !policy.enabled);
                if same && (hop.pubkey, far) == (step.from, step.to) && !off {
                    let ours = receivable.filter(|_| home);
                    let terms = told.map_or_else(|| Terms::hinted(hop), Terms::of);
                    offers.push(Terms { capacity: ours.unwrap_or(known), ..terms });
                }
            }
        }
        offers
    }
}

/// Whether the HTLC of a hop, and the one before it, keep these terms.
fn keeps(
    (route, hop): (usize, usize),
    before: Option<&Hop>,
    step: &Hop,
    terms: &Terms,
) -> Result<(), Flaw> {
    let amount = step.amount_msat;
    if amount < terms.min {
        return Err(Flaw::BelowMinimum { route, hop, amount, allowed: terms.min });
    }
    if amount > terms.max {
        return Err(Flaw::AboveMaximum { route, hop, amount, allowed: terms.max });
    }
    let Some(before) = before else { return Ok(()) };
    let allowed = amount.forwarding_fee(terms.fee_base, terms.fee_rate).ok_or(Flaw::Overflow)?;
    let fee = before.amount_msat.saturating_sub(amount);
    if fee < allowed || before.amount_msat < amount {
        return Err(Flaw::FeeTooLow { route, hop, fee, allowed });
    }
    let needed = step.cltv_blocks.checked_add(terms.cltv_delta).ok_or(Flaw::Overflow)?;
    if before.cltv_blocks < needed {
        let delta = Blocks(before.cltv_blocks.0.saturating_sub(step.cltv_blocks.0));
        return Err(Flaw::CltvDeltaTooLow { route, hop, delta, allowed: terms.cltv_delta });
    }
    Ok(())
}

impl Policy {
    /// Whether the HTLC of that hop of a route, counted from 0, and the one before it keep what is
    /// asked for here. A first hop pays no fee: there is none before it. No hop, or a disabled
    /// direction, keeps nothing.
    #[must_use]
    pub fn is_kept_by(&self, route: &Route, hop: usize) -> bool {
        let before = hop.checked_sub(1).and_then(|before| route.hops.get(before));
        let kept = |step: &Hop| keeps((0, hop), before, step, &Terms::of(self)).is_ok();
        self.enabled && route.hops.get(hop).is_some_and(kept)
    }
}
