//! The laws: what never happens, whatever happens.

use std::fmt;

/// What the auditor holds everything against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// No msat is unaccounted for: what is ours changes by what was paid and received, and by
    /// nothing else.
    MoneyIsWhole,
    /// A hash is paid by one payment of ours at most, and its payee gets no more than was asked.
    PaidOnce,
    /// Where a client is told that a payment is complete, its payee got all that was asked.
    PaidInFull,
    /// What left us above the amount is at most the fee budget.
    FeeWithinBudget,
    /// What a client was told to be over stays as it was told, also over crashes.
    TheEndIsFinal,
    /// What a client was told is what happened.
    ToldTheTruth,
    /// Every payment ends, and every caller who waits is answered, in bounded virtual time.
    EndsInTime,
    /// Each channel has in the books what it really has, and nothing is pending at rest.
    BooksOfChannels,
    /// Each payment has in the books what it really cost.
    BooksOfPayments,
    /// A part does not lock money for longer than was asked, and leaves the payee its margin.
    OutgoingMargin,
    /// What came in has our word before its margin is used up, and no preimage leaves later than
    /// the margin allows.
    IncomingMargin,
    /// What was told of as durable is there after every crash.
    Durable,
    /// No part and no preimage leaves before its record is durable.
    RecordedFirst,
    /// A receipt of ours is settled once: complete, and never again.
    SettledOnce,
    /// No preimage leaves but for a set that is whole, fits its paycode, began in time, and was
    /// decided about where it is held.
    WholeSet,
    /// What is refused is refused with the same words, and at once, whatever is wrong with it.
    RefusedAlike,
    /// What came in has our word soon; what is held, soon after its last blocks have begun.
    WordInTime,
    /// A set that is whole, fits its paycode and came in time is taken.
    TakenIfWhole,
    /// After an error of the disk nothing more is kept; damage is found, and named.
    DamageIsNamed,
    /// The engine does not panic, and time goes on.
    KeepsRunning,
}

impl Law {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::MoneyIsWhole,
        Self::PaidOnce,
        Self::PaidInFull,
        Self::FeeWithinBudget,
        Self::TheEndIsFinal,
        Self::ToldTheTruth,
        Self::EndsInTime,
        Self::BooksOfChannels,
        Self::BooksOfPayments,
        Self::OutgoingMargin,
        Self::IncomingMargin,
        Self::Durable,
        Self::RecordedFirst,
        Self::SettledOnce,
        Self::WholeSet,
        Self::RefusedAlike,
        Self::WordInTime,
        Self::TakenIfWhole,
        Self::DamageIsNamed,
        Self::KeepsRunning,
    ];

    /// What must hold, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::MoneyIsWhole => "no msat is unaccounted for",
            Self::PaidOnce => "no hash is paid twice by us",
            Self::PaidInFull => "what is complete is paid in full",
            Self::FeeWithinBudget => "fees stay within their budget",
            Self::TheEndIsFinal => "what is over stays as it was told",
            Self::ToldTheTruth => "what a client was told is what happened",
            Self::EndsInTime => "every payment ends in time",
            Self::BooksOfChannels => "the books have what each channel has",
            Self::BooksOfPayments => "the books have what each payment cost",
            Self::OutgoingMargin => "no HTLC of ours is locked for too long",
            Self::IncomingMargin => "no HTLC that came in is kept past its margin",
            Self::Durable => "what was told as durable is there after a crash",
            Self::RecordedFirst => "nothing leaves before its record is durable",
            Self::SettledOnce => "every receipt is settled once",
            Self::WholeSet => "nothing is taken but a whole set that fits",
            Self::RefusedAlike => "refusals are alike",
            Self::WordInTime => "what came in has our word soon",
            Self::TakenIfWhole => "a whole set that fits is taken",
            Self::DamageIsNamed => "damage of the files is found and named",
            Self::KeepsRunning => "the engine neither panics nor stands still",
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.words())
    }
}

/// A law was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub law: Law,
    /// The facts, as sentences.
    pub facts: String,
}

impl fmt::Display for Breach {
    #[expect(clippy::use_debug, reason = "the name of the law")]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}: {}: {}", self.law, self.law, self.facts)
    }
}
