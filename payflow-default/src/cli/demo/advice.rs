//! What an error code means, and what to do next, in plain words.

/// An explanation of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    pub(crate) meaning: &'static str,
    pub(crate) next: &'static str,
}

const ADVICE: &[(i32, Advice)] = &[
    (
        200,
        Advice {
            meaning: "Another payment of the same invoice is under way.",
            next: "Wait for it to end, and look at its result.",
        },
    ),
    (
        201,
        Advice {
            meaning: "This invoice was paid before, with another amount or to somebody else.",
            next: "Ask the payee for a new invoice.",
        },
    ),
    (
        203,
        Advice {
            meaning: "The payee was reached and said no: it doesn't know the invoice, or wants \
                  something else.",
            next: "Ask the payee for a new invoice; trying this one again cannot help.",
        },
    ),
    (
        205,
        Advice {
            meaning: "Between us and the payee no set of channels is known to carry the amount.",
            next: "Pay less, or try again later: channels fill again, and what was learned fades.",
        },
    ),
    (
        206,
        Advice {
            meaning: "There are ways, but all of them cost more, or take longer, than was allowed.",
            next: "Raise `lightningd:maxfeepercent` or `lightningd:maxdelay`, or pay less.",
        },
    ),
    (
        207,
        Advice {
            meaning: "The invoice has expired, or expires within seconds.",
            next: "Ask the payee for a new invoice.",
        },
    ),
    (
        209,
        Advice {
            meaning: "Every round of planning was used up, or our node isn't ready.",
            next: "See that the node is in step with the chain, then try again.",
        },
    ),
    (
        210,
        Advice {
            meaning: "Time was up before a way was found. Nothing is in flight.",
            next: "Try again, or give it longer with `lightningd:retry_for`.",
        },
    ),
    (
        215,
        Advice {
            meaning: "Our channels together don't have that much to spend now, fees included: what \
                  other payments and parts under way hold doesn't count.",
            next: "Pay less, open a channel, or be paid something first.",
        },
    ),
    (
        216,
        Advice {
            meaning: "Nobody announces a channel to the payee, and the invoice has no hint to one.",
            next: "Ask the payee for an invoice with a route hint.",
        },
    ),
    (
        220,
        Advice {
            meaning: "The channels into the payee, all together, are too small for the amount. \
                  Whoever pays, and however it is split, it cannot arrive.",
            next: "Ask the payee for a smaller invoice, or to open a larger channel first. Waiting \
               doesn't help.",
        },
    ),
    (
        2310,
        Advice {
            meaning: "The operator's policy or a spending limit doesn't allow it.",
            next: "Pay less, wait until the limit's window is over, or have the policy changed.",
        },
    ),
];

/// The explanation of a code; of one without, where to look.
pub(crate) fn of(code: i32) -> Advice {
    let known = ADVICE.iter().find(|(known, _)| *known == code).map(|(_, advice)| *advice);
    known.unwrap_or(Advice {
        meaning: "An error that this demo doesn't expect.",
        next: "Run again with --trace and --log debug, and look at the last System.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_explained_once_and_unknown_ones_lead_on() {
        for (at, (code, advice)) in ADVICE.iter().enumerate() {
            assert_eq!(of(*code), *advice, "{code} has two rows");
            assert!(advice.meaning.ends_with('.') && advice.next.ends_with('.'), "row {at}");
        }
        assert!(of(1).next.contains("--trace"));
    }
}
