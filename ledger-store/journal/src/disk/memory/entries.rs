//! The names of a directory, as a process sees them and as they are durable.

use super::chance::Chance;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    /// Whether its own name is durable.
    durable: bool,
    synced: BTreeMap<String, u64>,
    now: BTreeMap<String, u64>,
    /// What made `now` of `synced`.
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Link(String, u64),
    Unlink(String),
    Rename { from: String, to: String, inode: u64 },
}

impl Directory {
    pub(super) fn names(&self) -> &BTreeMap<String, u64> {
        &self.now
    }

    /// Every file that has a name, or may have one after a power loss.
    pub(super) fn inodes(&self) -> impl Iterator<Item = &u64> {
        let changed = self.changes.iter().filter_map(|change| match change {
            Change::Link(_, inode) | Change::Rename { inode, .. } => Some(inode),
            Change::Unlink(_) => None,
        });
        self.synced.values().chain(self.now.values()).chain(changed)
    }

    pub(super) fn set_durable(&mut self) {
        self.durable = true;
    }

    pub(super) fn put(&mut self, name: &str, inode: u64) {
        self.durable = true;
        self.now.insert(name.to_owned(), inode);
        self.synced.insert(name.to_owned(), inode);
    }

    pub(super) fn link(&mut self, name: &str, inode: u64) {
        self.now.insert(name.to_owned(), inode);
        self.changes.push(Change::Link(name.to_owned(), inode));
    }

    pub(super) fn unlink(&mut self, name: &str) {
        self.now.remove(name);
        self.changes.push(Change::Unlink(name.to_owned()));
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if let Some(inode) = self.now.remove(from) {
            self.now.insert(to.to_owned(), inode);
            let (from, to) = (from.to_owned(), to.to_owned());
            self.changes.push(Change::Rename { from, to, inode });
        }
    }

    pub(super) fn sync(&mut self) {
        self.synced = self.now.clone();
        self.changes.clear();
    }

    /// Keeps any of the changes; whether the directory itself is kept.
    ///
    /// A rename never loses the file: the new name is there before the old one goes.
    pub(super) fn lose_power(&mut self, chance: &mut Chance) -> bool {
        for change in std::mem::take(&mut self.changes) {
            if !chance.keeps() {
                continue;
            }
            match change {
                Change::Link(name, inode) => {
                    self.synced.insert(name, inode);
                }
                Change::Unlink(name) => {
                    self.synced.remove(&name);
                }
                Change::Rename { from, to, inode } => {
                    self.synced.insert(to, inode);
                    if chance.keeps() {
                        self.synced.remove(&from);
                    }
                }
            }
        }
        self.now = self.synced.clone();
        self.durable || chance.keeps()
    }
}
