//! How a graph becomes the one after it.

use super::{Channel, Graph, GraphBuilder, GraphDelta, GraphError, Policy};
use crate::PlanRequest;
use crate::ahead::Kept;
use payecs_units::{ChannelDirection, Direction};
use std::collections::BTreeSet;

impl Graph {
    /// The builder that would build this graph again.
    #[must_use]
    pub fn to_builder(&self) -> GraphBuilder {
        let policies = |scid, direction| self.policy(ChannelDirection { scid, direction }).cloned();
        let entry = |channel: Channel| {
            let scid = channel.short_channel_id;
            (scid, (channel, [Direction::Zero, Direction::One].map(|bit| policies(scid, bit))))
        };
        GraphBuilder { channels: self.channels().map(entry).collect() }
    }

    /// This graph after the changes, in their order. All or nothing.
    ///
    /// # Errors
    /// The first change that makes no sense: see [`GraphError`].
    pub fn patched(&self, deltas: &[GraphDelta]) -> Result<Self, GraphError> {
        let mut builder = self.to_builder();
        deltas.iter().try_for_each(|delta| builder.apply(delta))?;
        Ok(builder.build())
    }

    /// This graph with another policy for one direction.
    ///
    /// # Errors
    /// [`GraphError::UnknownChannel`].
    pub fn with_policy(
        &self,
        direction: ChannelDirection,
        policy: Policy,
    ) -> Result<Self, GraphError> {
        let mut graph = self.clone();
        graph.set_policy(direction, policy)?;
        Ok(graph)
    }

    /// This graph as one payer was told that it is: other policies for some directions, and
    /// channels of its own. What is said of a channel that it doesn't have is left out.
    pub(crate) fn as_told(&self, request: &PlanRequest) -> Self {
        let PlanRequest { policies, layer, .. } = request;
        let mut graph = self.with_channels(&layer.channels);
        for (direction, policy) in policies {
            // A hinted channel is not in the graph.
            let _left_out = graph.set_policy(*direction, policy.clone());
        }
        let changed: BTreeSet<_> = layer.terms.iter().map(|(direction, _)| *direction).collect();
        for direction in changed {
            if let Some(policy) = layer.policy(direction, graph.policy(direction)) {
                let _left_out = graph.set_policy(direction, policy);
            }
        }
        graph
    }

    /// This graph with further channels. One that is there already, or leads nowhere, is left out.
    fn with_channels(&self, channels: &[Channel]) -> Self {
        if channels.is_empty() {
            return self.clone();
        }
        let mut builder = self.to_builder();
        for Channel { short_channel_id, node_a, node_b, capacity } in channels {
            let _left_out = builder.add_channel(*short_channel_id, *node_a, *node_b, *capacity);
        }
        builder.build()
    }

    /// Takes changes in, in their order, and tells `refused` of each that makes no sense: it is
    /// left out.
    ///
    /// A policy is replaced in its place. From the first channel on that comes or goes, the graph
    /// is made anew, once for all that follow.
    pub fn take_in(&mut self, deltas: &[GraphDelta], refused: &mut dyn FnMut(GraphError)) {
        let mut rest = deltas;
        while let [GraphDelta::PolicyChanged { direction, policy }, behind @ ..] = rest {
            self.set_policy(*direction, policy.clone()).unwrap_or_else(&mut *refused);
            rest = behind;
        }
        if rest.is_empty() {
            return;
        }
        let mut builder = self.to_builder();
        for delta in rest {
            builder.apply(delta).unwrap_or_else(&mut *refused);
        }
        *self = builder.build();
    }

    fn set_policy(
        &mut self,
        direction: ChannelDirection,
        policy: Policy,
    ) -> Result<(), GraphError> {
        let scid = direction.scid;
        let arc = self.arc_index(direction).ok_or(GraphError::UnknownChannel { scid })?;
        self.facts[arc as usize].policy = Some(policy);
        self.post(arc);
        // It was found out with the policy that held before.
        self.kept = Kept::default();
        Ok(())
    }
}
