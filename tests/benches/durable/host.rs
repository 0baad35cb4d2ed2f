//! What the machine says of itself, of this process and of its threads.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

/// The cores, and how busy they are: runnable tasks over the last 1, 5 and 15 minutes.
pub(crate) fn told() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    format!("{cores} cores, load {}", load.join(" "))
}

/// What of this process is in memory, in MiB.
pub(crate) fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1_024.0
}

/// What this process has handed to the system to be written, in bytes.
pub(crate) fn written_bytes() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar:"));
    line.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
}

/// How long each thread has had a core, by its name; threads of one name are summed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent(BTreeMap<String, u64>);

impl Spent {
    /// Of the threads that live now.
    pub(crate) fn now() -> Self {
        let mut spent = Self::default();
        for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let nanos = read("schedstat").split_whitespace().next().and_then(|it| it.parse().ok());
            *spent.0.entry(read("comm").trim().to_owned()).or_default() += nanos.unwrap_or(0);
        }
        spent
    }

    /// What was spent since then.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let of = |name: &String| before.0.get(name).copied().unwrap_or(0);
        Self(
            self.0
                .iter()
                .map(|(name, nanos)| (name.clone(), nanos.saturating_sub(of(name))))
                .collect(),
        )
    }

    /// By threads whose name begins so.
    pub(crate) fn by(&self, name: &str) -> Duration {
        let nanos = self.0.iter().filter(|(thread, _)| thread.starts_with(name));
        Duration::from_nanos(nanos.map(|(_, nanos)| nanos).sum())
    }

    pub(crate) fn all(&self) -> Duration {
        self.by("")
    }
}

/// Times a piece of work.
pub(crate) fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed())
}
