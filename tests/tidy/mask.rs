//! Blanks what is no code, so that a search finds code only.

/// `source` with every comment, string and character literal replaced by spaces.
///
/// Bytes and lines keep their places. Raw strings, nested comments, escapes and lifetimes are
/// understood; what does not compile may be masked wrongly, but never makes this panic.
pub(crate) fn mask(source: &str) -> String {
    let mut masked = String::with_capacity(source.len());
    let mut rest = source;
    let mut before = ' ';
    while let Some(next) = rest.chars().next() {
        let hidden = hidden_len(rest, before);
        if hidden == 0 {
            masked.push(next);
            before = next;
            rest = &rest[next.len_utf8()..];
        } else {
            let (blanked, after) = rest.split_at(hidden);
            masked.extend(blanked.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            before = ' ';
            rest = after;
        }
    }
    masked
}

/// Whether `letter` can be part of a name.
pub(crate) fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Where the word `word` begins in `masked`, each time it stands alone.
pub(crate) fn words<'a>(masked: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    masked.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let raw_name = masked[..at].ends_with("r#");
        let joined_before = masked[..at].chars().next_back().is_some_and(is_name);
        let joined_after = masked[at + word.len()..].chars().next().is_some_and(is_name);
        !(raw_name || joined_before || joined_after)
    })
}

/// The number, from 1, of the line that byte `at` is on.
pub(crate) fn line_at(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// How many bytes at the start of `rest` are comment or literal; 0 where code goes on.
fn hidden_len(rest: &str, before: char) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_len(rest);
    }
    if !is_name(before)
        && let Some(len) = raw_string_len(rest)
    {
        return len;
    }
    match rest.chars().next() {
        Some('"') => quoted_len(rest, '"'),
        Some('\'') => char_len(rest),
        _ => 0,
    }
}

fn block_comment_len(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a raw string with its prefix; `None` where there is none.
fn raw_string_len(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r"].into_iter().find(|prefix| rest.starts_with(prefix))?;
    let after = &rest[prefix.len()..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let body_len = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(prefix.len() + hashes + 1 + body_len)
}

/// The length of a literal that starts and ends with `quote`, escapes stepped over.
fn quoted_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// The length of a character literal; 0 for a lifetime.
fn char_len(rest: &str) -> usize {
    let mut letters = rest.char_indices().skip(1);
    match (letters.next(), letters.next()) {
        (Some((_, '\\')), _) => quoted_len(rest, '\''),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[test]
fn literals_and_comments_become_spaces_and_code_stays() {
    for (source, masked) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        ("a /* b\n", "a     \n"),
        (r#"f("}", 1)"#, "f(   , 1)"),
        (r#"f("\"}", 1)"#, "f(     , 1)"),
        (r##"f(r#"""}"#, 1)"##, "f(        , 1)"),
        (r#"f(br"\", 1)"#, "f(     , 1)"),
        (r#"f(b"}", b'}')"#, "f(b   , b   )"),
        (r"f('{', '\'', '\u{7b}')", "f(   ,     ,         )"),
        ("f('é')", "f(    )"),
        ("fn f<'a, 'b>(x: &'a str) {}", "fn f<'a, 'b>(x: &'a str) {}"),
        ("r#fn(bar)", "r#fn(bar)"),
        ("\"open", "     "),
    ] {
        assert_eq!(mask(source), masked, "{source}");
        assert_eq!(mask(source).len(), source.len(), "{source}");
    }
}

#[test]
fn a_word_is_found_only_where_it_stands_alone() {
    assert_eq!(words("fn r#fn fnx xfn _fn fn", "fn").collect::<Vec<_>>(), [0, 20]);
    assert_eq!(line_at("a\nb\nc", 4), 3);
}
