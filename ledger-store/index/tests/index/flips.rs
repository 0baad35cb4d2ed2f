//! One changed byte anywhere in sled's files.

use crate::{
    fakes::{Log, brought_up},
    places::{OnSled, copy_of},
};
use payecs_index::SledBackend;
use std::{fs, path::PathBuf};

/// The files below a directory.
fn files(dir: PathBuf) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn a_changed_byte_of_sleds_files_never_crashes_nor_changes_an_answer() {
    let (whole, log) = (OnSled::new(), Log::of(2_000));
    let backend = || SledBackend::new(whole.0.path().join("index"));
    assert_eq!(brought_up(backend(), &log), None);
    assert_eq!(brought_up(backend(), &log), None, "whole, it is not built again");
    let mut rebuilt = 0;
    for file in files(whole.0.path().to_path_buf()) {
        let bytes = fs::read(&file).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let name = file.strip_prefix(whole.0.path()).unwrap();
        for at in (0..24).map(|part| part * used / 24).filter(|_| used > 0) {
            let copy = copy_of(&whole.0);
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            fs::write(copy.path().join(name), changed).unwrap();
            // It asserts that all answers are those of the log.
            let why = brought_up(SledBackend::new(copy.path().join("index")), &log);
            rebuilt += u32::from(why.is_some());
        }
    }
    assert!(rebuilt > 0, "no byte mattered");
}

#[test]
fn an_index_that_was_deleted_while_stopped_is_built_again() {
    let (place, log) = (OnSled::new(), Log::of(500));
    let dir = place.0.path().join("index");
    brought_up(SledBackend::new(&dir), &log);
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(brought_up(SledBackend::new(&dir), &log), None);
    assert_eq!(log.lowest_read(), 0);
}

#[test]
fn files_that_are_not_sleds_come_to_a_whole_index() {
    let (place, log) = (OnSled::new(), Log::of(50));
    let dir = place.0.path().join("index");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("db"), [0x5a; 4_000]).unwrap();
    fs::write(dir.join("conf"), b"nonsense").unwrap();
    // sled may take them for an end that was torn off, or refuse them.
    brought_up(SledBackend::new(&dir), &log);
    assert_eq!(brought_up(SledBackend::new(&dir), &log), None);
}
