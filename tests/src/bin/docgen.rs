//! Writes the generated reference pages: `cargo docgen`.

use payecs_tests::docgen::{pages, root};
use std::{fs, io, io::Write, process::ExitCode};

fn main() -> ExitCode {
    match write_pages() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "docgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_pages() -> io::Result<()> {
    for page in pages() {
        fs::write(root().join(&page.path), &page.text)?;
        writeln!(io::stdout(), "{}", page.path.display())?;
    }
    Ok(())
}
