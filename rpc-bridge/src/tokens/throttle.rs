//! How often somebody may be wrong.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Wrong tokens in a row that are answered at once.
const BURST: u32 = 10;
/// How long each of them takes to be forgotten.
const EACH: Duration = Duration::from_secs(1);
/// Most peers that are remembered; who was wrong longest ago is forgotten first.
const PEERS_MAX: usize = 1_024;

/// Counts wrong tokens by peer. A right token is never held up: it is looked at first.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// When all that a peer did wrong is forgotten.
    forgotten_at: Mutex<BTreeMap<IpAddr, Instant>>,
}

impl Throttle {
    /// Takes note of a wrong token, or says how long to wait before the next one.
    ///
    /// # Errors
    /// There were too many: the time to wait.
    pub(crate) fn wrong(&self, peer: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut peers = self.forgotten_at.lock().unwrap_or_else(PoisonError::into_inner);
        let at = peers.get(&peer).copied().unwrap_or(now).max(now);
        let full = now + EACH * (BURST - 1);
        if at > full {
            return Err(at - full);
        }
        if peers.len() >= PEERS_MAX && !peers.contains_key(&peer) {
            let oldest = peers.iter().min_by_key(|(_, at)| **at).map(|(peer, _)| *peer);
            oldest.map(|peer| peers.remove(&peer));
        }
        peers.insert(peer, at + EACH);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn who_is_wrong_too_often_waits_and_nobody_else() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let [one, other] = [1, 2].map(|last| IpAddr::from(Ipv4Addr::new(127, 0, 0, last)));
        for _ in 0..BURST {
            assert_eq!(throttle.wrong(one, now), Ok(()));
        }
        assert_eq!(throttle.wrong(one, now), Err(EACH));
        assert_eq!(throttle.wrong(other, now), Ok(()));
        assert_eq!(throttle.wrong(one, now + EACH), Ok(()));
        assert_eq!(throttle.wrong(one, now + EACH), Err(EACH));
        assert_eq!(throttle.wrong(one, now + EACH * 100), Ok(()));
    }

    #[test]
    fn peers_without_number_take_no_more_room() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..3_000 {
            let peer = IpAddr::from(Ipv4Addr::from_bits(0x7f00_0000 + number));
            assert_eq!(throttle.wrong(peer, now), Ok(()));
        }
        assert_eq!(throttle.forgotten_at.lock().unwrap().len(), PEERS_MAX);
    }
}
