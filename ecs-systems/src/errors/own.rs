//! The codes that are ours alone.

use super::{ErrorCode, code};

pub(super) const OWN: &[ErrorCode] = &[
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
        2_332,
        "UNKNOWN_CHANNEL",
        "The graph has no channel that is named; nothing was written.",
        "Wait until the graph has it, leave it out, or pass `skip_unknown`: `data` names it.",
    ),
    code(
        2_333,
        "IMPOSSIBLE_REPORT",
        "What is said of the liquidity of a channel can't be; nothing was written.",
        "Mend the report that `data` names: it says what is wrong with it.",
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
