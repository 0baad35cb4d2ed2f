//! Random schedules of appends, syncs, snapshots, crashes, power losses and faults.

use super::{content, open_from, open_ledger, options, shared, snapshot_of};
use payecs_journal::{Error, Faults, LedgerLog, LedgerMark, MemoryDisk, Operation, Seq, StateLog};
use proptest::{collection::vec, prelude::*, sample::select};

#[derive(Clone, Debug)]
enum Act {
    Append(usize),
    Write,
    Sync,
    Snapshot,
    SyncLedger,
    Crash,
    PowerLoss(u64),
    Fail(Operation, u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    use Operation::{Create, Open, Read, Remove, Rename, Reserve, Sync, SyncDir, Truncate, Write};
    let failing = vec![Create, Open, Read, Remove, Rename, Reserve, Sync, SyncDir, Truncate, Write];
    let len = prop_oneof![0..40_usize, 0..900_usize];
    let act = prop_oneof![
        8 => len.prop_map(Act::Append),
        3 => Just(Act::Write),
        5 => Just(Act::Sync),
        2 => Just(Act::Snapshot),
        1 => Just(Act::SyncLedger),
        2 => Just(Act::Crash),
        4 => any::<u64>().prop_map(Act::PowerLoss),
        2 => (select(failing), 1..6_u64).prop_map(|(what, at)| Act::Fail(what, at)),
    ];
    vec(act, 1..60)
}

/// The logs of one process, and what they must never forget.
struct Run {
    disk: MemoryDisk,
    process: Option<(StateLog, LedgerLog)>,
    /// All that was appended and may be there.
    appended: Vec<Vec<u8>>,
    /// How many were acknowledged as durable.
    durable: usize,
    /// How many outlive a crash of the process.
    written: usize,
    /// What the ledger said to be durable when it was last synced.
    mark: Option<LedgerMark>,
}

impl Run {
    fn new() -> Self {
        let disk = MemoryDisk::new();
        Self { disk, process: None, appended: vec![], durable: 0, written: 0, mark: None }
    }

    /// Opens the logs as they are: every acknowledged record is there, and no other than those that
    /// were appended.
    fn open(&mut self, at_least: usize) -> Result<(), Error> {
        let (log, recovered) = StateLog::open(shared(&self.disk), options())?;
        let found = content(recovered)?;
        let count = found.payloads.len();
        assert!(at_least <= count, "{at_least} were acknowledged, {count} are there");
        assert_eq!(found.skipped, []);
        assert_eq!(found.payloads, self.appended[..count], "the records are those appended");
        self.appended.truncate(count);
        (self.durable, self.written) = (count, count);

        // Every other time as after a snapshot that has the mark.
        let mark = self.mark.filter(|_| count.is_multiple_of(2));
        let mut ledger = match mark {
            None => open_ledger(&self.disk)?,
            Some(mark) => open_from(&self.disk, &mark)?,
        };
        let base = found.snapshot.map_or(0, |seq| seq.0);
        assert!(ledger.head().count >= base, "what a snapshot replaces is in the ledger");
        ledger.complete_from(base, self.appended.iter().skip(as_len(base)))?;
        let lines: Result<Vec<_>, _> = ledger.read(0, u64::MAX)?.collect();
        let lines: Vec<_> = lines?.into_iter().map(|line| line.payload).collect();
        assert_eq!(lines, self.appended, "the ledger has the lines of the state log");
        let held = ledger.verify(&mut |_| {}).expect("nobody changed it");
        assert_eq!(held, ledger.head());
        self.process = Some((log, ledger));
        Ok(())
    }

    /// The next life of the program, without faults.
    fn reopen(&mut self, at_least: usize) {
        self.process = None;
        self.disk.plan(Faults::default());
        let opened = self.open(at_least);
        opened.expect("what a crash or power loss leaves is opened");
    }

    fn act(&mut self, act: &Act) -> Result<(), Error> {
        let Some((log, ledger)) = &mut self.process else { return Ok(()) };
        match act {
            Act::Append(len) => {
                let number = u8::try_from(self.appended.len() % 251).expect("it is less");
                let payload = vec![number; *len];
                let seq = log.append(&payload)?;
                self.appended.push(payload);
                assert_eq!(seq.0, self.appended.len() as u64);
            }
            Act::Write => {
                log.write()?;
                self.written = self.appended.len();
            }
            Act::Sync => {
                let seq = log.sync()?;
                self.durable = self.appended.len();
                self.written = self.durable;
                assert_eq!(seq.0, self.durable as u64);
                self.enter()?;
            }
            Act::Snapshot => {
                let asked = Seq(self.durable as u64);
                let first = ledger.sync()?.count == asked.0;
                assert!(first, "the ledger has what is durable");
                self.mark = Some(ledger.mark());
                let pieces = snapshot_of(&self.appended[..self.durable]);
                match log.snapshot(asked, asked, pieces) {
                    Ok(()) | Err(Error::SnapshotNotNewer { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Act::SyncLedger => {
                ledger.sync()?;
                self.mark = Some(ledger.mark());
            }
            Act::Crash => {
                self.disk.crash();
                self.reopen(self.written);
            }
            Act::PowerLoss(seed) => {
                self.disk.power_loss(*seed);
                self.reopen(self.durable);
            }
            Act::Fail(operation, at) => {
                let words = Some("it broke".to_owned());
                let fail = Some((*operation, *at));
                self.disk.plan(Faults { fail, words, ..Faults::default() });
            }
        }
        Ok(())
    }

    /// Takes the lines of durable records into the ledger.
    fn enter(&mut self) -> Result<(), Error> {
        let Some((_, ledger)) = &mut self.process else { return Ok(()) };
        for line in &self.appended[as_len(ledger.head().count)..self.durable] {
            ledger.append(line)?;
        }
        ledger.write()
    }
}

fn as_len(count: u64) -> usize {
    usize::try_from(count).expect("it is small")
}

proptest! {
    #![proptest_config(super::cases(400))]

    #[test]
    fn no_acknowledged_record_is_lost_and_no_other_appears(
        acts in acts(),
        seed in any::<u64>(),
        power in any::<bool>(),
    ) {
        let mut run = Run::new();
        run.reopen(0);
        for act in &acts {
            if run.act(act).is_err() {
                // An error ends the process; what was acknowledged before it counts.
                if power {
                    run.disk.power_loss(seed);
                } else {
                    run.disk.crash();
                }
                run.reopen(run.durable);
            }
        }
        run.disk.power_loss(seed);
        run.reopen(run.durable);
    }
}
