//! Channels that an unknown part may have left through: they are compared once it is known.

use super::Reconciliation;
use crate::driver::{ASK_AGAIN_MS_FIRST, Driver};
use ecs_systems::port::{NodeError, NodeReply};

impl Driver {
    /// The balances, once the last unknown part is known. While something is being settled on one
    /// of the channels, its books and its balance may disagree: they are asked for again.
    pub(super) fn take_balances_later(&mut self, reply: Result<NodeReply, NodeError>) {
        let Reconciliation::Blocked(report) = &self.reconciliation else { return };
        let mut report = report.clone();
        let channels = match reply {
            Ok(NodeReply::Balances { channels, .. })
                if self.settling_in().is_disjoint(&report.uncompared) =>
            {
                channels
            }
            other => {
                tracing::warn!(target: "payflow::reconcile", ?other, "not compared: asked again");
                self.compare_at = Some(self.now.after_ms(ASK_AGAIN_MS_FIRST));
                return;
            }
        };
        self.begin(self.now);
        let uncompared = std::mem::take(&mut report.uncompared);
        for (channel, there) in channels.iter().filter(|(channel, _)| uncompared.contains(channel))
        {
            self.adjust(*channel, *there, &mut report);
        }
        self.perform_effects();
        self.reconciliation = Reconciliation::Blocked(report);
        self.open_if_known();
    }
}
