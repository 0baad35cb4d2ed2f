//! The index of a data directory's ledger: followed on a thread of its own, and what is said of it.

use ledger_store::LedgerHistory;
use payecs_index::{Index, SledBackend, State};
use payecs_journal::LedgerReader;
use std::{io, mem, path::Path, thread::Builder, time::Duration};

/// How often it is said how far an index is that takes long.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Has the history follow a ledger with the index in that directory. Nothing waits for it; what is
/// wrong with it, and how far it is where it is built again, goes to stderr.
pub(super) fn follow(dir: &Path, reader: LedgerReader, history: &LedgerHistory) -> io::Result<()> {
    let (entries, missing) = (reader.written_count(), !dir.exists());
    let index = history.follow(reader, SledBackend::new(dir))?;
    let mut teller = Teller { saying: missing && entries > 0, why: None };
    if teller.saying {
        say(&format!("it is missing and is built from {entries} entries while payments go on"));
    }
    Builder::new().name("payecs-tell-index".to_owned()).spawn(move || teller.tell(&index))?;
    Ok(())
}

/// Watches an index until it does nothing more.
struct Teller {
    /// Something was said that has no end yet.
    saying: bool,
    /// Why it was built again, as it was said.
    why: Option<String>,
}

impl Teller {
    fn tell(&mut self, index: &Index) {
        let mut before = State::Opening;
        loop {
            let state = index
                .wait(TELL_EVERY, |state| mem::discriminant(state) != mem::discriminant(&before));
            let why = index.rebuilt();
            if let Some(why) = why.as_ref().filter(|_| why != self.why) {
                say(&format!("{why}; it is built again while payments go on"));
                self.saying = true;
            }
            self.why = why;
            let long = mem::discriminant(&state) == mem::discriminant(&before);
            match &state {
                State::Opening if long && !self.saying => {
                    say("it is being opened while payments go on");
                    self.saying = true;
                }
                State::CatchingUp(it) if long => {
                    say(&format!("{} of {} entries", it.applied, it.of));
                    self.saying = true;
                }
                State::Opening | State::CatchingUp(_) => {}
                State::Ready(it) => {
                    if mem::take(&mut self.saying) {
                        say(&format!("it has all {} entries", it.applied));
                    }
                }
                State::Failed { why } => {
                    say(&format!(
                        "it has failed: {why}; payments go on, but those that need what is long \
                         over are refused until the next start (code 2322)"
                    ));
                    return;
                }
                State::Stopped => return,
            }
            before = state;
        }
    }
}

fn say(what: &str) {
    eprintln!("index of the ledger: {what}");
}
