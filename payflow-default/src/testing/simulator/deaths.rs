//! How the engine dies and comes back, and what becomes of its disk and its clock.

use super::{
    Law,
    clients::Errand,
    host::{Found, Stop},
    plot::{Death, index},
    stage::Stage,
};
use ecs_core::Json;
use ecs_systems::{planner::Rng, units::Timestamp};
use payecs_journal::{Faults, MemoryDisk, Operation};

/// So many payments are asked for after each restart.
const REMEMBERED: usize = 5;
/// After so long whoever waits for room on the disk has seen that there is some.
const TRIED_AGAIN_MS: u64 = 1_000;
/// What a full disk has left.
const LEFT_BYTES: u64 = 2_000;

impl Stage {
    /// The engine dies after so many more steps.
    pub(super) fn doom(&mut self, steps: u64, how: Death) {
        self.death = Some(how);
        if let Some(host) = &mut self.host {
            host.fuel = Some(steps);
        }
        if steps == 0 {
            self.stopped(Stop::Dead);
        }
    }

    /// The engine dies now, and comes back on what the disk has kept.
    pub(super) fn die(&mut self, how: Death) {
        let Some(host) = self.host.take() else { return };
        let synced = host.synced();
        drop(host);
        self.look();
        let disk = self.ground.disk.clone();
        self.full_until = None;
        disk.plan(Faults::default());
        self.report.deaths += 1;
        match how.power {
            None => disk.crash(),
            Some(seed) => disk.power_loss(seed),
        }
        self.report.fault(if how.power.is_some() { "power lost" } else { "process killed" });
        self.config.around.dies(&disk);
        let flipped = how.flip.filter(|_| how.power.is_none()).and_then(|seed| self.flip(seed));
        self.lose_time(how.away_ms);
        self.note(|| format!("the engine died and comes back: {how:?}"));
        let whole = match self.ground.start(self.now, flipped.is_some()) {
            Ok((host, whole)) => {
                self.host = Some(host);
                whole
            }
            Err(error) => {
                let what = format!("after {how:?} the files can't be opened: {error}");
                return self.auditor.breach(Law::Durable, what);
            }
        };
        if let (Some(flipped), Some(whole)) = (flipped, whole) {
            self.judge_damage(&flipped, &whole, synced);
        }
        self.ask_again();
        self.ask_for_codes_again();
    }

    /// Callers who were cut off ask again, and some ask what became of what they were told.
    fn ask_again(&mut self) {
        let cut_off = self.orders.iter().filter(|(_, order)| {
            let was_open = order.call.is_some_and(|call| !self.calls.contains_key(&call));
            was_open && !order.is_over
        });
        // Every second one goes away instead.
        let cut_off: Vec<u32> = cut_off.map(|(deed, _)| *deed).filter(|it| it % 2 == 0).collect();
        for deed in cut_off {
            self.report.payments += 1;
            self.ask_to_pay(deed);
        }
        let known = self.auditor.known();
        let step = (known.len() / REMEMBERED).max(1);
        for hash in known.into_iter().step_by(step).take(REMEMBERED) {
            let params = Json::object([("payment_hash", Json::of(&hash))]);
            self.call(Errand::Remember(hash), "paystatus", &params);
        }
    }

    /// A copy of the files in which a bit is flipped, before anybody opens them.
    fn flip(&self, seed: u64) -> Option<Flipped> {
        let disk = self.ground.disk.fork();
        let (file, at) = flip_a_bit(&disk, &mut Rng::new(seed))?;
        Some(Flipped { disk, file, at })
    }

    /// Whoever opens the copy must say that it is damaged, or find everything that was durable.
    fn judge_damage(&mut self, flipped: &Flipped, whole: &Found, synced: u64) {
        let Flipped { disk, file, at } = flipped;
        let found = self.ground.look_at(disk);
        let named = found.is_err();
        let is_told = match &found {
            Err(_) => !self.config.around.overlooks_damage(),
            Ok(found) => found == whole || (synced..whole.last).contains(&found.last),
        };
        self.report.fault(if named { "flipped bit, named" } else { "flipped bit, without effect" });
        if !is_told {
            let what = format!("bit {at} of {file} was flipped, and nobody noticed");
            self.auditor.breach(Law::DamageIsNamed, what);
        }
    }

    pub(super) fn snapshot(&mut self) {
        let Some(host) = &mut self.host else { return };
        if let Err(stop) = host.snapshot(&*self.config.around) {
            self.look();
            self.stopped(stop);
        }
    }

    /// The disk is full for a while.
    pub(super) fn fill(&mut self, for_ms: u64) {
        let disk = &self.ground.disk;
        let sizes = disk.files().into_iter().filter_map(|name| disk.bytes(&name));
        let used: usize = sizes.map(|bytes| bytes.len()).sum();
        let capacity_bytes = Some(used as u64 + LEFT_BYTES);
        disk.plan(Faults { capacity_bytes, ..Faults::default() });
        self.full_until = Some(self.now.after_ms(for_ms));
        self.auditor.loses(for_ms);
        self.auditor.is_full_until(self.now.after_ms(for_ms + TRIED_AGAIN_MS));
        self.report.fault("disk full");
    }

    /// There is room again.
    pub(super) fn make_room(&mut self) {
        self.ground.disk.plan(Faults::default());
        self.full_until = None;
        self.auditor.loses(0);
        self.auditor.is_full_until(self.now.after_ms(TRIED_AGAIN_MS));
    }

    pub(super) fn break_sync(&mut self, after: u64) {
        let words = Some("input/output error".to_owned());
        let fail = Some((Operation::Sync, after));
        self.full_until = None;
        self.ground.disk.plan(Faults { fail, words, ..Faults::default() });
        self.report.fault("sync fails");
    }

    /// The host sleeps: time passes for everybody else.
    pub(super) fn jump(&mut self, by_ms: u64) {
        self.report.fault("clock jumped");
        self.lose_time(by_ms);
        if let Some(host) = &mut self.host {
            host.now = self.now;
        }
    }

    /// Time passes in which nothing is done.
    fn lose_time(&mut self, milliseconds: u64) {
        self.now = self.now.after_ms(milliseconds);
        self.begin = self.begin.after_ms(milliseconds);
        self.auditor.loses(milliseconds);
    }

    /// The host's clock goes back for a moment.
    pub(super) fn go_back(&mut self, by_ms: u64) {
        self.report.fault("clock went back");
        self.auditor.loses(0);
        if let Some(host) = &mut self.host {
            host.driver.poll(Timestamp(host.now.0.saturating_sub(by_ms)));
        }
    }
}

/// Files with a flipped bit, and which it is.
struct Flipped {
    disk: MemoryDisk,
    file: String,
    at: usize,
}

/// Flips a bit somewhere, and says in which file and where. `None`: there is none.
fn flip_a_bit(disk: &MemoryDisk, rng: &mut Rng) -> Option<(String, usize)> {
    let with_bytes = |name: String| {
        let bytes = disk.bytes(&name).filter(|bytes| !bytes.is_empty())?;
        let is_log = !name.ends_with("reserve") && !name.ends_with("lock");
        is_log.then_some((name, bytes))
    };
    let files: Vec<_> = disk.files().into_iter().filter_map(with_bytes).collect();
    let (name, bytes) = files.get(index(rng, files.len()))?;
    let at = index(rng, bytes.len() * 8);
    let mut bytes = bytes.clone();
    *bytes.get_mut(at / 8)? ^= 1 << (at % 8);
    disk.put(name, &bytes);
    Some((name.clone(), at))
}
