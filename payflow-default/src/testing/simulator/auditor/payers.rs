//! What those who paid us know at the end.

use super::{Auditor, Law};
use ecs_systems::{
    port::{FailureCode, PartStatus},
    units::{NodeId, PaymentHash},
};

impl Auditor {
    /// At rest: what became of a part of another node, as that node has it.
    pub(in crate::testing::simulator) fn hears_payer(
        &mut self,
        hash: PaymentHash,
        status: Option<&PartStatus>,
        us: NodeId,
    ) {
        match status {
            Some(PartStatus::Paid { preimage, .. }) => {
                let proves = preimage.hash() == hash;
                self.holds(Law::ToldTheTruth, proves, || format!("{hash} has another preimage"));
            }
            Some(PartStatus::Failed(failure)) => {
                let code = failure.failcode;
                let alike =
                    [FailureCode::IncorrectOrUnknownPaymentDetails, FailureCode::MppTimeout];
                let is_ours = failure.erring_node == Some(us);
                self.holds(Law::RefusedAlike, !is_ours || alike.contains(&code), || {
                    format!("who paid {hash} was told {failure:?}")
                });
            }
            Some(PartStatus::InFlight | PartStatus::NeverArrived | PartStatus::Unknown) | None => {
                self.breach(
                    Law::EndsInTime,
                    format!("a part for {hash} has not ended: {status:?}"),
                );
            }
        }
    }
}
