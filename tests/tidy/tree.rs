//! The files that version control would track, read once.

use ignore::WalkBuilder;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// A text file of the tree.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Relative to the root, with `/` between the parts.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
}

impl TextFile {
    /// Whether the name ends in `.extension`.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// The last part of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The directory it is in; empty for the root.
    pub(crate) fn directory(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package is a directory of the workspace").to_path_buf()
}

/// Every text file, in the order of the paths. Files that are not UTF-8 are left out.
pub(crate) fn files() -> &'static [TextFile] {
    static FILES: OnceLock<Vec<TextFile>> = OnceLock::new();
    FILES.get_or_init(read)
}

/// The file at `path`.
pub(crate) fn file(path: &str) -> Option<&'static TextFile> {
    files().iter().find(|file| file.path == path)
}

/// Every Rust source.
pub(crate) fn sources() -> impl Iterator<Item = &'static TextFile> {
    files().iter().filter(|file| file.has_extension("rs"))
}

/// Every Markdown document.
pub(crate) fn documents() -> impl Iterator<Item = &'static TextFile> {
    files().iter().filter(|file| file.has_extension("md"))
}

/// Fails with every fault on a line of its own, if there is one.
#[track_caller]
pub(crate) fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} found:\n{}\n", faults.len(), faults.join("\n"));
}

fn read() -> Vec<TextFile> {
    let root = root();
    // Only the tree's own .gitignore counts: what a machine ignores globally is still checked.
    let walk = WalkBuilder::new(&root)
        .hidden(false)
        .parents(false)
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    let mut files: Vec<TextFile> = walk
        .map(|entry| entry.expect("the tree can be listed").into_path())
        .filter(|path| path.is_file())
        .filter_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            let parts = path.strip_prefix(&root).expect("the walk starts at the root").iter();
            let parts: Vec<_> = parts.map(|part| part.to_string_lossy()).collect();
            Some(TextFile { path: parts.join("/"), text })
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

#[test]
fn the_walk_sees_hidden_files_and_skips_ignored_ones() {
    assert!(file("Cargo.toml").is_some() && file(".gitignore").is_some());
    assert!(files().iter().all(|file| !file.path.starts_with("target/")), "target is ignored");
    assert!(files().iter().all(|file| !file.path.starts_with(".git/")), ".git is not ours");
}
