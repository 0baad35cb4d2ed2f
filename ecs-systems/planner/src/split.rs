//! Which paths together deliver an amount: one where one will do, else several.

use crate::cost::failure_cost;
use crate::net::Net;
use crate::path::{Load, Path, joint_neg_ln_micro};
use crate::search::{Question, cheapest};
use payecs_units::{Blocks, MicroPercent, Msat};

/// A part is not smaller than this share of the amount, nor than 1 sat.
const PARTS_OF_AMOUNT_MAX: u64 = 64;
const PART_MIN: Msat = Msat(1_000);
/// Most parts, whatever the request allows.
const PARTS_MAX: usize = 128;
/// Most paths looked for one after the other: those along the same edges merge into one part.
const ROUNDS_MAX: usize = 256;
/// Halvings until an amount goes, then of the range up to twice that, to find the widest path.
const HALVINGS: u32 = 6;
const WIDEN_STEPS: u32 = 4;
/// One path is taken as it is where −ln P is not above this: P = 25 %.
const GOOD_MICRO_NATS: u64 = 1_386_295;

/// How much is to arrive, within which limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) amount: Msat,
    pub(crate) fee_max: Msat,
    pub(crate) delay_max: Blocks,
    pub(crate) parts_max: usize,
}

/// What counts beside the fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weights {
    per_nat: Msat,
    risk: MicroPercent,
}

impl Weights {
    /// −ln P = 1 is worth 0.1 % of the whole amount and 1 sat; delay as the request says.
    pub(crate) fn of(net: &Net<'_>) -> Self {
        let per_nat = Msat((net.request.amount_msat.0 / 1_000).saturating_add(1_000));
        Self { per_nat, risk: net.request.risk_factor_micro_percent }
    }

    /// Nothing but the fee.
    pub(crate) const FEE_ONLY: Self = Self { per_nat: Msat::ZERO, risk: MicroPercent(0) };
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

    /// The best path by these weights.
    fn best(&self, amount: Msat, weights: Weights) -> Option<Path> {
        let question = Question {
            amount,
            fee_max: self.ask.fee_max.saturating_sub(self.fee()),
            delay_max: self.ask.delay_max,
            per_nat: weights.per_nat,
            risk: weights.risk,
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

    /// The most, up to `rest`, that goes along the edges of `path`, which itself goes.
    fn stretched(&self, path: &Path, rest: Msat) -> Path {
        let fee_max = self.ask.fee_max.saturating_sub(self.fee());
        let goes = |amount| {
            let path = Path::priced(self.net, &path.edges, Msat(amount))?;
            path.neg_ln_micro(self.net, &self.load)?;
            (path.fee() <= fee_max).then_some(path)
        };
        let (mut low, mut high) = (path.amount().0, rest.0);
        let mut best = path.clone();
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match goes(middle) {
                Some(path) => (low, best) = (middle, path),
                None => high = middle - 1,
            }
        }
        best
    }

    /// Stretches the paths one after the other, as far as what is missing goes along them.
    fn fill(&mut self) {
        for _ in 0..self.paths.len() {
            let rest = self.ask.amount.saturating_sub(self.amount());
            let path = self.paths.remove(0);
            self.load = Load::of(self.net, &self.paths);
            let most = Msat(path.amount().0.saturating_add(rest.0));
            let path = self.stretched(&path, most);
            self.paths.push(path);
        }
        self.load = Load::of(self.net, &self.paths);
    }

    /// A path for `rest`, or for as much of it as some path carries, to about 6 % before it is
    /// stretched to the msat. Nothing above `level` is tried: less went there before. Answers what
    /// went before the stretch, too.
    fn widest(&self, rest: Msat, level: Msat) -> Option<(Path, Msat)> {
        let probe = |amount| self.best(amount, Weights::FEE_ONLY);
        let floor = self.ask.floor();
        let most = rest.min(level);
        if probe(most).is_none() {
            let halves = (1..=HALVINGS).map(|times| Msat(most.0 >> times));
            let mut halves = halves.take_while(|it| *it >= floor);
            let mut low = halves.find(|amount| probe(*amount).is_some())?;
            let mut high = Msat(low.0.saturating_mul(2).min(most.0));
            for _ in 0..WIDEN_STEPS {
                let middle = Msat(low.0 + (high.0 - low.0) / 2);
                *(if probe(middle).is_some() { &mut low } else { &mut high }) = middle;
            }
            return Some((self.with_room_for_more(self.find(low)?, rest), low));
        }
        Some((self.with_room_for_more(self.find(most)?, rest), most))
    }

    /// The path stretched, but so that what is left is nothing or no less than the floor.
    fn with_room_for_more(&self, path: Path, rest: Msat) -> Path {
        if path.amount() == rest {
            return path;
        }
        let floor = self.ask.floor();
        let best = self.stretched(&path, rest);
        let left = rest.saturating_sub(best.amount());
        if left == Msat::ZERO || left >= floor {
            return best;
        }
        let fee_max = self.ask.fee_max.saturating_sub(self.fee());
        Some(rest.saturating_sub(floor))
            .filter(|less| *less >= floor)
            .and_then(|less| Path::priced(self.net, &best.edges, less))
            .filter(|less| less.fee() <= fee_max)
            .filter(|less| less.neg_ln_micro(self.net, &self.load).is_some())
            .unwrap_or(best)
    }

    /// Fee, what failing costs, and a tenth of −ln P = 1 for each part.
    fn score(&self, per_nat: Msat) -> Option<u128> {
        let micro_nats = joint_neg_ln_micro(self.net, &self.paths)?;
        let parts = u64::try_from(self.paths.len()).ok()?;
        let micro_nats = micro_nats.checked_add(parts.checked_mul(100_000)?)?;
        Some(u128::from(self.fee().0) + u128::from(failure_cost(micro_nats, per_nat)?))
    }
}

/// Halves what doesn't go in one, or goes badly, until each part goes. `None` where that needs too
/// many parts or too small ones.
fn by_halving<'a>(net: &'a Net<'a>, ask: Ask, weights: Weights) -> Option<Parts<'a>> {
    let mut parts = Parts::new(net, ask, weights);
    let mut pending = vec![ask.amount];
    for _ in 0..ROUNDS_MAX {
        let Some(amount) = pending.pop() else { return Some(parts) };
        let half = Msat(amount.0 / 2);
        let room = parts.paths.len() + pending.len() + 2 <= ask.parts_max();
        let divisible = room && half >= ask.floor();
        let found = parts.find(amount);
        let goes_well = found.as_ref().is_some_and(|path| {
            path.neg_ln_micro(net, &parts.load).is_some_and(|cost| cost <= GOOD_MICRO_NATS)
        });
        match found {
            Some(path) if goes_well || !divisible => parts.take(path),
            Some(_) | None if divisible => {
                pending.extend([amount.saturating_sub(half), half]);
            }
            Some(_) | None => return None,
        }
        if parts.paths.len() + pending.len() > ask.parts_max() {
            return None;
        }
    }
    None
}

/// Takes the widest path again and again: few parts. What it delivers may be less than asked.
pub(crate) fn by_widest<'a>(net: &'a Net<'a>, ask: Ask, weights: Weights) -> Parts<'a> {
    let mut parts = Parts::new(net, ask, weights);
    let mut level = ask.amount;
    for _ in 0..ROUNDS_MAX {
        let rest = ask.amount.saturating_sub(parts.amount());
        if rest == Msat::ZERO {
            break;
        }
        let Some((path, went)) = parts.widest(rest, level) else { break };
        level = went;
        let before = parts.paths.clone();
        parts.take(path);
        if parts.paths.len() > ask.parts_max() {
            parts.paths = before;
            parts.load = Load::of(net, &parts.paths);
            break;
        }
    }
    parts.fill();
    parts
}

/// Paths for `ask` found by the fee alone: one, or the widest ones. Where this finds some, so does
/// [`solve`]. `None` where it found none.
pub(crate) fn solve_cheaply(net: &Net<'_>, ask: Ask) -> Option<Vec<Path>> {
    if let Some(path) = Parts::new(net, ask, Weights::FEE_ONLY).find(ask.amount) {
        return Some(vec![path]);
    }
    if !ask.is_divisible() {
        return None;
    }
    let widest = by_widest(net, ask, Weights::FEE_ONLY);
    (widest.amount() == ask.amount).then_some(widest.paths)
}

/// The best set of paths that was found for `ask`, within every limit. `None` where none was.
pub(crate) fn solve(net: &Net<'_>, ask: Ask, weights: Weights) -> Option<Vec<Path>> {
    let mut found = Vec::new();
    let mut single = Parts::new(net, ask, weights);
    if let Some(path) = single.best(ask.amount, weights) {
        let good = path.neg_ln_micro(net, &single.load).is_some_and(|it| it <= GOOD_MICRO_NATS);
        single.take(path);
        if good || !ask.is_divisible() {
            return Some(single.paths);
        }
        found.push(single);
    }
    if ask.is_divisible() {
        let widest = by_widest(net, ask, weights);
        let whole = (widest.amount() == ask.amount).then_some(widest);
        found.extend(by_halving(net, ask, weights).into_iter().chain(whole));
    }
    let scored = found.into_iter().map(|parts| (parts.score(weights.per_nat), parts.paths));
    let best = scored.min_by_key(|(score, _)| score.unwrap_or(u128::MAX));
    best.map(|(_, paths)| paths).or_else(|| solve_cheaply(net, ask))
}
