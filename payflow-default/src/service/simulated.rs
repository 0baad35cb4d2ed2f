//! What is called by name where the network is simulated.

use ecs_core::{ErrorObject, Kind, Method, Scope, method::CHECK_KINDS, optional, required};
use ecs_systems::methods::AMOUNT;

/// Asks the simulated network for an invoice. The engine has it in its table only: whoever has the
/// network answers it.
pub const SIM_INVOICE: Method = Method {
    name: "sim_invoice",
    params: &[
        required("amount_msat", AMOUNT),
        optional("payee", Kind::TEXT.saying("a node id, or the name of a simulated node")),
    ],
    scope: Scope::Read,
    errors: &[],
    result: r#"{"bolt11", "payee": node id, "name"}"#,
    doc: "Where the daemon runs on a simulated network: an invoice of one of its nodes, to be paid \
          within an hour. Without `payee`: of one that the amount picks.",
    handle: |_, _| Err(ErrorObject::invalid("the simulated network answers this")),
    check: CHECK_KINDS,
};
