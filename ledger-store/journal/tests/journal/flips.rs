//! One flipped bit anywhere: told with its place, or in a place where it does no harm.

use super::{Content, copy, files, fill, frames, open, payloads, snapshot_of};
use payecs_journal::{Error, MemoryDisk, Seq};

/// Where the structure begins that holds a byte: the file header or a frame.
fn start_of(starts: &[usize], at: usize) -> usize {
    starts.iter().copied().rfind(|start| *start <= at).unwrap_or(0)
}

/// Opens a copy with one bit flipped.
fn flipped(disk: &MemoryDisk, name: &str, at: usize, bit: u8) -> Result<Content, Error> {
    let mut bytes = disk.bytes(name).expect("it is there");
    bytes[at] ^= 1 << bit;
    let changed = copy(disk);
    changed.put(name, &bytes);
    open(&changed).map(|(_, content)| content)
}

#[test]
fn each_flipped_bit_of_each_segment_is_told_with_its_place() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, &[3, 4, 1, 1, 2]).unwrap();
    let segments = files(&disk, ".log");
    assert!(segments.len() > 1, "several segments");
    let last_mark = frames(&disk.bytes(segments.last().unwrap()).unwrap()).pop().unwrap();
    for name in &segments {
        let bytes = disk.bytes(name).unwrap();
        let starts = frames(&bytes);
        for at in 0..bytes.len() {
            let start = start_of(&starts, at);
            let is_last_mark = Some(name) == segments.last() && start == last_mark;
            for bit in [0, 3, 7] {
                match flipped(&disk, name, at, bit) {
                    Err(Error::Damaged(damage)) => {
                        assert_eq!(&damage.file, name);
                        assert_eq!(damage.offset, start as u64, "{name} byte {at} bit {bit}");
                        assert!(!is_last_mark);
                    }
                    Ok(content) => {
                        assert!(is_last_mark, "{name} byte {at} bit {bit} passed");
                        assert_eq!(content.payloads, payloads(11));
                        let torn = content.torn.expect("it is told");
                        assert_eq!((&torn.file, torn.offset), (name, start as u64));
                        assert_eq!((torn.cut_bytes, torn.whole_records), (32, 0));
                    }
                    Err(error) => panic!("{name} byte {at} bit {bit}: {error}"),
                }
            }
        }
    }
}

#[test]
fn damage_names_what_holds_and_what_can_be_read_behind_it() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, &[1, 1, 1]).unwrap();
    let name = files(&disk, ".log").remove(0);
    let starts = frames(&disk.bytes(&name).unwrap());
    // Record, mark, record, mark, record, mark.
    for (frame, holds, next) in [(0, None, Some(1)), (2, Some(1), Some(2)), (4, Some(2), Some(3))] {
        let Err(Error::Damaged(damage)) = flipped(&disk, &name, starts[frame] + 33, 0) else {
            panic!("frame {frame} is damaged");
        };
        assert_eq!((damage.holds, damage.next), (holds, next), "frame {frame}: {damage}");
    }
}

#[test]
fn each_flipped_bit_of_snapshots_is_made_up_for_or_does_no_harm() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    for (end, more) in [(3, 3), (7, 4)] {
        fill(&mut log, &[more]).unwrap();
        log.snapshot(Seq(end), Seq(end), snapshot_of(&payloads(end))).unwrap();
    }
    fill(&mut log, &[2]).unwrap();
    let newest = "state/00000000000000000007.snapshot".to_owned();
    let older = "state/00000000000000000003.snapshot".to_owned();
    for name in [&newest, &older] {
        for at in 0..disk.bytes(name).unwrap().len() {
            let content = flipped(&disk, name, at, 2).unwrap_or_else(|e| panic!("{at}: {e}"));
            assert_eq!(content.payloads, payloads(9), "{name} byte {at}");
            let (snapshot, skipped) =
                if *name == newest { (Seq(3), vec![Seq(7)]) } else { (Seq(7), vec![]) };
            assert_eq!(content.snapshot, Some(snapshot), "{name} byte {at}");
            assert_eq!(content.skipped, skipped, "{name} byte {at}");
        }
    }
    // Both, and the records from the first on are gone.
    let both = copy(&disk);
    for name in [&newest, &older] {
        let mut bytes = disk.bytes(name).unwrap();
        bytes[90] ^= 1;
        both.put(name, &bytes);
    }
    let opened = open(&both);
    let first_gone = !disk.files().contains(&"state/00000000000000000001.log".to_owned());
    match opened {
        Err(Error::Damaged(damage)) => {
            assert!(first_gone);
            assert_eq!(damage.file, newest);
        }
        Ok((_, content)) => {
            assert!(!first_gone);
            assert_eq!(content.payloads, payloads(9));
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn last_group_without_its_mark_looks_torn() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, &[2, 3]).unwrap();
    let name = files(&disk, ".log").remove(0);
    let mut bytes = disk.bytes(&name).unwrap();
    bytes.truncate(bytes.len() - 32);
    let starts = frames(&bytes);
    bytes[starts[3] + 40] ^= 1;
    disk.put(&name, &bytes);
    disk.crash();
    let (_, content) = open(&disk).unwrap();
    assert_eq!(content.payloads, payloads(2));
    let torn = content.torn.expect("it is told");
    assert_eq!((torn.offset, torn.whole_records), (starts[3] as u64, 2));
}
