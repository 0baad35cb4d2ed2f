//! The generated pages are what the program says now.

use ecs_systems::errors::of;
use payecs_tests::docgen::{method_errors, pages, root};
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

#[test]
fn the_errors_of_methods_are_explained() {
    let all = method_errors();
    let unknown: Vec<_> = all.iter().filter(|(_, code)| of(*code).is_none()).collect();
    assert!(all.len() > 10 && unknown.is_empty(), "{unknown:?}");
}
