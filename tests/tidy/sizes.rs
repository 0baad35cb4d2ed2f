//! How long things may be.

use super::{
    functions::functions,
    mask::mask,
    ratchet::{self, Measure},
    tree::{self, TextFile},
};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 100;
const LIB_CODE_LINES_MAX: usize = 60;
const LIB_BODY_LINES_MAX: usize = 10;

#[test]
fn files_functions_lines_and_lib_rs_stay_small() {
    let measures: Vec<_> = tree::sources().flat_map(measure).collect();
    let list = tree::file(ratchet::PATH).expect("the list of exceptions exists");
    tree::assert_none(&ratchet::faults(&measures, &list.text));
}

fn measure(file: &TextFile) -> Vec<Measure> {
    let masked = mask(&file.text);
    let of = |line, kind: &str, size, max, advice: &str| Measure {
        path: file.path.clone(),
        line,
        kind: kind.to_owned(),
        size,
        max,
        advice: advice.to_owned(),
    };
    let lines = file.text.lines().count();
    let mut measures = vec![of(1, "file", lines, FILE_LINES_MAX, "split the file")];
    let long = long_lines(&file.text);
    if let Some(first) = long.first() {
        let advice = format!("wrap what is over {LINE_CHARS_MAX} characters, lines {long:?}");
        measures.push(of(*first, "long-lines", long.len(), 0, &advice));
    }
    for found in functions(&masked) {
        let kind = format!("function:{}", found.name);
        let advice = "split the function";
        measures.push(of(found.line, &kind, found.lines, FUNCTION_LINES_MAX, advice));
        if file.name() == "lib.rs" {
            let kind = format!("lib-function:{}", found.name);
            let advice = "move it to a module: lib.rs holds no logic";
            measures.push(of(found.line, &kind, found.body_lines, LIB_BODY_LINES_MAX, advice));
        }
    }
    if file.name() == "lib.rs" {
        let code = masked.lines().filter(|line| !line.trim().is_empty()).count();
        let advice = "move code to modules: lib.rs holds no logic";
        measures.push(of(1, "lib-code", code, LIB_CODE_LINES_MAX, advice));
    }
    measures
}

/// The numbers of the lines that are too long.
fn long_lines(text: &str) -> Vec<usize> {
    let too_long = |line: &str| line.chars().count() > LINE_CHARS_MAX;
    text.lines().enumerate().filter(|(_, line)| too_long(line)).map(|(at, _)| at + 1).collect()
}

#[test]
fn each_bound_is_measured() {
    let long_line = format!("// {}\n", "x".repeat(98));
    let long_function = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(69));
    let text = format!("{long_line}{long_function}");
    let over = |path: &str| -> Vec<(String, usize)> {
        let file = TextFile { path: path.to_owned(), text: text.clone() };
        let over = measure(&file).into_iter().filter(|found| found.size > found.max);
        over.map(|found| (found.kind, found.size)).collect()
    };
    let always = [("long-lines".to_owned(), 1), ("function:f".to_owned(), 71)];
    assert_eq!(over("a/src/b.rs"), always);
    let lib = [("lib-function:f".to_owned(), 69), ("lib-code".to_owned(), 71)];
    assert_eq!(over("a/src/lib.rs"), [always, lib].concat());
}

#[test]
fn a_line_is_counted_in_characters() {
    assert!(long_lines(&"é".repeat(100)).is_empty());
    assert_eq!(long_lines(&format!("a\n{}", "é".repeat(101))), [2]);
}
