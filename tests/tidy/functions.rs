//! Finds functions and how long they are.

use super::mask::{is_name, line_at, words};

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name; of a function inside a macro perhaps `$name`.
    pub(crate) name: String,
    /// The line of the word `fn`, from 1.
    pub(crate) line: usize,
    /// Lines from the word `fn` to the closing brace, both included.
    pub(crate) lines: usize,
    /// Lines between the braces.
    pub(crate) body_lines: usize,
}

/// The functions in masked source, nested ones too, in the order of their first lines.
pub(crate) fn functions(masked: &str) -> Vec<Function> {
    words(masked, "fn").filter_map(|at| function(masked, at)).collect()
}

fn function(masked: &str, at: usize) -> Option<Function> {
    let after = masked[at + "fn".len()..].trim_start();
    let name: String = after.chars().take_while(|&c| is_name(c) || c == '$').collect();
    if name.is_empty() {
        return None; // a function pointer
    }
    let open = body_start(masked, masked.len() - after.len() + name.len())?;
    let close = body_end(masked, open);
    let (line, first, last) = (line_at(masked, at), line_at(masked, open), line_at(masked, close));
    let body_lines = (last - first).saturating_sub(1);
    Some(Function { name, line, lines: last - line + 1, body_lines })
}

/// The brace that opens the body of a signature that goes on at `from`; `None` without a body.
fn body_start(masked: &str, from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in masked.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.checked_sub(1)?,
            b'{' if depth == 0 => return Some(at),
            b';' | b'}' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The brace that closes the one at `open`; the last byte if none does.
fn body_end(masked: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in masked.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    masked.len() - 1
}

#[test]
fn a_function_reaches_from_its_name_to_its_closing_brace() {
    for (source, expected) in [
        ("fn f() {}", vec![("f", 1, 1, 0)]),
        ("fn f() {\n    g();\n}\n", vec![("f", 1, 3, 1)]),
        ("fn f(\n    a: [u8; 2],\n) -> [u8; 2]\nwhere\n{\n    a\n}", vec![("f", 1, 7, 1)]),
        ("trait T {\n    fn f();\n    fn g() -> [u8; 2] {\n    }\n}", vec![("g", 3, 2, 0)]),
        ("fn f() {\n    fn g() {\n    }\n}", vec![("f", 1, 4, 2), ("g", 2, 2, 0)]),
        ("const F: fn(u8) -> u8 = g;", vec![]),
        ("($n:ident) => { fn $n() {\n} }", vec![("$n", 1, 2, 0)]),
        ("($b:block) => { fn f() $b }", vec![]),
        ("fn f() { if a { b } else { c } }\nfn g() {}", vec![("f", 1, 1, 0), ("g", 2, 1, 0)]),
    ] {
        let found = functions(source);
        let found: Vec<_> =
            found.iter().map(|f| (f.name.as_str(), f.line, f.lines, f.body_lines)).collect();
        assert_eq!(found, expected, "{source}");
    }
}

#[test]
fn braces_in_literals_do_not_end_a_function() {
    let masked = super::mask::mask("fn f() {\n    g('}', \"}\"); // }\n}\n");
    assert_eq!(functions(&masked)[0].lines, 3);
}
