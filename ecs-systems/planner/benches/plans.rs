//! What a plan takes, and what it is.
//!
//! `cargo bench -p payecs-planner --bench plans -- [ROW…] [NAME=NUMBER…]`
//!
//! | row | what is planned |
//! |---|---|
//! | `new` | parts of 1 to 100 sat to every node in turns, knowing nothing |
//! | `known` | the same, after payments that were tried on hidden balances |
//! | `large` | 10 000 to 8 000 000 sat, in several parts where needed |
//! | `circle` | 1 to 100 000 sat back to ourselves |
//! | `patched` | as `known`, each on a graph that nothing was planned on before |
//!
//! Numbers: `nodes`, `lessons` (payments before), `plans`, `seed`. The graph is generated. Nothing
//! is asserted of a time. Two runs that print the same digest gave the same answers.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its figures are what a bench is for")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use payecs_planner::{
    FailedAt, Graph, GraphShape, HOPS_MAX, HopFailure, Knowledge, Layer, LocalChannel, NoPlan,
    Plan, PlanRequest, Policy, Rng, Route, generate, plan,
};
use payecs_units::{
    Blocks, ChannelDirection, Direction, MicroPercent, Msat, NodeId, Ppm, Seconds, ShortChannelId,
    Timestamp,
};
use std::{collections::BTreeMap, time::Instant};

/// Who pays.
const US: NodeId = NodeId([9; 33]);
/// Our channels, and the size of each.
const OUR_CHANNELS: u64 = 10;
const OUR_CAPACITY: Msat = Msat(500_000_000_000);
/// Most tries of one payment.
const TRIES_MAX: u32 = 10;

struct Sizes {
    nodes: u64,
    lessons: u64,
    plans: u64,
    seed: u64,
}

impl Sizes {
    fn set(&mut self, name: &str, number: u64) {
        match name {
            "nodes" => self.nodes = number,
            "lessons" => self.lessons = number,
            "plans" => self.plans = number,
            "seed" => self.seed = number,
            other => panic!("`{other}` is no number of this bench: see its head"),
        }
    }
}

/// A network, what really is on its channels, and what we know of that.
struct World {
    graph: Graph,
    local: Vec<LocalChannel>,
    liquidity: BTreeMap<ChannelDirection, Msat>,
    knowledge: Knowledge,
    now: Timestamp,
    seed: u64,
}

impl World {
    fn new(sizes: &Sizes) -> Self {
        let nodes = u32::try_from(sizes.nodes).unwrap();
        let shape =
            GraphShape { nodes, channels_per_node: 3, seed: sizes.seed, ..GraphShape::default() };
        let others = generate(&shape);
        let mut builder = others.to_builder();
        let mut local = Vec::new();
        for number in 0..OUR_CHANNELS.min(sizes.nodes) {
            let peer =
                others.nodes()[usize::try_from(number * sizes.nodes / OUR_CHANNELS).unwrap()];
            let scid = ShortChannelId(600_000 << 40 | number << 16);
            builder.add_channel(scid, US, peer, OUR_CAPACITY).unwrap();
            for direction in [Direction::Zero, Direction::One] {
                builder.set_policy(ChannelDirection { scid, direction }, terms()).unwrap();
            }
            local.push(ours(scid, peer));
        }
        let graph = builder.build();
        Self {
            liquidity: liquidity(&graph, &mut Rng::new(sizes.seed)),
            graph,
            local,
            knowledge: Knowledge::default(),
            now: Timestamp(1_767_225_600_000),
            seed: sizes.seed,
        }
    }

    fn request(&self, number: u64, destination: NodeId, amount: Msat) -> PlanRequest {
        PlanRequest {
            source: US,
            destination,
            amount_msat: amount,
            fee_budget_msat: Msat((amount.0 / 200).max(5_000)),
            delay_max_blocks: Blocks(2_016),
            final_cltv_blocks: Blocks(20),
            parts_max: 16,
            hops_max: HOPS_MAX,
            risk_factor_micro_percent: MicroPercent(10_000_000),
            exclude: Vec::new(),
            hints: Vec::new(),
            policies: Vec::new(),
            layer: Layer::default(),
            shadow: false,
            local: self.local.clone(),
            announced_first_hops: false,
            first_hop: None,
            last_hop: None,
            now: self.now,
            seed: number ^ self.seed << 32,
        }
    }

    fn small(&self, number: u64) -> PlanRequest {
        self.request(number, self.payee(number), Msat((1 + number % 100) * 1_000))
    }

    fn large(&self, number: u64) -> PlanRequest {
        let mut rng = Rng::new(number ^ self.seed << 32);
        let doublings = rng.below(9);
        let amount = Msat((10_000_000 << doublings) + rng.below(10_000_000 << doublings));
        self.request(number, self.payee(number), amount)
    }

    fn circle(&self, number: u64) -> PlanRequest {
        let mut rng = Rng::new(number ^ self.seed << 32);
        let most = 100_000 << rng.below(11);
        let amount = Msat(1_000 + rng.below(most));
        self.request(number, US, amount)
    }

    fn payee(&self, number: u64) -> NodeId {
        let nodes = self.graph.nodes();
        let others = nodes.len() as u64 - 1;
        let place = usize::try_from(number * 7_919 % others).unwrap();
        let node = nodes[place];
        if node == US { nodes[place + 1] } else { node }
    }

    /// Pays, and learns from it; a part is tried again elsewhere when it fails.
    fn learn(&mut self, request: &PlanRequest) {
        for _ in 0..TRIES_MAX {
            let asked = PlanRequest { now: self.now, ..request.clone() };
            let Ok(plan) = plan(&self.graph, &self.knowledge, &asked) else { break };
            self.now = self.now.after(Seconds(1));
            let tried: Vec<bool> = plan.routes.iter().map(|route| self.tried(route)).collect();
            if tried.iter().all(|paid| *paid) {
                break;
            }
        }
    }

    fn tried(&mut self, route: &Route) -> bool {
        self.knowledge.sent(route);
        let hops = || route.hops.iter();
        let lacks =
            hops().position(|hop| self.liquidity[&hop.short_channel_id_dir] < hop.amount_msat);
        if let Some(index) = lacks {
            let at = FailedAt::Hop { index, kind: HopFailure::LiquidityLack };
            self.knowledge.failed(route, at, self.now);
            return false;
        }
        for hop in hops() {
            let there = hop.short_channel_id_dir;
            let back = ChannelDirection { direction: there.direction.reversed(), ..there };
            let amount = hop.amount_msat;
            let from = self.liquidity.get_mut(&there).unwrap();
            *from = from.checked_sub(amount).unwrap();
            let to = self.liquidity.get_mut(&back).unwrap();
            *to = to.checked_add(amount).unwrap();
        }
        self.knowledge.paid(route, self.now);
        true
    }

    fn taught(mut self, lessons: u64) -> Self {
        for number in 0..lessons {
            let request = self.small(number);
            self.learn(&request);
        }
        self
    }
}

/// Any share of a channel is on the one side, the rest on the other.
fn liquidity(graph: &Graph, rng: &mut Rng) -> BTreeMap<ChannelDirection, Msat> {
    let both = graph.channels().flat_map(|channel| {
        let (scid, all) = (channel.short_channel_id, channel.capacity.0);
        let here = rng.below(all + 1);
        [(Direction::Zero, here), (Direction::One, all - here)]
            .map(|(direction, msat)| (ChannelDirection { scid, direction }, Msat(msat)))
    });
    both.collect()
}

fn terms() -> Policy {
    Policy {
        enabled: true,
        fee_base_msat: Msat(0),
        fee_rate: Ppm(100),
        cltv_delta: Blocks(40),
        htlc_minimum_msat: Msat(1),
        htlc_maximum_msat: OUR_CAPACITY,
    }
}

fn ours(short_channel_id: ShortChannelId, peer: NodeId) -> LocalChannel {
    LocalChannel {
        short_channel_id,
        peer,
        spendable_msat: Msat(OUR_CAPACITY.0 / 5 * 4),
        receivable_msat: Msat(OUR_CAPACITY.0 / 5),
        htlc_minimum_msat: Msat(1),
        htlc_maximum_msat: OUR_CAPACITY,
        free_slots: 483,
        dust_room_msat: OUR_CAPACITY,
        usable: true,
    }
}

/// What a row came to.
#[derive(Default)]
struct Told {
    plans: f64,
    routes: usize,
    none: u64,
    fee_msat: u64,
    chance: f64,
    digest: u64,
}

impl Told {
    fn add(&mut self, number: u64, answer: &Result<Plan, NoPlan>) {
        self.plans += 1.0;
        match answer {
            Ok(plan) => {
                self.routes += plan.routes.len();
                self.fee_msat += plan.routes.iter().map(|route| route.fee().0).sum::<u64>();
                self.chance += f64::from(plan.probability_ppm) / 1e6;
            }
            Err(_) => self.none += 1,
        }
        let text = format!("{number} {answer:?}");
        if std::env::var_os("DUMP").is_some() {
            println!("{text}");
        }
        let fnv = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.digest = self.digest.wrapping_add(text.bytes().fold(0xcbf2_9ce4_8422_2325, fnv));
    }
}

fn row(name: &str, plans: u64, mut each: impl FnMut(u64) -> (f64, Result<Plan, NoPlan>)) {
    let (mut told, mut micros) = (Told::default(), Vec::new());
    for number in 0..plans {
        let (took, answer) = each(number);
        told.add(number, &answer);
        micros.push(took);
    }
    micros.sort_by(f64::total_cmp);
    let median = micros.get(micros.len() / 2).copied().unwrap_or_default();
    let Told { plans, routes, none, fee_msat, chance, digest } = told;
    println!(
        "{name:8} {:8.1} µs mean {median:8.1} µs median  {plans} plans, {none} without a route, \
         {routes} routes, fee {fee_msat} msat, chance {:.6}, digest {digest:016x}",
        micros.iter().sum::<f64>() / plans,
        chance / plans,
    );
}

fn timed(world: &World, request: &PlanRequest) -> (f64, Result<Plan, NoPlan>) {
    let begun = Instant::now();
    let answer = plan(&world.graph, &world.knowledge, request);
    (begun.elapsed().as_secs_f64() * 1e6, answer)
}

fn main() {
    let mut sizes = Sizes { nodes: 1_000, lessons: 3_000, plans: 2_000, seed: 1 };
    let mut rows = Vec::new();
    // Cargo adds `--bench`.
    for word in std::env::args().skip(1).filter(|word| word != "--bench") {
        match word.split_once('=') {
            None => rows.push(word),
            Some((name, number)) => sizes.set(name, number.parse().unwrap()),
        }
    }
    let wanted = |name: &str| rows.is_empty() || rows.iter().any(|row| row == name);
    let world = World::new(&sizes);
    if wanted("new") {
        row("new", sizes.plans, |number| timed(&world, &world.small(number)));
    }
    let mut world = world.taught(sizes.lessons);
    if wanted("known") {
        row("known", sizes.plans, |number| timed(&world, &world.small(number)));
    }
    if wanted("large") {
        row("large", sizes.plans / 10, |number| timed(&world, &world.large(number)));
    }
    if wanted("circle") {
        row("circle", sizes.plans / 4, |number| timed(&world, &world.circle(number)));
    }
    if wanted("patched") {
        row("patched", sizes.plans / 10, |number| {
            world.graph = world.graph.to_builder().build();
            timed(&world, &world.small(number))
        });
    }
}
