//! What there is to say before a node and books are there.

use super::*;

#[test]
fn what_needs_node_or_books_says_that_they_are_not_there() {
    let mut app = engine();
    let node = "02".repeat(33);
    let routes = format!("[\"{node}\",\"{node}\",1,[],0,18]");
    let no_books = "There are no books yet: try again later";
    for (method, params, said) in [
        ("getroutes", &*routes, "The node is not connected yet"),
        ("ledger-balance", "[]", no_books),
        ("ledger-list", "[]", no_books),
    ] {
        assert_eq!(refusal(&mut app, method, params), (209, said.to_owned()), "{method}");
    }
    let info = answer(&mut app, "getinfo", "[]").unwrap().fields().unwrap();
    assert!(info.contains_key("version") && !info.contains_key("id"), "{info:?}");
    let unknown = refusal(&mut app, "paystatus", &format!("[null,\"{}\"]", "00".repeat(32)));
    assert_eq!(unknown.0, 208);
    assert_eq!(refusal(&mut app, "cancelpay", "{\"entity\":1}").0, 2204);
}

#[test]
fn a_draft_that_rests_for_nothing_is_answered_and_named() {
    let mut app = engine();
    // The list has no System that could take it on.
    app.set_default_systems(&["lightningd:generate_nonce"]).unwrap();
    let reply = call(&mut app, "pay", "[\"lnbc1\"]").unwrap();
    let Reply::Later(mut later) = reply else { panic!("it waits") };
    let error = (later.look)(&app).expect("at once").unwrap_err();
    assert_eq!((error.code, &*error.message), (2_201, "No systems match, cannot advance."));
    let facts = error.facts();
    assert_eq!((facts["final"].text(), facts["entity"].text()), ("false", "1"));
    let end = "[{\"entity\":1,\"exact\":true}]";
    answer(&mut app, "payecs_setcomponents", end).unwrap();
    assert_eq!((later.look)(&app).expect("at once").unwrap_err().code, 2_204);
}
