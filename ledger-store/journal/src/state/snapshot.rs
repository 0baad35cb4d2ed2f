//! Snapshots: what stands for all records up to one.

use super::{DIR, SEGMENT, SNAPSHOT, Seq, StateLog, file_of};
use crate::{
    disk::{self, Cause, Disk, DiskError, Open},
    error::{Damage, Error, Harm},
    file::{Class, FileHeader, HEADER_END, LogId},
    frame::Kind,
    scan::{Found, Scan},
    tail::{FrameDigest, Tail},
};
use std::sync::Arc;

/// A snapshot is kept in pieces of at most this size.
const PIECE_BYTES: usize = 1 << 20;
/// How many snapshots are kept: the newest, and the one before in case it gets damaged.
const GENERATIONS: usize = 2;

impl StateLog {
    /// Writes a snapshot that stands for all records up to `seq`, and removes what it replaces.
    ///
    /// It blocks for as long as the writing takes; [`StateLog::begin_snapshot`] does not.
    /// `ledger_synced` says up to which record the ledger lines are durable in the ledger: a record
    /// is their only copy until then.
    ///
    /// # Errors
    /// As [`StateLog::begin_snapshot`], [`SnapshotWriter::write`] and [`StateLog::adopt`]. The log
    /// goes on after [`Error::Full`]: a snapshot never takes from the reserve.
    pub fn snapshot<P: AsRef<[u8]>>(
        &mut self,
        seq: Seq,
        ledger_synced: Seq,
        pieces: impl IntoIterator<Item = P>,
    ) -> Result<(), Error> {
        let mut writer = self.begin_snapshot(seq, ledger_synced)?;
        for piece in pieces {
            writer.write(piece.as_ref())?;
        }
        self.adopt(writer.finish()?)
    }

    /// Begins a snapshot that can be written on another thread while records are appended, and
    /// counts once it is adopted. One at a time.
    ///
    /// # Errors
    /// [`Error::SnapshotAhead`], [`Error::LedgerBehind`], [`Error::SnapshotNotNewer`], or when the
    /// disk refuses. Nothing is changed then, and the log goes on.
    pub fn begin_snapshot(&self, seq: Seq, ledger_synced: Seq) -> Result<SnapshotWriter, Error> {
        self.tail.check()?;
        if seq > self.durable() {
            return Err(Error::SnapshotAhead { asked: seq.0, durable: self.durable });
        }
        if seq > ledger_synced {
            return Err(Error::LedgerBehind { asked: seq.0, synced: ledger_synced.0 });
        }
        if let Some(&newest) = self.snapshots.last().filter(|newest| seq.0 <= **newest) {
            return Err(Error::SnapshotNotNewer { asked: seq.0, newest });
        }
        SnapshotWriter::begin(Arc::clone(&self.disk), self.id, seq)
    }

    /// Counts on a snapshot from now on. Keeps the one before it and the records behind that one,
    /// and removes older snapshots and segments.
    ///
    /// # Errors
    /// When something could not be removed. The snapshot counts and the log goes on; the next
    /// snapshot removes what is left.
    pub fn adopt(&mut self, snapshot: SnapshotFile) -> Result<(), Error> {
        self.snapshots.insert(snapshot.into_number());
        while self.snapshots.len() > GENERATIONS {
            let Some(&oldest) = self.snapshots.first() else { break };
            self.remove(&file_of(oldest, SNAPSHOT))?;
            self.snapshots.remove(&oldest);
        }
        let Some(&kept) = self.snapshots.first().filter(|_| self.snapshots.len() == GENERATIONS)
        else {
            return Ok(());
        };
        // A segment ends where the next begins; the last one is always kept.
        let firsts: Vec<u64> = self.segments.keys().copied().collect();
        for pair in firsts.windows(2) {
            let [first, next] = *pair else { break };
            if next > kept.saturating_add(1) {
                break;
            }
            self.remove(&file_of(first, SEGMENT))?;
            self.segments.remove(&first);
        }
        self.disk.sync_dir(DIR)?;
        self.refill()?;
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        match self.disk.remove(name) {
            Err(error) if error.cause == Cause::Missing => Ok(()),
            removed => removed,
        }
    }
}

/// A snapshot that is being written, on any thread. Dropped unfinished, it leaves nothing that
/// counts.
#[derive(Debug)]
pub struct SnapshotWriter {
    disk: Arc<dyn Disk>,
    seq: Seq,
    name: String,
    tail: Tail,
    pieces: u64,
    total_bytes: u64,
}

impl SnapshotWriter {
    fn begin(disk: Arc<dyn Disk>, id: LogId, seq: Seq) -> Result<Self, Error> {
        let header = FileHeader { class: Class::Snapshot, id, first: seq.0, previous: [0; 32] };
        let name = file_of(seq.0, SNAPSHOT);
        let bytes = header.encode();
        let mut file = disk::unfinished(&*disk, &name).map_err(Error::of_write)?;
        file.write_at(0, &bytes).map_err(Error::of_write)?;
        let tail = Tail::of_new(file, header.seed(), FrameDigest::of(&bytes));
        Ok(Self { disk, seq, name, tail, pieces: 0, total_bytes: 0 })
    }

    /// Writes the next bytes, as many as there are.
    ///
    /// # Errors
    /// When the disk refuses; the snapshot cannot be finished then, and no other one suffers.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.tail.push(Kind::Record, self.pieces, &[piece]);
            self.pieces = self.pieces.saturating_add(1);
            self.total_bytes = self.total_bytes.saturating_add(piece.len() as u64);
            let written = self.tail.write();
            self.judge(written)?;
        }
        Ok(())
    }

    /// Makes the snapshot durable. It counts once [`StateLog::adopt`] took it, or the log is opened
    /// again.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(mut self) -> Result<SnapshotFile, Error> {
        self.tail.push(Kind::End, self.pieces, &[&self.total_bytes.to_le_bytes()]);
        let written = self.tail.write();
        self.judge(written)?;
        let finished = disk::finish(&*self.disk, &self.name, self.tail.file_mut());
        self.judge(finished.map_err(Error::of_write))?;
        Ok(SnapshotFile { seq: self.seq })
    }

    /// After an error, gives back what was taken.
    fn judge(&mut self, done: Result<(), Error>) -> Result<(), Error> {
        if let Err(error) = &done {
            self.tail.fail(error);
            // Opening removes what cannot be removed now.
            let _ = self.disk.remove(&format!("{}{}", self.name, disk::UNFINISHED));
        }
        done
    }
}

/// A snapshot that is whole and durable, to be adopted.
#[derive(Debug)]
#[must_use = "it counts once it is adopted"]
pub struct SnapshotFile {
    seq: Seq,
}

impl SnapshotFile {
    /// The last record that it stands for.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    fn into_number(self) -> u64 {
        self.seq.0
    }
}

/// A snapshot that was found at opening, to be read piece by piece. All of it was checked once, and
/// is checked again as it is read. An error ends it.
#[derive(Debug)]
pub struct Snapshot {
    seq: Seq,
    id: LogId,
    name: String,
    scan: Option<Scan>,
    pieces: u64,
    read_bytes: u64,
}

impl Snapshot {
    /// The last record that it stands for.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    pub(super) fn id(&self) -> LogId {
        self.id
    }

    /// Opens a snapshot and reads it to its end once.
    pub(super) fn check(disk: &dyn Disk, seq: Seq) -> Result<Self, Error> {
        let mut once = Self::open(disk, seq)?;
        while once.piece()?.is_some() {}
        Self::open(disk, seq)
    }

    fn open(disk: &dyn Disk, seq: Seq) -> Result<Self, Error> {
        let name = file_of(seq.0, SNAPSHOT);
        let file = disk.open(&name, Open::Read)?;
        let header = FileHeader::read(&*file, &name, Class::Snapshot)?;
        let scan = Some(Scan::open(file, &name, header.seed())?);
        let snapshot = Self { seq, id: header.id, name, scan, pieces: 0, read_bytes: 0 };
        if header.first == seq.0 { Ok(snapshot) } else { Err(snapshot.damage(0, Harm::Misplaced)) }
    }

    fn piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let Some(scan) = &mut self.scan else { return Ok(None) };
        let (at, end) = (scan.at(), scan.end());
        let (found, payload) = scan.next()?;
        let payload = payload.to_vec();
        let behind = scan.at();
        match found {
            Found::Frame(header) if header.kind == Kind::Record && header.number == self.pieces => {
                self.pieces = self.pieces.saturating_add(1);
                self.read_bytes = self.read_bytes.saturating_add(payload.len() as u64);
                Ok(Some(payload))
            }
            Found::Frame(header)
                if header.kind == Kind::End
                    && header.number == self.pieces
                    && payload == self.read_bytes.to_le_bytes()
                    && behind == end =>
            {
                self.scan = None;
                Ok(None)
            }
            Found::Frame(_) => Err(self.damage(at, Harm::Order)),
            Found::End => Err(self.damage(at, Harm::Missing)),
            Found::Bad => Err(self.damage(at, Harm::Frame)),
        }
    }

    fn damage(&self, offset: u64, harm: Harm) -> Error {
        let holds = self.pieces.checked_sub(1).filter(|_| offset > HEADER_END);
        Damage { file: self.name.clone(), offset, harm, holds, next: None }.into()
    }
}

impl Iterator for Snapshot {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.piece();
        if piece.is_err() {
            self.scan = None;
        }
        piece.transpose()
    }
}
