//! Which paths together deliver an amount: one where one will do, else several.

use crate::flow::Flow;
use crate::net::Net;
use crate::path::{Load, Path};
use crate::search::{LABELS_MAX, Question, cheapest};
use crate::share::Shares;
use crate::weights::Weights;
use crate::wide::{TRUST_WHOLE, Wish, share_ppm, widest};
use payecs_units::{Blocks, Msat};

/// A part is not smaller than this share of the amount, nor than 1 sat.
const PARTS_OF_AMOUNT_MAX: u64 = 64;
const PART_MIN: Msat = Msat(1_000);
/// Most parts, whatever the request allows.
const PARTS_MAX: usize = 128;
/// A flow is looked for in at most so many units at first.
const UNITS_MAX: usize = 10;
/// How much of what is not known of a direction wide paths count on, the one after the other: a
/// half, then half of the rest each time, then all.
const TRUSTS: [u64; 6] = [32, 48, 56, 60, 62, TRUST_WHOLE];
/// What a part less is worth, in millionths of −ln P = 1.
pub(crate) const PART_MICRO_NATS: u64 = 20_000;
/// Where several parts may do instead, so many labels are spent on one path at first.
const LABELS_FIRST_MAX: usize = 20_000;
/// One path is taken as it is where −ln P is not above this: P = 60 %.
const GOOD_MICRO_NATS: u64 = 500_000;

/// Where the fees of a flow are above the budget, what counts beside them is halved that often at
/// most.
const HALVINGS_MAX: u32 = 8;

/// How much is to arrive, within which limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) amount: Msat,
    pub(crate) fee_max: Msat,
    pub(crate) delay_max: Blocks,
    pub(crate) parts_max: usize,
}

impl Ask {
    /// The smallest part that is worth one.
    fn floor(&self) -> Msat {
        Msat((self.amount.0 / PARTS_OF_AMOUNT_MAX).max(PART_MIN.0))
    }

    /// Whether it may go in several parts.
    fn is_divisible(&self) -> bool {
        self.parts_max() >= 2 && self.amount.0 / 2 >= self.floor().0
    }

    /// In how many units a flow is looked for at first: three fifths as many as there may be parts,
    /// so that some are left for what fails; then as many.
    fn large_units(&self) -> impl Iterator<Item = u32> + use<> {
        let parts = self.parts_max().min(UNITS_MAX);
        self.units([(parts * 3).div_ceil(5), parts])
    }

    /// In how many units it is looked for at last.
    fn small_units(&self) -> impl Iterator<Item = u32> + use<> {
        let parts = self.parts_max().min(UNITS_MAX);
        self.units([parts * 2, parts * 4])
    }

    fn units(&self, counts: [usize; 2]) -> impl Iterator<Item = u32> + use<> {
        let (amount, floor) = (self.amount, self.floor());
        let counts = counts.into_iter().filter_map(|count| u32::try_from(count).ok());
        counts.filter(move |count| *count > 1 && amount.0 / u64::from(*count) >= floor.0)
    }

    /// What a part carries at least where there is a choice. Where small parts arrive and large
    /// ones don't, few are left for much.
    fn worthwhile(&self) -> Msat {
        let parts = u64::try_from(self.parts_max()).unwrap_or(u64::MAX);
        Msat(self.amount.0 / parts.max(1) / 4 * 3)
    }

    fn parts_max(&self) -> usize {
        self.parts_max.min(PARTS_MAX)
    }
}

/// The paths found so far, and what they carry.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    net: &'a Net<'a>,
    ask: Ask,
    weights: Weights,
    pub(crate) paths: Vec<Path>,
    pub(crate) load: Load,
}

impl<'a> Parts<'a> {
    fn new(net: &'a Net<'a>, ask: Ask, weights: Weights) -> Self {
        Self { net, ask, weights, paths: Vec::new(), load: Load::default() }
    }

    fn fee(&self) -> Msat {
        Msat::sum(self.paths.iter().map(Path::fee)).unwrap_or(Msat(u64::MAX))
    }

    /// What all the paths deliver.
    pub(crate) fn amount(&self) -> Msat {
        Msat::sum(self.paths.iter().map(Path::amount)).unwrap_or(Msat::ZERO)
    }

    fn is_whole(&self) -> bool {
        self.amount() == self.ask.amount
    }

    /// The best path by these weights.
    fn best(&self, amount: Msat, weights: Weights) -> Option<Path> {
        self.best_of(amount, weights, LABELS_MAX)
    }

    /// The same, given up beyond so many labels.
    fn best_of(&self, amount: Msat, weights: Weights, labels_max: usize) -> Option<Path> {
        let question = Question {
            amount,
            fee_max: self.ask.fee_max.saturating_sub(self.fee()),
            delay_max: self.ask.delay_max,
            per_nat: weights.per_nat(),
            labels_max,
            risk: weights.risk(),
        };
        cheapest(self.net, &self.load, &question)
    }

    /// The best path, where there is one at all: that is found out by the fee alone, which is
    /// quick, since many amounts are tried in vain.
    fn find(&self, amount: Msat) -> Option<Path> {
        let cheap = self.best(amount, Weights::FEE_ONLY)?;
        match self.weights {
            Weights::FEE_ONLY => Some(cheap),
            weights => self.best(amount, weights).or(Some(cheap)),
        }
    }

    /// Takes a path in; merges it with one along the same edges where the limits admit that.
    fn take(&mut self, path: Path) {
        let twin = self.paths.iter().position(|other| other.edges == path.edges);
        let merged = twin.and_then(|twin| self.merged(twin, &path));
        match (twin, merged) {
            (Some(twin), Some(merged)) => self.paths[twin] = merged,
            (Some(_) | None, _) => self.paths.push(path),
        }
        self.load = Load::of(self.net, &self.paths);
    }

    fn merged(&self, twin: usize, path: &Path) -> Option<Path> {
        let mut others = self.paths.clone();
        let old = others.remove(twin);
        let amount = old.amount().checked_add(path.amount())?;
        let merged = Path::priced(self.net, &old.edges, amount)?;
        merged.neg_ln_micro(self.net, &Load::of(self.net, &others))?;
        let fee = Msat::sum(others.iter().map(Path::fee).chain([merged.fee()]))?;
        (fee <= self.ask.fee_max).then_some(merged)
    }

    /// The most, up to `most`, that goes along `edges`.
    fn along(&self, edges: &[u32], most: Msat) -> Option<Path> {
        let fee_max = self.ask.fee_max.saturating_sub(self.fee());
        let goes = |amount| {
            let path = Path::priced(self.net, edges, Msat(amount))?;
            let within = path.fee() <= fee_max
                && path.delay() <= self.ask.delay_max
                && path.edges.len() <= self.net.hops_max()
                && !self.net.is_there_and_back(edges);
            within.then_some(())?;
            path.neg_ln_micro(self.net, &self.load)?;
            Some(path)
        };
        if let Some(path) = goes(most.0) {
            return Some(path);
        }
        let (mut low, mut high) = (0, most.0.saturating_sub(1));
        let mut best = None;
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match goes(middle) {
                Some(path) => (low, best) = (middle, Some(path)),
                None => high = middle - 1,
            }
        }
        best
    }

    /// Stretches the paths one after the other, as far as what is missing goes along them.
    fn fill(&mut self) {
        for _ in 0..self.paths.len() {
            let rest = self.ask.amount.saturating_sub(self.amount());
            if rest == Msat::ZERO {
                break;
            }
            let path = self.paths.remove(0);
            self.load = Load::of(self.net, &self.paths);
            let most = Msat(path.amount().0.saturating_add(rest.0));
            let longer = self.along(&path.edges, most).filter(|it| it.amount() > path.amount());
            self.paths.push(longer.unwrap_or(path));
        }
        self.load = Load::of(self.net, &self.paths);
    }
}

/// Parts of equal size, each found by itself beside those before it: all of them, or as many as
/// find a way.
fn one_by_one<'a>(net: &'a Net<'a>, ask: Ask, weights: Weights, count: usize) -> Parts<'a> {
    let mut parts = Parts::new(net, ask, weights);
    for left in (1..=count as u64).rev() {
        let rest = ask.amount.saturating_sub(parts.amount());
        let part = (rest > Msat::ZERO).then(|| parts.find(Msat(rest.0.div_ceil(left))));
        let Some(path) = part.flatten() else { break };
        parts.take(path);
    }
    parts
}

/// What came of a flow.
#[derive(Debug)]
struct Flowed<'a> {
    /// All of it, or as much as found a way.
    parts: Parts<'a>,
    /// All of it would, were it not for the fee budget.
    is_too_dear: bool,
}

/// The cheapest flow in so many equal units, or as many of them as find a way, taken apart into
/// paths, over which what they carry is then shared out anew.
fn in_units<'a>(net: &'a Net<'a>, ask: Ask, weights: Weights, units: u32) -> Flowed<'a> {
    let unit = Msat(ask.amount.0.div_ceil(units.into()));
    let mut flow = Flow::new(net, weights, unit);
    flow.send(units);
    let mut shares = Shares::new(net, weights, flow.paths(), unit, ask.parts_max());
    drop(flow);
    shares.share(ask.amount, ask.worthwhile());
    let shares = shares.parts();
    let parts = along_each(net, ask, weights, &shares);
    let at_any_fee = Ask { fee_max: Msat(u64::MAX), ..ask };
    let is_too_dear = !parts.is_whole() && along_each(net, at_any_fee, weights, &shares).is_whole();
    Flowed { parts, is_too_dear }
}

/// What these paths carry, the one after the other, each as much as it is to at first.
fn along_each<'a>(
    net: &'a Net<'a>,
    ask: Ask,
    weights: Weights,
    shares: &[(Vec<u32>, Msat)],
) -> Parts<'a> {
    let mut parts = Parts::new(net, ask, weights);
    for (edges, most) in shares {
        let rest = ask.amount.saturating_sub(parts.amount());
        let path = parts.along(edges, rest.min(*most)).filter(|_| rest > Msat::ZERO);
        if let Some(path) = path {
            parts.take(path);
        }
    }
    parts.fill();
    parts
}

/// Parts along the widest paths, the one after the other, until a path carries the rest: all of
/// them, or as many as find a way. A path that is narrower than what is left for each part that
/// may follow is of no use, nor one that is dearer than the rest may be.
fn by_width<'a>(net: &'a Net<'a>, ask: Ask, trust: u64) -> Parts<'a> {
    let mut parts = Parts::new(net, ask, Weights::FEE_ONLY);
    for left in (1..=ask.parts_max() as u64).rev() {
        let rest = ask.amount.saturating_sub(parts.amount());
        if rest == Msat::ZERO {
            break;
        }
        let fee_left = ask.fee_max.saturating_sub(parts.fee());
        let wish = Wish {
            least: Msat(rest.0.div_ceil(left)),
            most: rest,
            fee_max_ppm: share_ppm(fee_left, rest),
            delay_max: ask.delay_max,
            trust,
        };
        let path = widest(net, &parts.load, &wish);
        let Some(path) = path.and_then(|(edges, width)| parts.along(&edges, width)) else { break };
        parts.take(path);
    }
    parts
}

/// The cheapest flow that carries everything in one of these numbers of units, the first that does.
/// Else whether one would, were it not for the fee budget.
fn by_flow<'a>(
    net: &'a Net<'a>,
    ask: Ask,
    weights: Weights,
    units: impl Iterator<Item = u32>,
) -> Result<Parts<'a>, bool> {
    let in_units = |units| {
        if net.is_circle() {
            // A flow would go out and home by the same channel.
            let count = ask.parts_max().min(units as usize);
            Flowed { parts: one_by_one(net, ask, weights, count), is_too_dear: false }
        } else {
            in_units(net, ask, weights, units)
        }
    };
    let mut would_go = false;
    for Flowed { parts, is_too_dear } in units.map(in_units) {
        if parts.is_whole() {
            return Ok(parts);
        }
        would_go |= is_too_dear;
    }
    Err(would_go)
}

/// The cheapest flow where its fees are above the budget: what counts beside them is halved as
/// often as it takes, and no more often. That is the search for the multiplier of the fee of the
/// Lagrangian relaxation, by bisection.
fn by_cheaper_flow<'a>(net: &'a Net<'a>, ask: Ask, weights: Weights) -> Option<Parts<'a>> {
    let flow = |weights| by_flow(net, ask, weights, ask.large_units()).ok();
    let mut found = flow(Weights::FEE_ONLY)?;
    let mut halvings = 1..=HALVINGS_MAX;
    while !halvings.is_empty() {
        let (least, most) = halvings.into_inner();
        let middle = u32::midpoint(least, most);
        halvings = match flow(weights.halved(middle)) {
            Some(parts) => {
                found = parts;
                least..=middle.saturating_sub(1)
            }
            None => middle.saturating_add(1)..=most,
        };
    }
    Some(found)
}

/// As much of `ask` as was found to go, by the fee alone.
pub(crate) fn as_much_as_goes<'a>(net: &'a Net<'a>, ask: Ask) -> Parts<'a> {
    if net.is_circle() {
        return one_by_one(net, ask, Weights::FEE_ONLY, ask.parts_max());
    }
    let units = ask.small_units().last().unwrap_or(1);
    let flow = in_units(net, ask, Weights::FEE_ONLY, units).parts;
    let wide = by_width(net, ask, TRUST_WHOLE);
    if wide.amount() > flow.amount() { wide } else { flow }
}

/// Paths for `ask` found by the fee alone, or by what they carry: one, or several. Where this finds
/// some, so does [`solve`]. `None` where it found none.
pub(crate) fn solve_cheaply(net: &Net<'_>, ask: Ask) -> Option<Vec<Path>> {
    if let Some(path) = Parts::new(net, ask, Weights::FEE_ONLY).find(ask.amount) {
        return Some(vec![path]);
    }
    if !ask.is_divisible() {
        return None;
    }
    let wide = || {
        let trusts = TRUSTS.into_iter().filter(|_| !net.is_circle());
        trusts.map(|trust| by_width(net, ask, trust)).find(Parts::is_whole)
    };
    let units = ask.large_units().chain(ask.small_units());
    let found = wide().or_else(|| by_flow(net, ask, Weights::FEE_ONLY, units).ok());
    found.map(|parts| parts.paths)
}

/// Paths for `ask` within every limit: one with a good chance, else the cheapest flow that was
/// found, else one with whatever chance, else a flow with less of a chance for less fees, else
/// whatever carries it. `None` where nothing was found.
pub(crate) fn solve(net: &Net<'_>, ask: Ask, weights: Weights) -> Option<Vec<Path>> {
    let one = |labels_max| Parts::new(net, ask, weights).best_of(ask.amount, weights, labels_max);
    let alone = |path| vec![path];
    let several = || by_flow(net, ask, weights, ask.large_units());
    let cheaper = || by_cheaper_flow(net, ask, weights).map(|parts| parts.paths);
    let found = if net.is_circle() || !ask.is_divisible() {
        one(LABELS_MAX).map(alone).or_else(|| several().ok().map(|parts| parts.paths))
    } else {
        match one(LABELS_FIRST_MAX) {
            Some(path) if is_good(net, &path) => Some(alone(path)),
            first => match several() {
                Ok(parts) => Some(parts.paths),
                Err(is_too_dear) => {
                    first.map(alone).or_else(|| is_too_dear.then(cheaper).flatten())
                }
            },
        }
    };
    found.or_else(|| solve_cheaply(net, ask))
}

/// Whether a path is taken as it is.
fn is_good(net: &Net<'_>, path: &Path) -> bool {
    let micro_nats = path.neg_ln_micro(net, &Load::default());
    micro_nats.is_some_and(|it| it <= GOOD_MICRO_NATS)
}
