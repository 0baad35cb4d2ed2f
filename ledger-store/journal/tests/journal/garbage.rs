//! Files with any content: an error, or what was written; never a panic, never anything else.

use super::{copy, fill, open, open_ledger, payloads, snapshot_of};
use payecs_journal::{MemoryDisk, SchnorrKey, Seq, checkpoints, verify};
use proptest::{collection::vec, prelude::*};

fn good() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, &[4]).unwrap();
    log.snapshot(Seq(4), Seq(4), snapshot_of(&payloads(4))).unwrap();
    fill(&mut log, &[3, 5]).unwrap();
    let mut ledger = open_ledger(&disk).unwrap();
    for line in payloads(12) {
        ledger.append(&line).unwrap();
    }
    ledger.sync().unwrap();
    copy(&disk)
}

#[derive(Clone, Debug)]
enum Change {
    Flip(usize, u8),
    Cut(usize),
    Append(Vec<u8>),
    Replace(Vec<u8>),
    Overwrite(usize, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = || vec(prop_oneof![Just(0), any::<u8>()], 0..200);
    prop_oneof![
        4 => (any::<usize>(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        2 => any::<usize>().prop_map(Change::Cut),
        1 => bytes().prop_map(Change::Append),
        1 => bytes().prop_map(Change::Replace),
        2 => (any::<usize>(), bytes()).prop_map(|(at, bytes)| Change::Overwrite(at, bytes)),
    ]
}

fn changed(mut bytes: Vec<u8>, change: &Change) -> Vec<u8> {
    let place = |at: &usize, len: usize| at % (len + 1);
    match change {
        Change::Flip(at, bit) if !bytes.is_empty() => {
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
        }
        Change::Flip(..) => {}
        Change::Cut(len) => bytes.truncate(place(len, bytes.len())),
        Change::Append(more) => bytes.extend(more),
        Change::Replace(with) => bytes.clone_from(with),
        Change::Overwrite(at, with) => {
            let at = place(at, bytes.len());
            for (to, from) in bytes[at..].iter_mut().zip(with) {
                *to = *from;
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(super::cases(600))]

    #[test]
    fn no_content_of_files_brings_a_panic_or_a_record_that_was_not_written(
        changes in vec((any::<usize>(), change()), 1..4),
    ) {
        let disk = good();
        let files = disk.files();
        for (file, change) in &changes {
            let name = &files[file % files.len()];
            disk.put(name, &changed(disk.bytes(name).unwrap(), change));
        }
        if let Ok((_, content)) = open(&disk) {
            let count = content.payloads.len() as u64;
            prop_assert_eq!(content.payloads, payloads(count));
        }
        let verified = verify(&disk, &[], &mut |_| {});
        if let Ok(ledger) = open_ledger(&disk) {
            let lines: Result<Vec<_>, _> = ledger.read(0, u64::MAX).unwrap().collect();
            let lines: Vec<_> = lines.unwrap().into_iter().map(|line| line.payload).collect();
            prop_assert_eq!(&lines, &payloads(lines.len() as u64));
        } else {
            prop_assert!(verified.is_err(), "what cannot be opened does not verify");
        }
    }

    #[test]
    fn any_bytes_under_any_name_of_ours_are_refused_or_passed_over(
        bytes in vec(any::<u8>(), 0..300),
    ) {
        for name in [
            "state/00000000000000000001.log",
            "state/00000000000000000013.log",
            "state/00000000000000000099.snapshot",
            "state/1.log",
            "state/x.log",
            "state/99999999999999999999.log",
            "state/18446744073709551615.log",
            "state/18446744073709551615.snapshot",
            "state/00000000000000000005.log.tmp",
        ] {
            let disk = good();
            disk.put(name, &bytes);
            if let Ok((_, content)) = open(&disk) {
                prop_assert_eq!(content.payloads, payloads(12), "{}", name);
            }
        }
        let disk = good();
        disk.put("ledger/checkpoints", &bytes);
        disk.put("ledger/key", &bytes);
        prop_assert!(checkpoints(&disk).is_err() || bytes.is_empty());
        prop_assert!(SchnorrKey::open(&disk, "ledger/key", [1; 32]).is_err());
    }
}
