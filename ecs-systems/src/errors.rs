//! Every code that an error can have: what it means, and what to do next.

/// What is known of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// What a program looks at. It never changes its meaning.
    pub code: i32,
    /// Its name; Core Lightning's where that has one.
    pub name: &'static str,
    /// What happened.
    pub meaning: &'static str,
    /// What to do next.
    pub next: &'static str,
}

const fn code(
    code: i32,
    name: &'static str,
    meaning: &'static str,
    next: &'static str,
) -> ErrorCode {
    ErrorCode { code, name, meaning, next }
}

/// All of them, in order.
pub const ERROR_CODES: &[ErrorCode] = &[
    code(
        -32_700,
        "PARSE_ERROR",
        "What came is not JSON, or is beyond a limit: bytes, depth, digits of a number.",
        "Send JSON within the limits; nothing of it was looked at.",
    ),
    code(
        -32_600,
        "INVALID_REQUEST",
        "What came is JSON, and no JSON-RPC 2.0 request, or a batch that is empty or too long.",
        "Send `jsonrpc`, `id`, `method` and `params` as JSON-RPC 2.0 wants them.",
    ),
    code(
        -32_601,
        "METHOD_NOT_FOUND",
        "There is no command of that name.",
        "Take the one that is suggested, or look it up in the reference.",
    ),
    code(
        -32_602,
        "INVALID_PARAMS",
        "A parameter, a value or an invoice is not what is wanted here; the message says which.",
        "Mend that one: the same call fails again.",
    ),
    code(
        -32_603,
        "INTERNAL",
        "A mistake of ours, or of a System.",
        "Please report it with the message, and the lines of the log around it.",
    ),
    code(
        -32_006,
        "TOO_MANY_SUBSCRIPTIONS",
        "The WebSocket has as many subscriptions as it may have.",
        "End one, or open another WebSocket.",
    ),
    code(
        -32_007,
        "REQUEST_TOO_LARGE",
        "The request is larger than may be sent; nothing of it was looked at.",
        "Send less at once.",
    ),
    code(
        -32_008,
        "RESPONSE_TOO_LARGE",
        "The answer is larger than may be sent. The call is done nevertheless.",
        "Ask page by page.",
    ),
    code(
        -32_009,
        "TOO_MANY_CALLS",
        "Too many calls of the connection wait; nothing was done.",
        "Wait for answers.",
    ),
    code(
        -32_010,
        "BATCH_TOO_LARGE",
        "The batch has more requests than it may have; nothing was done.",
        "Send smaller batches.",
    ),
    code(
        -5,
        "LIGHTNINGD_SHUTDOWN",
        "The engine has stopped, or stops.",
        "Start it again. What was called may have been done: look before you call again.",
    ),
    code(
        200,
        "PAY_IN_PROGRESS",
        "Another payment of the same invoice is under way.",
        "Wait for it to end, and look at its result.",
    ),
    code(
        201,
        "PAY_RHASH_ALREADY_USED",
        "This invoice was paid before, with another amount or to somebody else.",
        "Ask the payee for a new invoice.",
    ),
    code(
        203,
        "PAY_DESTINATION_PERM_FAIL",
        "The payee was reached and said no: it doesn't know the invoice, or wants something else.",
        "Ask the payee for a new invoice; trying this one again cannot help.",
    ),
    code(
        205,
        "PAY_ROUTE_NOT_FOUND",
        "Between us and the payee no set of channels is known to carry the amount.",
        "Pay less, or try again later: channels fill again, and what was learned fades.",
    ),
    code(
        206,
        "PAY_ROUTE_TOO_EXPENSIVE",
        "There are ways, but all of them cost more, or take longer, than was allowed.",
        "Raise `maxfee` or `maxdelay`, or pay less.",
    ),
    code(
        207,
        "PAY_INVOICE_EXPIRED",
        "The invoice has expired, or expires within seconds.",
        "Ask the payee for a new invoice.",
    ),
    code(
        208,
        "PAY_NO_SUCH_PAYMENT",
        "There is no such payment; to `cancelpay` by its hash: none is under way.",
        "Look it up with `listpays`.",
    ),
    code(
        209,
        "PAY_UNSPECIFIED_ERROR",
        "Every round of planning was used up, or our node isn't ready.",
        "See that the node is in step with the chain, then try again.",
    ),
    code(
        210,
        "PAY_STOPPED_RETRYING",
        "Time was up before a way was found, or the payment was cancelled.",
        "Once `paystatus` says that it has failed, try again, or give it longer with `retry_for`.",
    ),
    code(
        211,
        "PAY_STATUS_UNEXPECTED",
        "The payment is over already, so that it can't be cancelled.",
        "Look how it ended with `paystatus`.",
    ),
    code(
        213,
        "PREAPPROVAL_DECLINED",
        "The signer refused the payment.",
        "Ask whoever looks after the signer.",
    ),
    code(
        215,
        "PAY_INSUFFICIENT_FUNDS",
        "Our channels together don't have that much to spend now, fees included: what other \
         payments and parts under way hold doesn't count.",
        "Pay less, open a channel, or be paid something first.",
    ),
    code(
        216,
        "PAY_UNREACHABLE",
        "Nobody announces a channel to the payee, and the invoice has no hint to one.",
        "Ask the payee for an invoice with a route hint.",
    ),
    code(
        220,
        "PAY_DESTINATION_INSUFFICIENT_CAPACITY",
        "The channels into the payee, all together, are too small for the amount. Whoever pays, \
         and however it is split, it cannot arrive.",
        "Ask the payee for a smaller invoice, or to open a larger channel first. Waiting doesn't \
         help.",
    ),
    code(
        901,
        "INVOICE_PREIMAGE_ALREADY_EXISTS",
        "There is a paycode of that hash, or was one.",
        "Leave `preimage` out, or draw another: a preimage is used once.",
    ),
    code(
        903,
        "INVOICE_EXPIRED_DURING_WAIT",
        "The paycode has expired or was cancelled before it was paid; `data` is the paycode.",
        "Make another one; nobody can pay this one any more.",
    ),
    code(
        904,
        "INVOICE_WAIT_TIMED_OUT",
        "The paycode was not paid within the time that was to be waited.",
        "Wait again, or longer.",
    ),
    code(
        905,
        "INVOICE_NOT_FOUND",
        "There is no such paycode, or no longer.",
        "Look it up with `listpaycodes`; what is over goes after a while.",
    ),
    code(
        906,
        "INVOICE_STATUS_UNEXPECTED",
        "The paycode is not where this can be done; `data.current_status` says where it is.",
        "Look at it with `listpaycodes`, and decide again.",
    ),
    code(
        1_502,
        "RUNE_NOT_PERMITTED",
        "The caller's token doesn't allow this.",
        "Use a token with the scope that the message names.",
    ),
    code(
        2_000,
        "WAIT_TIMEOUT",
        "What was waited for did not come in time.",
        "Wait again, or longer.",
    ),
    code(
        2_200,
        "INVALID_SYSTEMS_COMPONENT",
        "`lightningd:systems` has no list, or names a System that isn't registered.",
        "Write a proper list, e.g. with payecs_setdefaultsystems.",
    ),
    code(
        2_201,
        "NOT_ADVANCEABLE",
        "No System of the list matches.",
        "See with payecs_explain which Component is missing or in the way.",
    ),
    code(
        2_202,
        "LOOP_DETECTED",
        "A System ran again and again and changed nothing, or a bound on steps or time was \
         reached.",
        "See with payecs_systrace which System it is, and mend it.",
    ),
    code(
        2_203,
        "SYSTEM_FAILED",
        "A System panicked, went away, or did not answer in time.",
        "See that whoever serves it runs; payecs_listsystems counts its answers.",
    ),
    code(
        2_204,
        "UNKNOWN_ENTITY",
        "There is no such Entity.",
        "It has ended, or its number is wrong: payecs_listentities lists those there are.",
    ),
    code(
        2_205,
        "FROZEN",
        "The Component or Entity is the engine's now.",
        "Wait until the payment has ended, or cancel it; what is over stays as it is.",
    ),
    code(
        2_207,
        "STALE_INVOCATION",
        "The invocation is not the current one: it was answered, timed out, or overtaken.",
        "Drop the answer: somebody else goes on.",
    ),
    code(
        2_208,
        "QUOTA_REACHED",
        "There is as much of something as there may be; nothing was written.",
        "Let some of it go, or have the quota raised: `data` names it.",
    ),
    code(
        2_244,
        "SETCOMPONENTS_UNEXPECTED",
        "`expected` did not hold; nothing was written.",
        "Read again, decide again.",
    ),
    code(
        2_310,
        "POLICY_REFUSED",
        "The operator's policy or a spending limit doesn't allow it.",
        "Pay less, wait until the limit's window is over, or have the policy changed.",
    ),
    code(
        2_320,
        "LEDGER_INVARIANT",
        "The books would no longer balance; nothing was written.",
        "Run `payecs verify`, and report what it says.",
    ),
    code(
        2_321,
        "HISTORY_OPENING",
        "The history of the books is still being opened, and only it could tell.",
        "Try again: `data` says how far it is.",
    ),
    code(
        2_322,
        "HISTORY_UNREADABLE",
        "The history of the books can't be read.",
        "Look at the log; a damaged index is built again once it is deleted.",
    ),
    code(
        2_330,
        "INTAKE_CLOSED",
        "Nothing new is taken on at present: the disk is nearly full, or a backup is reconciled.",
        "Try again later: `data` says why.",
    ),
    code(
        2_331,
        "RESTORED",
        "The payment was under way when the backup was made that the engine was restored from.",
        "Where `data.final` is false, find out whether it arrived before you pay it again.",
    ),
    code(
        2_340,
        "TOO_BUSY",
        "More is under way than may be; nothing happened.",
        "Try again in a moment.",
    ),
    code(
        2_341,
        "DISK_FULL",
        "The disk of the journal is full; nothing happened.",
        "Make room there, then try again.",
    ),
];

/// A code that is not ours: a third party's System may fail a payment with any.
const OTHERS: ErrorCode = code(
    0,
    "OTHER",
    "A System of a third party says so.",
    "Look at the message, and at the last System with payecs_systrace.",
);

/// What is known of a code; of one that isn't ours, where to look.
#[must_use]
pub fn explained(code: i32) -> &'static ErrorCode {
    of(code).unwrap_or(&OTHERS)
}

/// What is known of a code.
/// ```
/// # use ecs_systems::errors::of;
/// assert_eq!(of(207).unwrap().name, "PAY_INVOICE_EXPIRED");
/// assert!(of(1).is_none());
/// ```
#[must_use]
pub fn of(code: i32) -> Option<&'static ErrorCode> {
    ERROR_CODES.iter().find(|known| known.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ROWS;
    use std::collections::BTreeSet;

    #[test]
    fn each_code_is_explained_once() {
        assert!(
            ERROR_CODES.iter().map(|it| it.code).collect::<BTreeSet<_>>().len()
                == ERROR_CODES.len()
        );
        for it in ERROR_CODES {
            assert!(it.meaning.ends_with('.') && it.next.ends_with(['.', '`']), "{}", it.code);
        }
        assert_eq!(of(0), None);
    }

    #[test]
    fn what_systems_refuse_with_is_explained() {
        let refused = ROWS.iter().flat_map(|(_, row)| row.refuses);
        let unknown: Vec<&i32> = refused.filter(|code| of(**code).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
