//! The Entities that are to be advanced, each once.

use crate::EntityId;
use foldhash::HashSet;
use std::collections::VecDeque;

/// A queue in which every Entity stands at most once.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Before all others: mostly the only one, again and again.
    first: Option<EntityId>,
    order: VecDeque<EntityId>,
    /// Who stands in `order`.
    /// Asked for one at a time: its order is random.
    members: HashSet<EntityId>,
}

impl Queue {
    /// Puts an Entity at the end, unless it stands in the queue.
    pub(crate) fn push_back(&mut self, id: EntityId) {
        if self.first != Some(id) && self.members.insert(id) {
            self.order.push_back(id);
        }
    }

    /// Puts an Entity at the front, wherever it stood.
    pub(crate) fn push_front(&mut self, id: EntityId) {
        if !self.order.is_empty() && self.members.remove(&id) {
            self.order.retain(|other| *other != id);
        }
        if let Some(before) = self.first.replace(id).filter(|before| *before != id) {
            self.members.insert(before);
            self.order.push_front(before);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<EntityId> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let id = self.order.pop_front()?;
        self.members.remove(&id);
        Some(id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none() && self.order.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_stands_in_the_queue_once() {
        let [one, two] = [1, 2].map(|number| EntityId::new(number).unwrap());
        let mut queue = Queue::default();
        queue.push_back(one);
        queue.push_back(two);
        queue.push_back(one);
        queue.push_front(two);
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(two), Some(one), None]);
        assert!(queue.is_empty());
        for id in [one, two, one] {
            queue.push_front(id);
        }
        queue.push_back(two);
        queue.push_back(one);
        assert!(!queue.is_empty());
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(one), Some(two), None]);
    }
}
