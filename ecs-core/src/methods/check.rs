//! Judging a call without carrying it out.

use crate::{
    ErrorObject,
    method::{Kind, Method, Scope, required},
};

/// Its other params are those of the command; the engine takes them apart before they are bound.
pub(crate) const CHECK: Method = Method {
    name: "check",
    params: &[required("command_to_check", Kind::TEXT.saying("the name of a command"))],
    scope: Scope::Read,
    errors: &[-32601, 1502],
    result: r#"{"command_to_check": name}"#,
    doc: "Judges a call and carries nothing out: whether the command exists, the caller may call \
          it, and its params, which follow by position or name, are what it takes. What only \
          shows when it is done is not found out.",
    handle: |_, _| Err(not_itself()),
    check: |_, _| Err(not_itself()),
};

fn not_itself() -> ErrorObject {
    ErrorObject::invalid("`check` is no command to check")
}
