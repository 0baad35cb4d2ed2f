//! From the bytes of a store to a graph.

use crate::message::{Announcement, Chain, Message, Update};
use crate::record::{Next, Record, Records, StoreError};
use payecs_planner::{Graph, GraphBuilder};
use payecs_units::{ChannelDirection, Msat, NodeId, ShortChannelId};

/// Most channels that are read from one store; the public network had 51 000 in 2026.
const CHANNELS_MAX: usize = 1 << 22;
const MSAT_PER_SATOSHI: u64 = 1_000;

/// What was in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The channels with their newest policies.
    pub graph: Graph,
    /// How many channels are in the graph.
    pub channels: usize,
    /// How many directions have a policy, disabled ones included.
    pub updates: usize,
    /// What is not in the graph.
    pub ignored: Ignored,
    /// How the reading ended.
    pub end: End,
}

/// How many messages of a store are not in the graph, by their cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Records marked as deleted.
    pub deleted: usize,
    /// Announcements, and updates before the end of it, of a channel that is closed since, or that
    /// was announced again.
    pub closed: usize,
    /// Announcements that no channel can come from: no amount follows, or none that is money; both
    /// ends are one node, or are in the wrong order.
    pub unusable: usize,
    /// Updates of channels that are not in the graph.
    pub unannounced: usize,
    /// Updates with a newer one of the same direction.
    pub outdated: usize,
    /// Announcements and updates of another chain than that of the first announcement.
    pub other_chain: usize,
    /// Messages of types that no graph needs, such as `node_announcement`.
    pub other: usize,
}

/// How the reading of a store ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At the end of the file.
    Whole,
    /// Before a record that is being written, at this offset in bytes.
    Torn {
        /// Where the record begins.
        offset: usize,
    },
    /// The store says that another one took its place. What is behind that isn't read.
    Superseded,
}

struct Announced {
    announcement: Announcement,
    offset: usize,
    capacity: Option<Msat>,
}

struct Updated {
    update: Update,
    offset: usize,
}

/// Reads a store from its bytes: see the crate's documentation for which versions.
///
/// Of several updates of a direction the newest counts, and of those of one second the last in the
/// file. In which order updates and their channel stand makes no difference, but for a channel that
/// was closed in between.
///
/// # Errors
/// [`StoreError`], of the first record that has one. A last record that is being written is none.
pub fn read(bytes: &[u8]) -> Result<Loaded, StoreError> {
    let mut store = Store::default();
    let end = store.collect(bytes)?;
    let (graph, ignored) = store.into_graph();
    let updates = graph.policies_count();
    Ok(Loaded { channels: graph.channels_count(), updates, graph, ignored, end })
}

/// What was found in a store, in no order.
#[derive(Default)]
struct Store {
    chain: Option<Chain>,
    announced: Vec<Announced>,
    updated: Vec<Updated>,
    /// Channels that were closed, and at which offset.
    closed: Vec<(ShortChannelId, usize)>,
    ignored: Ignored,
}

impl Store {
    fn collect(&mut self, bytes: &[u8]) -> Result<End, StoreError> {
        let mut records = Records::new(bytes)?;
        // Whether the channel announced last is the message before.
        let mut awaits_amount = false;
        loop {
            let record = match records.next()? {
                Next::Record(record) => record,
                Next::Torn { offset } => return Ok(End::Torn { offset }),
                Next::Nothing => return Ok(End::Whole),
            };
            if record.deleted {
                self.ignored.deleted += 1;
                awaits_amount = false;
                continue;
            }
            let Record { offset, message, .. } = record;
            let bytes = message.len();
            let message = Message::of(message).ok_or(StoreError::Malformed { offset, bytes })?;
            let had_announcement = std::mem::take(&mut awaits_amount);
            match message {
                Message::Announcement(announcement) => {
                    awaits_amount = self.announce(announcement, offset)?;
                }
                Message::Amount { satoshi } => {
                    if let Some(channel) = self.announced.last_mut().filter(|_| had_announcement) {
                        channel.capacity = satoshi.checked_mul(MSAT_PER_SATOSHI).map(Msat);
                    } else {
                        self.ignored.other += 1;
                    }
                }
                Message::Update(update) if self.is_other_chain(&update.chain) => {
                    self.ignored.other_chain += 1;
                }
                Message::Update(update) => self.updated.push(Updated { update, offset }),
                Message::Closed(scid) => self.closed.push((scid, offset)),
                Message::Ended => return Ok(End::Superseded),
                Message::Other => self.ignored.other += 1,
            }
        }
    }

    fn is_other_chain(&self, chain: &Chain) -> bool {
        self.chain.as_ref().is_some_and(|first| first != chain)
    }

    /// Whether it is kept.
    fn announce(&mut self, announcement: Announcement, offset: usize) -> Result<bool, StoreError> {
        if self.is_other_chain(&announcement.chain) {
            self.ignored.other_chain += 1;
            return Ok(false);
        }
        self.chain = Some(announcement.chain);
        if self.announced.len() >= CHANNELS_MAX {
            return Err(StoreError::TooManyChannels { offset, max: CHANNELS_MAX });
        }
        self.announced.push(Announced { announcement, offset, capacity: None });
        Ok(true)
    }

    fn into_graph(mut self) -> (Graph, Ignored) {
        self.announced.sort_unstable_by_key(|it| (it.announcement.scid, it.offset));
        self.closed.sort_unstable();
        let before = self.updated.len();
        let closed = &self.closed;
        let is_open = |scid, offset| closed_at(closed, scid).is_none_or(|end| end < offset);
        self.updated.retain(|it| is_open(it.update.scid, it.offset));
        self.ignored.closed += before - self.updated.len();
        self.updated.sort_unstable_by_key(|Updated { update, offset }| {
            (update.scid, update.direction, update.timestamp, *offset)
        });
        let mut builder = GraphBuilder::new();
        let mut updates = self.updated.into_iter().peekable();
        let mut announced = self.announced.into_iter().peekable();
        while let Some(channel) = announced.next() {
            let scid = channel.announcement.scid;
            if announced.peek().is_some_and(|next| next.announcement.scid == scid) {
                self.ignored.closed += 1;
                continue;
            }
            while updates.next_if(|it| it.update.scid < scid).is_some() {
                self.ignored.unannounced += 1;
            }
            let is_open = is_open(scid, channel.offset);
            let is_there = is_open && add(&mut builder, &channel);
            match (is_open, is_there) {
                (false, _) => self.ignored.closed += 1,
                (true, false) => self.ignored.unusable += 1,
                (true, true) => {}
            }
            while let Some(it) = updates.next_if(|it| it.update.scid == scid) {
                let newer = updates.peek().is_some_and(|next| {
                    (next.update.scid, next.update.direction) == (scid, it.update.direction)
                });
                if !is_there {
                    self.ignored.unannounced += 1;
                } else if newer {
                    self.ignored.outdated += 1;
                } else {
                    set(&mut builder, it.update, channel.capacity);
                }
            }
        }
        self.ignored.unannounced += updates.count();
        (builder.build(), self.ignored)
    }
}

/// Where a channel was closed for the last time.
fn closed_at(closed: &[(ShortChannelId, usize)], scid: ShortChannelId) -> Option<usize> {
    let behind = closed.partition_point(|(other, _)| *other <= scid);
    let (last, offset) = closed.get(behind.checked_sub(1)?)?;
    (*last == scid).then_some(*offset)
}

/// Whether it is a channel.
fn add(builder: &mut GraphBuilder, channel: &Announced) -> bool {
    let Announcement { scid, nodes: [node_a, node_b], .. } = channel.announcement;
    let Some(capacity) = channel.capacity.filter(|capacity| *capacity > Msat::ZERO) else {
        return false;
    };
    // Directions are told by the order of the ends: a channel with another order has none.
    let in_order = node_a < node_b && [node_a, node_b].iter().all(is_compressed);
    in_order && builder.add_channel(scid, node_a, node_b, capacity).is_ok()
}

fn is_compressed(node: &NodeId) -> bool {
    matches!(node.0[0], 2 | 3)
}

fn set(builder: &mut GraphBuilder, update: Update, capacity: Option<Msat>) {
    let way = ChannelDirection { scid: update.scid, direction: update.direction };
    let mut policy = update.policy;
    if !update.has_maximum {
        policy.htlc_maximum_msat = capacity.unwrap_or(Msat::ZERO);
    }
    builder.set_policy(way, policy).expect("the channel was just added");
}
