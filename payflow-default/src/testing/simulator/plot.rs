//! What happens under a seed: a world and numbered deeds, each drawn for itself, so that one can be
//! left out and all others stay what they are.

use super::{
    faults,
    offers::{self, Receiving},
    rogues, strangers,
    world::{FIRST_CHANCE, World},
};
use ecs_systems::{planner::Rng, units::Msat};
use std::{collections::BTreeSet, fmt};

/// Deeds have the numbers from this on.
const FIRST_DEED: u32 = 20;
/// Most deeds of a seed.
const DEEDS_MAX: u64 = 160;
/// The fewest.
const DEEDS_MIN: u64 = 40;

/// Something that is done.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) number: u32,
    /// When, after the beginning.
    pub(super) at_ms: u64,
    pub(super) what: What,
}

/// What is done.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A client pays an invoice.
    Pay(Wish),
    /// A client pays the invoice of that deed again, as it was or as another request.
    Again { of: u32, same: bool },
    /// A client cancels the payment of that deed.
    Cancel { of: u32 },
    /// A client asks how the payment of that deed stands.
    Look { of: u32 },
    /// The client of that deed goes away.
    Leave { of: u32 },
    /// A client lists payments.
    List,
    /// We pay a receipt of our own.
    Ourselves { amount: Msat },
    /// Another node pays us, in so many parts, of which it leaves some out.
    Receive { amount: Msat, from: usize, parts: u32, short: bool, twice: bool, any: bool },
    /// Something goes wrong in the network, in that row of the table.
    Fault { row: usize, seed: u64 },
    /// The engine dies after so many more steps between which it may.
    Die { steps: u64, how: Death },
    /// A snapshot is written.
    Snapshot,
    /// The disk is full for so long.
    Full { for_ms: u64 },
    /// The sync after so many fails.
    SyncFails { after: u64 },
    /// The clock of the engine stands still for so long, and jumps then.
    Jump { by_ms: u64 },
    /// The clock goes back.
    Back { by_ms: u64 },
    /// Our node restarts.
    Restart,
    /// Something about a paycode.
    Receiving(Receiving),
}

/// How the engine dies, and what a bit does that is flipped before it comes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    /// Power is lost, with this seed; else the process is killed.
    pub(super) power: Option<u64>,
    /// How long it is away.
    pub(super) away_ms: u64,
    /// A bit of the files is flipped in a copy, which is opened first.
    pub(super) flip: Option<u64>,
}

/// A payment as a client wants it.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// The payee among the other nodes.
    pub(super) payee: usize,
    pub(super) amount: Msat,
    pub(super) kind: Kind,
    pub(super) several_parts: bool,
    pub(super) fee_budget: Option<Msat>,
    pub(super) retry_for_s: u64,
    /// Whether it has an idempotency key.
    pub(super) key: bool,
    /// Whether the answer is to come with the last part.
    pub(super) waits_for_all: bool,
    /// The name of a System that means no good, and before which of the default ones it stands.
    pub(super) rogue: Option<(&'static str, usize)>,
}

/// Whose amount it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The invoice's.
    Invoices,
    /// The client's: the invoice leaves it open.
    Clients,
    /// The invoice's and so many percent of it more.
    Overpaid(u64),
}

/// All that happens under a seed.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) seed: u64,
    pub(super) world: World,
    /// In order of time.
    pub(super) deeds: Vec<Deed>,
    /// When the last deed is done, after the beginning.
    pub(super) load_ms: u64,
}

impl Plot {
    /// Draws what happens under a seed, but for the decisions with these numbers; where others pay
    /// us, mostly that.
    pub(super) fn draw(seed: u64, without: &BTreeSet<u32>, receive: bool) -> Self {
        let mut rng = Rng::new(seed);
        let load_ms = 1_000 * (30 + rng.below(570));
        let count = DEEDS_MIN + rng.below(DEEDS_MAX - DEEDS_MIN);
        let count = u32::try_from(count).expect("it is small");
        let temper = Temper::draw(&mut rng);
        let mut world = World::draw(&mut rng, without);
        if receive {
            world.is_poor();
        }
        let numbers = FIRST_DEED..FIRST_DEED + count;
        let all = numbers.flat_map(|number| {
            if receive {
                Deed::draw_receiving(seed, number, count, load_ms, temper)
            } else {
                vec![Deed::draw(seed, number, count, load_ms, temper)]
            }
        });
        let is_out = |deed: &Deed| {
            without.contains(&deed.number) || without.contains(&offers::origin(deed.number))
        };
        let mut deeds: Vec<Deed> = all.filter(|deed| !is_out(deed)).collect();
        deeds.sort_by_key(|deed| (deed.at_ms, deed.number));
        Self { seed, world, deeds, load_ms }
    }

    /// The numbers of all that was drawn and is not left out.
    pub(super) fn numbers(&self) -> Vec<u32> {
        let chances = self.world.chances().into_iter().zip(FIRST_CHANCE..);
        let chances = chances.filter(|(ppm, _)| *ppm > 0).map(|(_, number)| number);
        chances.chain(self.deeds.iter().map(|deed| deed.number)).collect()
    }
}

/// What of it all a seed has.
#[derive(Clone, Copy, Debug)]
struct Temper {
    faults: u64,
    deaths: u64,
    disk: u64,
    rogues: u64,
}

impl Temper {
    fn draw(rng: &mut Rng) -> Self {
        let mut weight = |rarely: u64, often: u64| {
            let drawn = rng.below(3);
            [0, rarely, often][usize::try_from(drawn).unwrap_or(0)]
        };
        Self {
            faults: weight(4, 15),
            deaths: weight(2, 6),
            disk: weight(1, 2),
            rogues: weight(5, 20),
        }
    }
}

impl Deed {
    fn draw(seed: u64, number: u32, count: u32, load_ms: u64, temper: Temper) -> Self {
        let mut rng = Rng::new(seed ^ (u64::from(number) << 32));
        let at_ms = rng.below(load_ms);
        let what = What::draw(&mut rng, count, temper);
        Self { number, at_ms, what }
    }

    /// Half of all deeds are paycodes, with all that follows.
    fn draw_receiving(
        seed: u64,
        number: u32,
        count: u32,
        load_ms: u64,
        temper: Temper,
    ) -> Vec<Self> {
        let mut rng = Rng::new(seed ^ (u64::from(number) << 32));
        let at_ms = rng.below(load_ms);
        if rng.chance(500_000) {
            let what = What::draw(&mut rng, count, temper);
            return vec![Self { number, at_ms, what }];
        }
        let all = offers::draw(&mut rng, number).into_iter();
        let mut all: Vec<_> = all.map(|(after, what)| (after, What::Receiving(what))).collect();
        // While HTLCs are on their way, or just here.
        if temper.faults > 0 && rng.chance(100_000) {
            let row = faults::FAULTS.len() + index(&mut rng, faults::RECEIVING.len());
            all.push((rng.below(5_000), What::Fault { row, seed: rng.next_u64() }));
        }
        if temper.deaths > 0 && rng.chance(80_000) {
            let (steps, how) = (rng.below(12), Death::draw(&mut rng));
            all.push((100 + rng.below(5_000), What::Die { steps, how }));
        }
        let numbered = (0..).map(|nth| number + nth * offers::STRIDE).zip(all);
        numbered
            .map(|(number, (after_ms, what))| Self { number, at_ms: at_ms + after_ms, what })
            .collect()
    }
}

/// Draws what is done, where there are so many deeds.
type Draw = fn(&mut Rng, u32, Temper) -> What;

impl What {
    fn draw(rng: &mut Rng, count: u32, temper: Temper) -> Self {
        let rows: [(u64, Draw); 17] = [
            (60, |rng, _, temper| Self::Pay(Wish::draw(rng, temper))),
            (6, |rng, count, _| Self::Again { of: other(rng, count), same: rng.chance(500_000) }),
            (4, |rng, count, _| Self::Cancel { of: other(rng, count) }),
            (5, |rng, count, _| Self::Look { of: other(rng, count) }),
            (4, |rng, count, _| Self::Leave { of: other(rng, count) }),
            (1, |_, _, _| Self::List),
            (3, |rng, _, _| Self::Ourselves { amount: amount(rng) }),
            (12, |rng, _, _| Self::draw_receive(rng)),
            (temper.faults, |rng, _, _| Self::Fault {
                row: index(rng, faults::FAULTS.len()),
                seed: rng.next_u64(),
            }),
            (temper.deaths, |rng, _, _| Self::Die { steps: rng.below(40), how: Death::draw(rng) }),
            (1 + temper.deaths, |_, _, _| Self::Snapshot),
            (temper.disk, |rng, _, _| Self::Full { for_ms: 1_000 + rng.below(60_000) }),
            (temper.disk, |rng, _, _| Self::SyncFails { after: 1 + rng.below(20) }),
            (1, |rng, _, _| Self::Jump { by_ms: 1_000 * (1 + rng.below(3_600)) }),
            (1, |rng, _, _| Self::Back { by_ms: 1 + rng.below(7_200_000) }),
            (1, |_, _, _| Self::Restart),
            (temper.deaths / 2, |rng, _, _| Self::Die { steps: 0, how: Death::draw(rng) }),
        ];
        let mut drawn = rng.below(rows.iter().map(|(weight, _)| weight).sum());
        for (weight, draw) in rows {
            if drawn < weight {
                return draw(rng, count, temper);
            }
            drawn -= weight;
        }
        Self::List
    }

    fn draw_receive(rng: &mut Rng) -> Self {
        let parts = if rng.chance(600_000) { 1 } else { 1 + index(rng, 4) };
        Self::Receive {
            amount: Msat(1 + amount(rng).0 / 4),
            from: index(rng, 1_000),
            parts: u32::try_from(parts).expect("it is small"),
            short: rng.chance(100_000),
            twice: rng.chance(100_000),
            any: rng.chance(200_000),
        }
    }
}

impl Death {
    fn draw(rng: &mut Rng) -> Self {
        let power = rng.chance(500_000).then(|| rng.next_u64());
        let away_ms = if rng.chance(700_000) { rng.below(2_000) } else { rng.below(600_000) };
        let flip = rng.chance(200_000).then(|| rng.next_u64());
        Self { power, away_ms, flip }
    }
}

impl Wish {
    fn draw(rng: &mut Rng, temper: Temper) -> Self {
        let kind = match rng.below(8) {
            0 | 1 => Kind::Clients,
            2 => Kind::Overpaid(rng.below(111)),
            _ => Kind::Invoices,
        };
        let has_rogue = rng.below(100) < temper.rogues;
        Self {
            payee: index(rng, 1_000),
            amount: amount(rng),
            kind,
            several_parts: rng.chance(850_000),
            fee_budget: rng.chance(300_000).then(|| Msat(rng.below(2_000_000))),
            retry_for_s: rng.below(120),
            key: rng.chance(250_000),
            waits_for_all: rng.chance(300_000),
            rogue: has_rogue.then(|| (rogue(rng), index(rng, 1_000))),
        }
    }
}

/// A System that means no good, of this process or of another.
fn rogue(rng: &mut Rng) -> &'static str {
    let here = rogues::ROGUES.iter().map(|rogue| rogue.name);
    let all: Vec<_> = here.chain(strangers::STRANGERS.iter().map(|it| it.name)).collect();
    all[index(rng, all.len())]
}

/// From 1 msat to more than a channel has: most are small.
pub(super) fn amount(rng: &mut Rng) -> Msat {
    let bits = if rng.chance(850_000) { 10 + rng.below(17) } else { rng.below(34) };
    Msat((1 << bits) + rng.below(1 << bits))
}

/// The number of another deed.
fn other(rng: &mut Rng, count: u32) -> u32 {
    FIRST_DEED + u32::try_from(rng.below(u64::from(count))).expect("it is below a count")
}

/// A number below `n`.
pub(super) fn index(rng: &mut Rng, n: usize) -> usize {
    let n = u64::try_from(n).expect("a length fits 64 bits");
    usize::try_from(rng.below(n)).expect("it is below a length")
}

impl fmt::Display for Deed {
    #[expect(clippy::use_debug, reason = "a trace has all that was drawn")]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "deed {}: {:?}", self.number, self.what)
    }
}
