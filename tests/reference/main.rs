//! The generated pages are what the program says now.

use payecs_tests::docgen::{pages, root};
use std::fs;

#[test]
fn generated_pages_are_what_the_program_says() {
    for page in pages() {
        let path = root().join(&page.path);
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page.text,
            "{} is not what the program says now: run `cargo docgen`",
            page.path.display()
        );
    }
}
