//! The server as programs find it: over HTTP, WebSocket and the unix socket, on an engine with its
//! journal and a simulated network.

mod daemon;
mod leaving;
mod load;

use payecs_tests::callers::Caller;

/// The text of a request.
fn request(id: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// Asks, and waits for the answer.
fn ask(caller: &mut Caller, method: &str, params: &str) -> String {
    caller.ask(&request(1, method, params)).expect("it answers").to_owned()
}
