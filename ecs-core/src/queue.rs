//! The Entities that are to be advanced, each once.

use crate::EntityId;
use foldhash::HashSet;
use std::collections::VecDeque;

/// A queue in which every Entity stands at most once.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    order: VecDeque<EntityId>,
    /// Asked for one at a time: its order is random.
    members: HashSet<EntityId>,
}

impl Queue {
    /// Puts an Entity at the end, unless it stands in the queue.
    pub(crate) fn push_back(&mut self, id: EntityId) {
        if self.members.insert(id) {
            self.order.push_back(id);
        }
    }

    /// Puts an Entity at the front, wherever it stood.
    pub(crate) fn push_front(&mut self, id: EntityId) {
        if !self.members.insert(id) {
            self.order.retain(|other| *other != id);
        }
        self.order.push_front(id);
    }

    pub(crate) fn pop(&mut self) -> Option<EntityId> {
        let id = self.order.pop_front()?;
        self.members.remove(&id);
        Some(id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
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
    }
}
