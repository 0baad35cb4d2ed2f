//! Where the receipts lie.

use super::made::Held;
use crate::{
    guards,
    sorted::{Keyed, Sorted},
};
use ecs_systems::units::PaymentHash;
use std::sync::Arc;

/// A receipt has its place by [`Places::created`](super::order::Places).
impl Keyed for Arc<Held> {
    type Key = u64;

    fn key(&self) -> u64 {
        self.places.created
    }
}

/// Receipts in the order in which they were issued, found by place and by hash.
///
/// Whatever else refers to a receipt has its place, which is a quarter of a hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    all: Sorted<Arc<Held>>,
    /// The fingerprint of each one's hash, and its place.
    by_hash: Sorted<(u64, u64)>,
}

impl Shelf {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The receipt with that hash.
    pub(super) fn get(&self, hash: &PaymentHash) -> Option<&Arc<Held>> {
        let fingerprint = guards::of_hash(hash);
        let alike = self.by_hash.from((fingerprint, 0)).take_while(|it| it.0 == fingerprint);
        let mut alike = alike.filter_map(|(_, place)| self.at(*place));
        alike.find(|held| held.made.hash == *hash)
    }

    /// The same, to change it. Who has it beside us keeps it as it was.
    pub(super) fn get_mut(&mut self, hash: &PaymentHash) -> Option<&mut Held> {
        let place = self.get(hash)?.places.created;
        self.all.get_mut(place).map(Arc::make_mut)
    }

    /// The receipt at that place.
    pub(super) fn at(&self, place: u64) -> Option<&Arc<Held>> {
        self.all.get(place)
    }

    /// Puts a receipt at its place.
    pub(super) fn put(&mut self, held: Held) {
        self.by_hash.insert((guards::of_hash(&held.made.hash), held.places.created));
        self.all.insert(Arc::new(held));
    }

    /// Takes the receipt at that place away.
    pub(super) fn take(&mut self, place: u64) -> Option<Arc<Held>> {
        let held = self.all.remove(place)?;
        self.by_hash.remove((guards::of_hash(&held.made.hash), place));
        Some(held)
    }

    /// Those from that place on.
    pub(super) fn from(&self, place: u64) -> impl Iterator<Item = &Arc<Held>> {
        self.all.from(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipts::{
        NewReceipt,
        made::{Later, Made, Outcome},
        order::Places,
    };
    use ecs_systems::{
        port::Terms,
        units::{Preimage, Timestamp},
    };

    fn held(created: u64, hash: PaymentHash) -> Held {
        let (preimage, payment_secret, amount_msat) = (Preimage([1; 32]), None, None);
        let (expires_at, terms) = (Timestamp(0), Terms::default());
        let made = NewReceipt { preimage, payment_secret, amount_msat, expires_at, terms };
        let mut made = Made::here(&made);
        made.hash = hash;
        let places = Places { created, updated: created };
        Held::new(made, Outcome::Unpaid, places, Later::default())
    }

    #[test]
    fn one_that_has_nothing_more_is_small() {
        assert_eq!(size_of::<Held>(), 144, "and two counts beside it: a class of allocators");
    }

    #[test]
    fn hashes_with_one_fingerprint_are_told_apart() {
        let (mut one, mut other) = ([7; 32], [7; 32]);
        (one[31], other[31]) = (1, 2);
        let (one, other, third) = (PaymentHash(one), PaymentHash(other), PaymentHash([7; 32]));
        let mut shelf = Shelf::default();
        shelf.put(held(5, one));
        shelf.put(held(9, other));
        let place = |shelf: &Shelf, hash| shelf.get(&hash).map(|held| held.places.created);
        assert_eq!([one, other, third].map(|hash| place(&shelf, hash)), [Some(5), Some(9), None]);
        shelf.take(5).expect("it is there");
        assert_eq!([one, other, third].map(|hash| place(&shelf, hash)), [None, Some(9), None]);
        assert!(shelf.take(5).is_none() && shelf.len() == 1);
    }
}
