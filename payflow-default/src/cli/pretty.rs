//! JSON for people: the same text, over several lines.

use ecs_core::Json;

/// Spaces for each level.
const INDENT: usize = 2;

/// The same with a line for each field and item. Their order, and how numbers are written, stay.
pub(crate) fn pretty(json: &Json) -> String {
    let mut out = String::new();
    write(&mut out, json, 0);
    out
}

fn write(out: &mut String, json: &Json, level: usize) {
    if let Some(items) = json.items() {
        let items = items.into_iter().map(|item| (None, item));
        return block(out, ('[', ']'), items.collect(), level);
    }
    match json.entries() {
        Some(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (Some(name), value));
            block(out, ('{', '}'), fields.collect(), level);
        }
        None => out.push_str(json.text()),
    }
}

fn block(
    out: &mut String,
    (open, close): (char, char),
    inside: Vec<(Option<String>, Json)>,
    level: usize,
) {
    out.push(open);
    let is_empty = inside.is_empty();
    for (at, (name, value)) in inside.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        new_line(out, level + 1);
        if let Some(name) = name {
            out.push_str(Json::of(&name).text());
            out.push_str(": ");
        }
        write(out, &value, level + 1);
    }
    if !is_empty {
        new_line(out, level);
    }
    out.push(close);
}

fn new_line(out: &mut String, level: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', level * INDENT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_numbers_their_digits() {
        let json = r#"{"b":0.50,"a":[1,{}],"c":[],"d\n":12345678901234567890123}"#;
        let shown = pretty(&Json::parse(json).unwrap());
        let lines = [
            "{",
            "  \"b\": 0.50,",
            "  \"a\": [",
            "    1,",
            "    {}",
            "  ],",
            "  \"c\": [],",
            "  \"d\\n\": 12345678901234567890123",
            "}",
        ];
        assert_eq!(shown, lines.join("\n"));
    }
}
