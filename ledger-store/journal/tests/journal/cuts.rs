//! Files that were cut, are missing or stand in the wrong place.

use super::{copy, files, fill, frames, open, open_with, options, payloads, snapshot_of};
use payecs_journal::{Error, Harm, LogId, MemoryDisk, Seq};

fn filled(groups: &[u64]) -> (MemoryDisk, Vec<String>) {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, groups).unwrap();
    let segments = files(&disk, ".log");
    (disk, segments)
}

#[test]
fn last_segment_cut_anywhere_opens_to_what_is_left() {
    let (disk, segments) = filled(&[3, 4, 1, 1, 2]);
    let name = segments.last().unwrap();
    let bytes = disk.bytes(name).unwrap();
    let starts = frames(&bytes);
    let in_earlier = 11 - records_in(&bytes);
    for len in 0..=bytes.len() {
        let cut = copy(&disk);
        cut.put(name, &bytes[..len]);
        let opened = open(&cut).map(|(_, content)| content);
        if len < 80 {
            let Err(Error::Damaged(damage)) = opened else { panic!("length {len}: {opened:?}") };
            assert_eq!((damage.harm, damage.offset), (Harm::FileHeader, 0));
            continue;
        }
        let content = opened.unwrap_or_else(|error| panic!("length {len}: {error}"));
        let whole = starts.iter().copied().chain([bytes.len()]).filter(|at| *at <= len);
        let end = whole.max().unwrap();
        assert_eq!(content.payloads, payloads(in_earlier + records_in(&bytes[..end])));
        let cut_bytes = content.torn.map_or(0, |torn| torn.cut_bytes);
        assert_eq!(cut_bytes, (len - end) as u64, "length {len}");
        assert_eq!(open_again(&cut).torn, None, "it is cut once");
    }
}

fn open_again(disk: &MemoryDisk) -> super::Content {
    disk.crash();
    open(disk).unwrap().1
}

fn records_in(bytes: &[u8]) -> u64 {
    frames(bytes).iter().filter(|at| bytes[**at + 28] == 1).count() as u64
}

#[test]
fn earlier_segment_cut_anywhere_is_damage() {
    let (disk, segments) = filled(&[3, 4, 1, 1, 2]);
    let name = &segments[0];
    let bytes = disk.bytes(name).unwrap();
    for len in 0..bytes.len() {
        let cut = copy(&disk);
        cut.put(name, &bytes[..len]);
        let opened = open(&cut);
        let Err(Error::Damaged(damage)) = opened else { panic!("length {len}: {opened:?}") };
        assert!([&segments[0], &segments[1]].contains(&&damage.file), "{damage}");
    }
}

#[test]
fn missing_segment_is_damage() {
    let (disk, segments) = filled(&[6, 6, 6, 6]);
    assert!(segments.len() >= 4);
    for (at, name) in segments.iter().enumerate().take(segments.len() - 1) {
        let without = MemoryDisk::new();
        for other in disk.files().iter().filter(|other| *other != name) {
            without.put(other, &disk.bytes(other).unwrap());
        }
        let Err(Error::Damaged(damage)) = open(&without) else { panic!("segment {at}") };
        assert_eq!(damage.harm, Harm::Missing);
    }
}

#[test]
fn segment_of_another_log_or_another_history_is_damage() {
    let (disk, segments) = filled(&[6, 6, 6]);
    let other = MemoryDisk::new();
    let mut others = options();
    others.id = LogId([9; 16]);
    let (mut log, _) = open_with(&other, others).unwrap();
    fill(&mut log, &[6, 6, 6]).unwrap();
    let misplaced = copy(&disk);
    misplaced.put(&segments[1], &other.bytes(&segments[1]).unwrap());
    let Err(Error::Damaged(damage)) = open(&misplaced) else { panic!("of another log") };
    assert_eq!((damage.harm, &damage.file), (Harm::Misplaced, &segments[1]));

    let twin = MemoryDisk::new();
    let (mut log, _) = open(&twin).unwrap();
    for number in 1..=12_u64 {
        let mut payload = super::payload(number);
        payload[0] = b'R';
        log.append(&payload).unwrap();
        if number % 6 == 0 {
            log.sync().unwrap();
        }
    }
    let swapped = copy(&disk);
    swapped.put(&segments[0], &twin.bytes(&segments[0]).unwrap());
    let Err(Error::Damaged(damage)) = open(&swapped) else { panic!("of another history") };
    assert_eq!((damage.harm, &damage.file), (Harm::Chain, &segments[1]));
}

#[test]
fn log_that_ends_before_its_snapshot_is_damage() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, &[3]).unwrap();
    log.snapshot(Seq(3), Seq(3), snapshot_of(&payloads(3))).unwrap();
    let name = "state/00000000000000000001.log";
    let bytes = disk.bytes(name).unwrap();
    for (frame, harm) in [(2, Harm::Missing), (1, Harm::Missing), (0, Harm::Missing)] {
        let cut = copy(&disk);
        cut.put(name, &bytes[..frames(&bytes)[frame]]);
        let Err(Error::Damaged(damage)) = open(&cut) else { panic!("cut at frame {frame}") };
        assert_eq!((damage.harm, damage.file.as_str()), (harm, name));
    }
    let without = MemoryDisk::new();
    let snapshot = "state/00000000000000000003.snapshot";
    without.put(snapshot, &disk.bytes(snapshot).unwrap());
    let Err(Error::Damaged(damage)) = open(&without) else { panic!("without segments") };
    assert_eq!(damage.harm, Harm::Missing);
}

#[test]
fn unknown_version_changes_nothing_and_names_both() {
    let (disk, segments) = filled(&[2]);
    let mut bytes = disk.bytes(&segments[0]).unwrap();
    bytes[8] = 9;
    let crc = crc32c::crc32c(&bytes[..76]).to_le_bytes();
    bytes[76..80].copy_from_slice(&crc);
    disk.put(&segments[0], &bytes);
    disk.crash();
    let error = open(&disk).unwrap_err();
    assert_eq!(error, Error::Version { file: segments[0].clone(), found: 9, ours: 1 });
    assert_eq!(disk.bytes(&segments[0]).unwrap(), bytes);
}
