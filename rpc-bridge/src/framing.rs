//! Core Lightning's framing: JSON values one after the other, with or without space between them;
//! what is sent ends in two newlines.

mod ids;
mod objects;

use crate::{
    Limits, PARSE_ERROR,
    jsonrpc::{Response, request_too_large},
};
pub(crate) use ids::id_in;
pub use objects::{Broken, Objects};

/// What is said of bytes that are no value, to whoever asked: as far as the value had begun.
pub(crate) fn said_of(broken: Broken, begun: &[u8], limits: &Limits) -> String {
    match broken {
        Broken::Size => request_too_large(limits),
        Broken::NoValue | Broken::Syntax | Broken::Depth => {
            Response::refused(None, PARSE_ERROR, format!("Parse error: {broken}"))
        }
    }
    .with_id_in(begun)
    .text(limits)
}

/// A value as it is sent. Values in it are as they were stored: an empty line between tokens is
/// blanked, as it would end the answer there; a string of JSON has none.
pub(crate) fn framed(mut text: String) -> String {
    if text.contains("\n\n") {
        text = text.replace('\n', " ");
    }
    text.push_str("\n\n");
    text
}
