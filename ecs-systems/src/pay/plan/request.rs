//! The question to the planner, as route and dispatch both need it.

use crate::{
    components::{
        Claimed, Exclude, FirstHop, InvoiceMetadata, InvoiceMinFinalCltv, InvoiceRoutes, LastHop,
        Nonce, RiskFactor, Told, ToldPolicy, Total,
    },
    pay::plan::onion::Onions,
    port::NodeView,
};
use bevy_ecs::query::QueryData;
use ecs_core::Inputs;
use payecs_planner::{Exclusion, Layer, LocalChannel, PlanRequest, Policy};
use payecs_units::{BlockHeight, Blocks, ChannelDirection, MicroPercent, Msat, Timestamp};

/// Blocks added to what the payee asks for: a block may be found while the part travels.
pub const FINAL_CLTV_MARGIN: Blocks = Blocks(2);
/// What the last HTLC must have left where no invoice says (BOLT 11).
const FINAL_CLTV_BLOCKS_DEFAULT: u32 = 18;
/// 10 % a year.
const RISK_DEFAULT: MicroPercent = MicroPercent(10_000_000);

/// What of a payment is the same in all its rounds.
#[derive(QueryData, Debug)]
pub struct Target {
    pub(crate) claim: &'static Claimed,
    cltv: Option<&'static InvoiceMinFinalCltv>,
    hints: Option<&'static InvoiceRoutes>,
    exclude: Option<&'static Exclude>,
    risk: Option<&'static RiskFactor>,
    first_hop: Option<&'static FirstHop>,
    last_hop: Option<&'static LastHop>,
    nonce: Option<&'static Nonce>,
    told: Option<&'static Told>,
    metadata: Option<&'static InvoiceMetadata>,
    total: Option<&'static Total>,
}

/// What differs from round to round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// What is to be delivered.
    pub amount_msat: Msat,
    /// What fees may take.
    pub fee_left_msat: Msat,
    /// How long a path may take.
    pub delay_left_blocks: Blocks,
    /// How many routes there may be.
    pub parts_left: u32,
}

impl TargetItem<'_, '_> {
    /// The question, with these channels of ours.
    pub(crate) fn question(
        &self,
        round: &Round,
        node: &NodeView,
        local: Vec<LocalChannel>,
        inputs: &Inputs,
    ) -> PlanRequest {
        let asked = self.cltv.map_or(FINAL_CLTV_BLOCKS_DEFAULT, |cltv| cltv.0);
        PlanRequest {
            source: node.identity,
            destination: self.claim.0.claim.destination,
            amount_msat: round.amount_msat,
            fee_budget_msat: round.fee_left_msat,
            delay_max_blocks: round.delay_left_blocks,
            final_cltv_blocks: Blocks(asked.saturating_add(FINAL_CLTV_MARGIN.0)),
            parts_max: round.parts_left,
            hops_max: self.onions(round, node).hops_max(),
            risk_factor_micro_percent: self.risk.map_or(RISK_DEFAULT, RiskFactor::share),
            exclude: self.excluded(),
            hints: self.hints.map(|hints| hints.0.clone()).unwrap_or_default(),
            policies: self.policies(),
            layer: Layer::default(),
            shadow: true,
            local,
            announced_first_hops: false,
            first_hop: self.first_hop.map(|hop| hop.0),
            last_hop: self.last_hop.map(|hop| hop.0),
            now: Timestamp(inputs.now_ms),
            seed: self.nonce.map_or(0, Nonce::seed),
        }
    }

    /// What all parts deliver, as the payee is told.
    pub(crate) fn total_msat(&self) -> Msat {
        self.total.map_or(self.claim.0.claim.amount_msat, |total| total.0)
    }

    /// What the onions of this round say at most.
    fn onions(&self, round: &Round, node: &NodeView) -> Onions {
        let Round { amount_msat, fee_left_msat, delay_left_blocks, .. } = *round;
        let digits = self.metadata.and_then(|hex| Some(hex.0.as_str()?.len()));
        Onions {
            amount_max: Msat(amount_msat.0.saturating_add(fee_left_msat.0)),
            expiry_max: BlockHeight(node.height.0.saturating_add(delay_left_blocks.0)),
            total: self.claim.0.payment_secret.map(|_| self.total_msat()),
            metadata_bytes: digits.map(|digits| u64::try_from(digits / 2).unwrap_or(u64::MAX)),
        }
    }

    /// What the caller excludes, and what failed parts make the payment avoid.
    fn excluded(&self) -> Vec<Exclusion> {
        let given = self.exclude.map(|exclude| exclude.0.clone()).unwrap_or_default();
        let avoided = self.told.into_iter().flat_map(|told| &told.0.avoided);
        given.into_iter().chain(avoided.map(|way| Exclusion::Channel(*way))).collect()
    }

    /// What nodes said that they ask this payment for.
    fn policies(&self) -> Vec<(ChannelDirection, Policy)> {
        let told = self.told.into_iter().flat_map(|told| &told.0.policies);
        let pair = |told: &ToldPolicy| (told.short_channel_id_dir, told.policy.clone());
        told.map(pair).collect()
    }
}
