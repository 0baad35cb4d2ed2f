//! The codes of JSON-RPC, and those that Core Lightning has too.

use super::{ErrorCode, code};

pub(super) const KNOWN: &[ErrorCode] = &[
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
        -1,
        "LIGHTNINGD",
        "Something that has no code of its own; the message says what.",
        "Do what the message says.",
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
        900,
        "INVOICE_LABEL_ALREADY_EXISTS",
        "There is an invoice with that label; `data` is that invoice, as `listinvoices` has it.",
        "Take another label, or delete that invoice with `delinvoice`.",
    ),
    code(
        901,
        "INVOICE_PREIMAGE_ALREADY_EXISTS",
        "There is a paycode of that hash, or was one.",
        "Leave `preimage` out, or draw another: a preimage is used once.",
    ),
    code(
        902,
        "INVOICE_HINTS_GAVE_NO_ROUTES",
        "None of the channels of `exposeprivatechannels` is one that an invoice can tell of.",
        "Name channels of ours that aren't announced, or leave `exposeprivatechannels` out.",
    ),
    code(
        903,
        "INVOICE_EXPIRED_DURING_WAIT",
        "The paycode or invoice has expired or was cancelled before it was paid; `data` is it.",
        "Make another one; nobody can pay this one any more.",
    ),
    code(
        904,
        "INVOICE_WAIT_TIMED_OUT",
        "It was not paid within the time that was to be waited.",
        "Wait again, or longer.",
    ),
    code(
        905,
        "INVOICE_NOT_FOUND",
        "There is no such paycode or invoice, or no longer.",
        "Look it up with `listpaycodes` or `listinvoices`; what is over goes after a while.",
    ),
    code(
        906,
        "INVOICE_STATUS_UNEXPECTED",
        "The paycode or invoice is not where this can be done; `data.current_status` says where it \
         is.",
        "Look at it with `listpaycodes` or `listinvoices`, and decide again.",
    ),
    code(
        908,
        "INVOICE_NO_DESCRIPTION",
        "The description of the invoice is deleted already.",
        "There is nothing to do; without `desconly` the whole invoice is deleted.",
    ),
    code(
        1_502,
        "RUNE_NOT_PERMITTED",
        "The caller's token doesn't allow this.",
        "Use a token with the scope that the message names.",
    ),
];
