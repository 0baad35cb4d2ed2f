//! What a chance and a delay are worth beside a fee.

use crate::cost::delay_rate_q32;
use crate::net::{Edge, Net};
use payecs_units::{MicroPercent, Msat};

/// What counts beside the fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weights {
    per_nat: Msat,
    risk: MicroPercent,
}

impl Weights {
    /// −ln P = 1 is worth 0.1 % of the whole amount and 1 sat; delay as the request says.
    pub(crate) fn of(net: &Net<'_>) -> Self {
        let per_nat = Msat((net.request.amount_msat.0 / 1_000).saturating_add(1_000));
        Self { per_nat, risk: net.request.risk_factor_micro_percent }
    }

    /// What −ln P = 1 is worth.
    pub(crate) fn per_nat(self) -> Msat {
        self.per_nat
    }

    /// What locked-up money costs, per year.
    pub(crate) fn risk(self) -> MicroPercent {
        self.risk
    }

    /// What a block of delay costs for `amount`, in 2^−32 msat, rounded down.
    pub(crate) fn delay_rate_q32(self, amount: Msat) -> u64 {
        delay_rate_q32(amount, self.risk)
    }

    /// How an edge is favoured. Not at all where nothing but the fee counts.
    pub(crate) fn bias(self, edge: &Edge) -> i8 {
        if self == Self::FEE_ONLY { 0 } else { edge.bias }
    }

    /// Whether it counts how edges are favoured.
    pub(crate) fn counts_biases(self, net: &Net<'_>) -> bool {
        net.is_biased() && self != Self::FEE_ONLY
    }

    /// The same where all but the fee is halved so often, rounded down.
    pub(crate) fn halved(self, times: u32) -> Self {
        let Self { per_nat, risk } = self;
        Self { per_nat: Msat(per_nat.0 >> times), risk: MicroPercent(risk.0 >> times) }
    }

    /// Nothing but the fee.
    pub(crate) const FEE_ONLY: Self = Self { per_nat: Msat::ZERO, risk: MicroPercent(0) };
}
