//! The handle to a network that tests, auditors and demos hold.

use crate::{
    change::OnDisk,
    config::SimConfig,
    error::SimError,
    flight::RemoteId,
    input::Input,
    invoice::InvoiceRequest,
    keeper::Keeper,
    made::Blueprint,
    node::SimNode,
    remote::RemotePart,
    script::Script,
    state::State,
    truth::{PaymentTruth, TruthRecord},
};
use ecs_systems::{
    port::PartStatus,
    units::{
        BlockHeight, Blocks, ChannelDirection, Msat, NodeId, PaymentHash, ShortChannelId, Timestamp,
    },
};
use payecs_planner::{Policy, Route};
use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// A simulated Lightning network. A handle: clones are the same network.
///
/// Time is what callers say it is: every call with a `now` first lets everything happen that is due
/// by then. The first `now` ever said is the moment of the first block height.
#[derive(Clone, Debug)]
pub struct SimNetwork {
    state: Arc<Mutex<State>>,
    pub(crate) disk: Option<Arc<OnDisk>>,
    /// Whoever runs our node, to be told that others have begun something.
    pub(crate) waker: Arc<Mutex<Option<Waker>>>,
}

impl SimNetwork {
    /// Generates a network.
    ///
    /// # Errors
    /// [`SimError::NodeCount`] outside of 2 to 250 000 nodes.
    pub fn new(config: SimConfig) -> Result<Self, SimError> {
        Ok(Self::of(config.build_state()?))
    }

    pub(crate) fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)), disk: None, waker: Arc::default() }
    }

    pub(crate) fn kept(state: State, keeper: Keeper, blueprint: Arc<Blueprint>) -> Self {
        let disk = Some(Arc::new(OnDisk { keeper, blueprint }));
        Self { disk, ..Self::of(state) }
    }

    /// The state, also after a panic elsewhere: an auditor may still want to look.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state at `now`.
    pub(crate) fn at(&self, now: Timestamp) -> MutexGuard<'_, State> {
        self.begin(now).keep()
    }

    /// Why the network answers nothing any more: the error of its log, which is final. `None` as
    /// long as all is well, and for a network that is in memory only.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.disk.as_ref().and_then(|disk| disk.keeper.failure())
    }

    fn check(&self) -> Result<(), SimError> {
        self.failure().map_or(Ok(()), |message| Err(SimError::Log { message }))
    }

    /// Waits until everything that was done so far is durable; at once for a network in memory.
    ///
    /// What comes as an event is durable anyway. What a call returns is not: an invoice or a remote
    /// part may be unknown to the network after a power cut, or a killed process, unless this
    /// came between. Nobody is given the hash of such an invoice again.
    ///
    /// # Errors
    /// [`SimError::Log`].
    pub fn sync(&self) -> Result<(), SimError> {
        let synced = self.disk.as_ref().map_or(Ok(()), |disk| disk.keeper.sync());
        synced.map_err(|message| SimError::Log { message })
    }

    /// Connects an engine to our node. From the second time on it is what follows a crash of the
    /// engine: the connection before is dead, what it had not polled is gone, outcomes that nobody
    /// polled are announced, and HTLCs that wait for our word are offered again.
    #[must_use]
    pub fn connect(&self, now: Timestamp) -> SimNode {
        let generation = self.change(now, || Input::Connect, State::connect);
        SimNode::new(self.clone(), generation)
    }

    /// Restarts our node under a connected engine: its HTLCs stay, requests it has not answered yet
    /// are answered with `NodeError::Transport`, outcomes that nobody polled are announced, and
    /// HTLCs that wait for our word are offered again.
    pub fn restart(&self, now: Timestamp) {
        self.change(now, || Input::Restart, State::restart);
    }

    /// Our node id.
    #[must_use]
    pub fn us(&self) -> NodeId {
        let state = self.state();
        state.peers[state.ours.node].key.id
    }

    /// The id of the node with that name; over a graph also of the node with that id there, or
    /// with the first digits of it if no other begins so.
    ///
    /// # Errors
    /// [`SimError::UnknownName`].
    pub fn id(&self, name: &str) -> Result<NodeId, SimError> {
        let state = self.state();
        let node = state.named(name).map(|node| state.peers[node].key.id);
        node.ok_or_else(|| SimError::UnknownName { name: name.to_owned() })
    }

    /// The id, here, of a node of the graph that the network was made over.
    ///
    /// # Errors
    /// [`SimError::UnknownNode`].
    pub fn of_graph(&self, original: NodeId) -> Result<NodeId, SimError> {
        let state = self.state();
        let node = state.originals.binary_search(&original);
        let node = node.map_err(|_| SimError::UnknownNode { node: original })?;
        Ok(state.peers[node].key.id)
    }

    /// The id of a node in the graph that the network was made over; `None` for a node that the
    /// graph does not have.
    #[must_use]
    pub fn original(&self, node: NodeId) -> Option<NodeId> {
        let state = self.state();
        state.originals.get(*state.by_id.get(&node)?).copied()
    }

    /// The name of a node; in a generated network `n0`, `n1`, …, over a graph the first twelve
    /// digits of its id there, or the whole id where that is not enough; [`crate::OUR_NAME`] where
    /// we are a node of our own.
    #[must_use]
    pub fn name(&self, node: NodeId) -> Option<String> {
        let state = self.state();
        state.by_id.get(&node).map(|index| state.peers[*index].name.clone())
    }

    /// All nodes but ours, in the order in which they were added.
    #[must_use]
    pub fn others(&self) -> Vec<NodeId> {
        let state = self.state();
        let others = state.peers.iter().enumerate().filter(|(at, _)| *at != state.ours.node);
        others.map(|(_, peer)| peer.key.id).collect()
    }

    /// The first channel between two nodes, in the direction from the one to the other.
    #[must_use]
    pub fn direction(&self, from: NodeId, to: NodeId) -> Option<ChannelDirection> {
        let state = self.state();
        let (from, to) = (*state.by_id.get(&from)?, *state.by_id.get(&to)?);
        let mut channels = state.peers[from].channels.iter().map(|index| &state.channels[*index]);
        channels.find_map(|channel| {
            let side = usize::from(channel.sides[1].node == from);
            (channel.sides[1 - side].node == to).then(|| channel.direction(side))
        })
    }

    /// The height of the chain now.
    #[must_use]
    pub fn height(&self, now: Timestamp) -> BlockHeight {
        self.at(now).height
    }

    /// The cheapest route that would work now, found by one who knows all hidden balances, real
    /// policies and private channels; our node forwards nothing on it. `last` is what the last HTLC
    /// has left. `None` where there is no way, and from a node to itself.
    #[must_use]
    pub fn route(
        &self,
        from: NodeId,
        to: NodeId,
        amount: Msat,
        last: Blocks,
        now: Timestamp,
    ) -> Option<Route> {
        let state = self.at(now);
        state.path(*state.by_id.get(&from)?, *state.by_id.get(&to)?, amount, last)
    }

    /// Lets a remote node hand out a BOLT 11 invoice, signed with its key; it will take what is
    /// paid to it.
    ///
    /// # Errors
    /// [`SimError::UnknownNode`]; [`SimError::OurOwnNode`]: ours is asked through the port;
    /// [`SimError::Invoice`] for a request that BOLT 11 has no room for.
    pub fn invoice(
        &self,
        payee: NodeId,
        request: InvoiceRequest,
        now: Timestamp,
    ) -> Result<String, SimError> {
        self.sell(payee, request, now).map(|(invoice, _)| invoice)
    }

    /// As [`SimNetwork::invoice`], with the hash of what the payee keeps: it need not be decoded.
    ///
    /// # Errors
    /// As [`SimNetwork::invoice`].
    pub fn sell(
        &self,
        payee: NodeId,
        request: InvoiceRequest,
        now: Timestamp,
    ) -> Result<(String, PaymentHash), SimError> {
        self.check()?;
        let mut change = self.begin(now);
        let sold = change.state.number(payee).and_then(|it| change.state.sell(it, request));
        let sold = sold.map(|(text, hash, sale)| {
            change.note(|| Input::Sold(Cow::Borrowed(&sale)));
            change.state.note_sale(sale);
            (text, hash)
        });
        drop(change.keep());
        sold
    }

    /// Lets a remote node send us a part, along the cheapest route that works now.
    ///
    /// # Errors
    /// [`SimError::UnknownNode`], [`SimError::NoRoute`].
    pub fn pay_us(
        &self,
        from: NodeId,
        part: RemotePart,
        now: Timestamp,
    ) -> Result<RemoteId, SimError> {
        self.check()?;
        let noted = part.clone();
        let input = || Input::PayUs { from, part: Cow::Owned(noted) };
        self.waking(self.change(now, input, |state| state.pay_us(from, part)))
    }

    /// Lets a remote node pay an invoice with an amount, ours or another's, in `parts` equal parts.
    ///
    /// # Errors
    /// [`SimError::UnknownNode`], [`SimError::Invoice`], [`SimError::NoRoute`]; parts for which
    /// there was a route are under way even then.
    pub fn pay_invoice(
        &self,
        from: NodeId,
        invoice: &str,
        parts: u32,
        now: Timestamp,
    ) -> Result<Vec<RemoteId>, SimError> {
        self.check()?;
        let input = || Input::PayInvoice { from, invoice: Cow::Borrowed(invoice), parts };
        self.waking(self.change(now, input, |state| state.pay_invoice(from, invoice, parts)))
    }

    /// Lets the first node of a route, not ours, send a part along it, whatever the route is like.
    ///
    /// # Errors
    /// [`SimError::OurOwnNode`]; [`SimError::UnknownNode`], also for a route without hops.
    pub fn send_remote(
        &self,
        part: RemotePart,
        route: Route,
        now: Timestamp,
    ) -> Result<RemoteId, SimError> {
        self.check()?;
        let (noted, way) = (part.clone(), route.clone());
        let input = || Input::SendRemote { part: Cow::Owned(noted), route: Cow::Owned(way) };
        self.waking(self.change(now, input, |state| state.send_along(part, route)))
    }

    /// What became of a part that a remote node sent; `None` if there is no such part, and on a
    /// disk if more than [`crate::REMEMBERED`] were over since.
    #[must_use]
    pub fn remote_status(&self, id: RemoteId) -> Option<PartStatus> {
        self.state().remotes.get(&id).cloned()
    }

    /// Writes a fault down.
    ///
    /// # Errors
    /// [`SimError::UnknownNode`]; [`SimError::UnknownChannel`]; [`SimError::OurOwnNode`]: ours has
    /// scripts of its own.
    pub fn script(&self, script: Script, now: Timestamp) -> Result<(), SimError> {
        self.check()?;
        let noted = script.clone();
        self.change(now, || Input::Script(Cow::Owned(noted)), |state| state.script(script))
    }

    /// Changes what a direction really asks for, and says so or not.
    ///
    /// # Errors
    /// [`SimError::UnknownChannel`].
    pub fn set_policy(
        &self,
        direction: ChannelDirection,
        policy: Policy,
        announce: bool,
        now: Timestamp,
    ) -> Result<(), SimError> {
        self.check()?;
        let noted = Cow::Owned(policy.clone());
        let input = || Input::Policy { direction, policy: noted, announce };
        self.change(now, input, |state| state.set_policy(direction, policy, announce))
    }

    /// Closes a channel: it takes no HTLC any more, those in it are still resolved, and balances
    /// stay on the books.
    ///
    /// # Errors
    /// [`SimError::UnknownChannel`], also for one that is closed already.
    pub fn close_channel(&self, scid: ShortChannelId, now: Timestamp) -> Result<(), SimError> {
        self.check()?;
        self.change(now, || Input::Close(scid), |state| state.close_channel(scid))
    }

    /// The log of what really happened, from line `since` on; 0 for all of it. A network on a disk
    /// keeps no such log.
    #[must_use]
    pub fn truth(&self, since: usize) -> Vec<TruthRecord> {
        let state = self.state();
        let log = state.truth.log.as_ref().and_then(|log| log.get(since..));
        log.unwrap_or_default().to_vec()
    }

    /// What really happened for a hash. A network on a disk forgets it once nothing for the hash is
    /// on its way: [`crate::audit_disk`] knows it for ever.
    #[must_use]
    pub fn payment(&self, payment_hash: PaymentHash) -> PaymentTruth {
        self.state().truth.payments.get(&payment_hash).cloned().unwrap_or_default()
    }

    /// What is ours in each of our channels, HTLCs not counted.
    #[must_use]
    pub fn our_balance(&self) -> Vec<(ShortChannelId, Msat)> {
        self.state().our_balances()
    }

    /// What a node could offer in a direction now: the balance that gossip doesn't tell.
    #[must_use]
    pub fn spendable(&self, direction: ChannelDirection) -> Option<Msat> {
        let state = self.state();
        let channel = &state.channels[*state.by_scid.get(&direction.scid)?];
        Some(channel.spendable(crate::channel::side_of(direction.direction)))
    }

    /// How many parts, ours and others', are on their way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.state().flights.len()
    }

    /// Checks that no money was made or lost: each channel's balances and HTLCs sum to its
    /// capacity, its HTLCs are those of parts on their way, and each node owns what it had, and has
    /// gained, less what it gave.
    ///
    /// # Errors
    /// The first thing that doesn't add up, as a sentence.
    pub fn audit(&self) -> Result<(), String> {
        self.state().audit()
    }
}
