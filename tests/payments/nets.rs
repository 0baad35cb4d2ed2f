//! Networks by hand. We are always `alice`.

use ecs_systems::units::Msat;
use node_sim::{Settings, SimBuilder, SimNetwork, policy};

/// The size of every channel, unless a network says otherwise: 1 000 000 sat.
pub(crate) const SIZE: Msat = Msat(1_000_000_000);
/// Half of it.
pub(crate) const HALF: Msat = Msat(500_000_000);
/// What fits anywhere: 1 000 sat.
pub(crate) const SMALL: Msat = Msat(1_000_000);

/// A channel with half on each side that costs what it says in both directions.
pub(crate) trait Channels {
    fn even(self, a: &str, b: &str, fee_base_msat: u64) -> Self;

    /// A channel of `size` of which `a` has `balance`, for free.
    fn with(self, a: &str, b: &str, size: Msat, balance: Msat) -> Self;
}

impl Channels for SimBuilder {
    fn even(self, a: &str, b: &str, fee_base_msat: u64) -> Self {
        self.channel(a, b, SIZE, HALF, policy(fee_base_msat, 0), policy(fee_base_msat, 0))
    }

    fn with(self, a: &str, b: &str, size: Msat, balance: Msat) -> Self {
        self.channel(a, b, size, balance, policy(0, 0), policy(0, 0))
    }
}

fn nodes(names: &[&str], settings: Settings) -> SimBuilder {
    let builder = SimBuilder::new(1).settings(settings).us("alice");
    names.iter().fold(builder, |builder, name| builder.node(name))
}

/// alice – bob – carol; bob takes 1 sat and 10 ppm towards carol.
pub(crate) fn line() -> SimNetwork {
    line_with(Settings::default())
}

/// The same under other rules of the world.
pub(crate) fn line_with(settings: Settings) -> SimNetwork {
    nodes(&["alice", "bob", "carol"], settings)
        .even("alice", "bob", 0)
        .channel("bob", "carol", SIZE, HALF, policy(1_000, 10), policy(0, 0))
        .build()
        .expect("a network")
}

/// The line with a second channel between alice and bob.
pub(crate) fn two_ways_out() -> SimNetwork {
    nodes(&["alice", "bob", "carol"], Settings::default())
        .even("alice", "bob", 0)
        .even("alice", "bob", 0)
        .channel("bob", "carol", SIZE, HALF, policy(1_000, 10), policy(0, 0))
        .build()
        .expect("a network")
}

/// alice – bob – carol, where gossip knows of no channel of alice's.
pub(crate) fn hidden() -> SimNetwork {
    nodes(&["alice", "bob", "carol"], Settings::default())
        .even("alice", "bob", 7)
        .private()
        .even("bob", "carol", 0)
        .build()
        .expect("a network")
}

/// Two ways from alice to carol: by bob for 1 sat, and by dave for 3 sat. Of bob's channel to carol
/// only `by_bob` is bob's, and nobody knows.
pub(crate) fn diamond(by_bob: Msat) -> SimNetwork {
    diamond_with(by_bob, Settings::default())
}

/// The same under other rules of the world.
pub(crate) fn diamond_with(by_bob: Msat, settings: Settings) -> SimNetwork {
    nodes(&["alice", "bob", "carol", "dave"], settings)
        .even("alice", "bob", 0)
        .channel("bob", "carol", SIZE, by_bob, policy(1_000, 0), policy(0, 0))
        .even("alice", "dave", 0)
        .even("dave", "carol", 3_000)
        .build()
        .expect("a network")
}

/// Two ways from alice to carol: by bob for 1 sat, whose channel to carol is of that size and all
/// his, and by dave for 1 000 sat.
pub(crate) fn diamond_with_room(by_bob: Msat) -> SimNetwork {
    nodes(&["alice", "bob", "carol", "dave"], Settings::default())
        .with("alice", "bob", SIZE, SIZE)
        .channel("bob", "carol", by_bob, by_bob, policy(1_000, 0), policy(0, 0))
        .with("alice", "dave", SIZE, SIZE)
        .even("dave", "carol", 1_000_000)
        .build()
        .expect("a network")
}

/// alice – bob, and from there two ways to carol: straight and for free, where bob has only
/// `by_bob` and nobody knows, and by dave for 1 sat at each of the two channels.
pub(crate) fn one_way_out(by_bob: Msat) -> SimNetwork {
    nodes(&["alice", "bob", "carol", "dave"], Settings::default())
        .even("alice", "bob", 0)
        .with("bob", "carol", SIZE, by_bob)
        .even("bob", "dave", 1_000)
        .even("dave", "carol", 1_000)
        .build()
        .expect("a network")
}

/// The line, and erin with a channel of her own to carol: a second payer.
pub(crate) fn two_payers() -> SimNetwork {
    nodes(&["alice", "bob", "carol", "erin"], Settings::default())
        .even("alice", "bob", 0)
        .channel("bob", "carol", SIZE, HALF, policy(1_000, 10), policy(0, 0))
        .even("erin", "carol", 0)
        .build()
        .expect("a network")
}

/// alice – bob – carol, where carol's only channel is `size`; dave is nobody's neighbour, frank
/// only by a channel that nobody announced, and gina is behind a channel between bob and hal that
/// is too small.
pub(crate) fn dead_ends() -> SimNetwork {
    nodes(&["alice", "bob", "carol", "dave", "frank", "gina", "hal"], Settings::default())
        .even("alice", "bob", 0)
        .with("bob", "carol", Msat(10_000_000), Msat(5_000_000))
        .even("bob", "frank", 0)
        .private()
        .with("bob", "hal", Msat(2_000_000), Msat(1_000_000))
        .even("hal", "gina", 0)
        .build()
        .expect("a network")
}
