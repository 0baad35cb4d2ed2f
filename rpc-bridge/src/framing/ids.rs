//! Whose request a text is that is none.

use crate::jsonrpc::is_id;
use ecs_core::Json;

/// The `id` of a request that can't be read, or of the beginning of one: it may break any rule
/// behind the id, and is looked at up to its end at most. `None`: there is none that can be told.
pub(crate) fn id_in(text: &[u8]) -> Option<Json> {
    let (mut depth, mut at, mut found) = (0_u32, 0, None);
    // At depth 1: the name that was read, and where its value begins.
    let (mut name, mut value): (Option<&[u8]>, Option<usize>) = (None, None);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                let end = end_of_string(text, at)?;
                if depth == 1 && value.is_none() {
                    name = text.get(at..end);
                }
                at = end;
                continue;
            }
            b':' if depth == 1 => value = value.or(Some(at + 1)),
            b'{' | b'[' => depth = depth.saturating_add(1),
            b',' | b'}' | b']' => {
                if depth == 1 {
                    let is_it = name.take() == Some(b"\"id\"");
                    let id = value.take().filter(|_| is_it).and_then(|from| text.get(from..at));
                    found = found.or(id);
                }
                depth = depth.saturating_sub(u32::from(*byte != b','));
            }
            _ => {}
        }
        if found.is_some() {
            break;
        }
        at += 1;
    }
    let id = Json::parse(str::from_utf8(found?).ok()?).ok()?;
    Some(id).filter(|id| is_id(id) && !id.is_null())
}

/// Behind the string that begins there; `None`: it goes on.
fn end_of_string(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_found_wherever_it_stands_in_what_is_no_request() {
        for (text, wanted) in [
            (r#"{"jsonrpc":"2.0","id":"cli:x#1/cln:y#2","params":{"a":01"#, r#""cli:x#1/cln:y#2""#),
            (r#"{"params":[{"id":1},"\"id\":2,",nul],"id" : 7 ,"method":"x"}"#, "7"),
            (r#"{"params":{"a":"\ud800"},"id":"ü"}"#, "\"ü\""),
            ("{\"id\":\"a\",\"params\":[\"b\n", "\"a\""),
            (r#"{"id":18446744073709551615}"#, "18446744073709551615"),
        ] {
            assert_eq!(id_in(text.as_bytes()), Json::parse(wanted).ok(), "{text}");
        }
        let broken = [b"{\"a\":\"\xff\",".as_slice(), br#""id":3}"#].concat();
        assert_eq!(id_in(&broken), Json::parse("3").ok(), "behind what is no UTF-8");
    }

    #[test]
    fn there_is_none_where_none_can_be_told() {
        for text in [
            "",
            "{}",
            r#"{"id":1"#,
            r#"{"id":null}"#,
            r#"{"id":1.5}"#,
            r#"{"id":{"id":1}}"#,
            r#"{"id":"\ud800","method":"x"}"#,
            r#"[{"id":1}]"#,
            r#"["id",1]"#,
            r#"{"a":"id","b":1}"#,
            r#"{"id"}"#,
            r#"{"id":"x"#,
            "}}}",
        ] {
            assert_eq!(id_in(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn of_a_request_it_is_the_id_however_it_is_cut(
            params in "[{}\\[\\]\"\\\\ a1,:]{0,40}",
            id in 0..9_u8,
            cut in 0..99_usize,
        ) {
            let params = Json::of(&params);
            let text = format!(r#"{{"id":{id},"params":{params},"method":"x"}}"#);
            let wanted = Json::parse(&id.to_string()).ok();
            prop_assert_eq!(id_in(text.as_bytes()), wanted.clone());
            let cut = &text.as_bytes()[..cut.min(text.len())];
            prop_assert_eq!(id_in(cut), wanted.filter(|_| cut.len() > 7));
        }
    }
}
