//! Plans over what strangers announce and invoices hint.

use ecs_systems::{
    planner::{
        Exclusion, FailedAt, Graph, GraphBuilder, HOPS_MAX, HintHop, HopFailure, Informed,
        Knowledge, Layer, LocalChannel, Plan, PlanRequest, Policy, check, plan,
    },
    units::{
        Blocks, ChannelDirection, Direction, MicroPercent, Msat, NodeId, Ppm, ShortChannelId,
        Timestamp,
    },
};

/// Most nodes and channels of a network.
const NODES_MAX: u8 = 8;
const CHANNELS_MAX: u64 = 24;
/// Most things that are said of a network.
const ITEMS_MAX: u8 = 64;
/// Most plans made of one request, each after the one before was tried.
const ROUNDS_MAX: u8 = 3;
const NOW: Timestamp = Timestamp(1_000_000);

/// A small network and a question on it, read from bytes; the plan, and what is planned once parts
/// of it failed.
///
/// # Panics
/// Where a plan breaks a rule, another one is made of the same, or what is told where there is none
/// isn't true.
pub fn planned(bytes: &[u8]) {
    let mut read = Read(bytes);
    let mut request = read.request();
    let graph = read.network(&mut request);
    let mut knowledge = Knowledge::default();
    for _ in 0..ROUNDS_MAX {
        let answer = plan(&graph, &knowledge, &request);
        assert_eq!(answer, plan(&graph, &knowledge, &request), "{request:?}");
        match answer {
            Ok(plan) => {
                assert_eq!(check(&graph, &request, &plan), Ok(()), "{request:?} {plan:?}");
                read.outcome(&mut knowledge, &plan);
            }
            Err(cause) => {
                let largest = cause.largest_msat;
                let asked = request.amount_msat;
                assert!(largest.is_none_or(|most| most < asked), "{request:?} {cause:?}");
                assert!(!cause.explain().is_empty(), "{request:?} {cause:?}");
                let Some(amount_msat) = largest else { return };
                request.amount_msat = amount_msat;
            }
        }
    }
}

/// What is left of the bytes; zeros beyond them.
struct Read<'a>(&'a [u8]);

impl Read<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number with eight digits that count, or with nothing but ones: small ones are as likely as
    /// large ones.
    fn number(&mut self) -> u64 {
        let (digits, shift) = (self.byte(), self.byte() & 63);
        if digits == u8::MAX { u64::MAX >> shift } else { u64::from(digits) << shift }
    }

    fn short(&mut self) -> u32 {
        u32::try_from(self.number() & u64::from(u32::MAX)).unwrap_or(u32::MAX)
    }

    fn node(&mut self) -> NodeId {
        let mut bytes = [2; 33];
        bytes[32] = self.byte().checked_rem(NODES_MAX).unwrap_or_default();
        NodeId(bytes)
    }

    fn channel(&mut self) -> ShortChannelId {
        ShortChannelId(u64::from(self.byte()).checked_rem(CHANNELS_MAX).unwrap_or_default())
    }

    fn direction(&mut self) -> ChannelDirection {
        let direction = if self.byte() & 1 == 0 { Direction::Zero } else { Direction::One };
        ChannelDirection { scid: self.channel(), direction }
    }

    fn policy(&mut self) -> Policy {
        let flags = self.byte();
        Policy {
            enabled: flags & 1 == 0,
            fee_base_msat: if flags & 2 == 0 { Msat::ZERO } else { Msat(self.short().into()) },
            fee_rate: if flags & 4 == 0 { Ppm(0) } else { Ppm(self.short()) },
            cltv_delta: if flags & 8 == 0 { Blocks(40) } else { Blocks(self.short()) },
            htlc_minimum_msat: if flags & 16 == 0 { Msat(1) } else { Msat(self.number()) },
            htlc_maximum_msat: if flags & 32 == 0 { Msat(u64::MAX) } else { Msat(self.number()) },
        }
    }

    fn request(&mut self) -> PlanRequest {
        let flags = self.byte();
        PlanRequest {
            source: self.node(),
            destination: self.node(),
            amount_msat: Msat(self.number()),
            fee_budget_msat: Msat(self.number()),
            delay_max_blocks: Blocks(self.short()),
            final_cltv_blocks: Blocks(self.byte().into()),
            parts_max: self.byte().into(),
            hops_max: if flags & 1 == 0 { HOPS_MAX } else { self.byte().into() },
            risk_factor_micro_percent: MicroPercent(self.number()),
            exclude: Vec::new(),
            hints: Vec::new(),
            policies: Vec::new(),
            layer: Layer::default(),
            shadow: flags & 2 != 0,
            local: Vec::new(),
            announced_first_hops: flags & 4 != 0,
            first_hop: (flags & 8 != 0).then(|| self.channel()),
            last_hop: (flags & 16 != 0).then(|| self.node()),
            now: NOW,
            seed: self.byte().into(),
        }
    }

    /// Channels, and what else is asked of them.
    fn network(&mut self, request: &mut PlanRequest) -> Graph {
        let mut builder = GraphBuilder::new();
        for _ in 0..self.byte().min(ITEMS_MAX) {
            match self.byte() & 15 {
                0..=7 => self.announced(&mut builder),
                8..=10 => self.local(&mut builder, request),
                11 => {
                    let hops = 1 + self.byte().checked_rem(3).unwrap_or_default();
                    request.hints.push((0..hops).map(|_| self.hint()).collect());
                }
                12 => request.exclude.push(if self.byte() & 1 == 0 {
                    Exclusion::Channel(self.direction())
                } else {
                    Exclusion::Node(self.node())
                }),
                13 => request.policies.push((self.direction(), self.policy())),
                14 => {
                    let bias = i8::from_le_bytes([self.byte()]).clamp(-100, 100);
                    request.layer.biases.push((self.direction(), bias));
                }
                _ => {
                    let (kind, msat) = (self.byte(), Msat(self.number()));
                    let informed = match kind & 3 {
                        0 => Informed::AtLeast(msat),
                        1 => Informed::AtMost(msat),
                        _ => Informed::Moved(msat),
                    };
                    request.layer.informed.push((self.direction(), informed));
                    request.layer.reserved.push((self.direction(), Msat(self.number())));
                }
            }
        }
        builder.build()
    }

    fn announced(&mut self, builder: &mut GraphBuilder) {
        let (scid, from, to) = (self.channel(), self.node(), self.node());
        // A channel that is there already, or leads nowhere, isn't taken in.
        let _refused = builder.add_channel(scid, from, to, Msat(self.number()));
        self.terms(builder, scid);
    }

    fn terms(&mut self, builder: &mut GraphBuilder, scid: ShortChannelId) {
        for direction in [Direction::Zero, Direction::One] {
            let _refused = builder.set_policy(ChannelDirection { scid, direction }, self.policy());
        }
    }

    /// A channel of ours, which may be announced: our node doesn't lie.
    fn local(&mut self, builder: &mut GraphBuilder, request: &mut PlanRequest) {
        let (flags, scid, peer) = (self.byte(), self.channel(), self.node());
        let capacity = Msat(u64::MAX);
        if builder.add_channel(scid, request.source, peer, capacity).is_err() {
            return;
        }
        if flags & 32 != 0 {
            self.terms(builder, scid);
        }
        request.local.push(LocalChannel {
            short_channel_id: scid,
            peer,
            spendable_msat: Msat(self.number()),
            receivable_msat: Msat(self.number()),
            htlc_minimum_msat: if flags & 1 == 0 { Msat(1) } else { Msat(self.number()) },
            htlc_maximum_msat: if flags & 2 == 0 { Msat(u64::MAX) } else { Msat(self.number()) },
            free_slots: if flags & 4 == 0 { 483 } else { self.byte().into() },
            dust_room_msat: if flags & 8 == 0 { Msat(u64::MAX) } else { Msat(self.number()) },
            usable: flags & 16 == 0,
        });
    }

    fn hint(&mut self) -> HintHop {
        HintHop {
            pubkey: self.node(),
            short_channel_id: self.channel(),
            fee_base_msat: Msat(self.short().into()),
            fee_proportional_millionths: Ppm(self.short()),
            cltv_expiry_delta: Blocks(self.short()),
        }
    }

    /// What came of each part.
    fn outcome(&mut self, knowledge: &mut Knowledge, plan: &Plan) {
        for route in &plan.routes {
            knowledge.sent(route);
            let byte = self.byte();
            let index = usize::from(byte >> 4);
            let failed = |kind| FailedAt::Hop { index, kind };
            let at = match byte & 7 {
                0 => failed(HopFailure::LiquidityLack),
                1 => failed(HopFailure::DisabledOrPolicy),
                2 => failed(HopFailure::Node),
                3 => FailedAt::Unreadable,
                4 => FailedAt::Destination,
                5 => failed(HopFailure::OtherTerms),
                6 => {
                    knowledge.paid(route, NOW);
                    continue;
                }
                // It is still under way.
                _ => continue,
            };
            knowledge.failed(route, at, NOW);
        }
    }
}
