//! Which bindings a gateway wants, which stand at the broker, and what is to be done about the rest.
//!
//! One table for both buses. The gateway writes wishes at any time; one worker takes steps and
//! reports what it did. Every change of a wish is answered by one `Bound` or `Unbound`, the last one
//! if wishes change faster than the broker does. Bounded by the keys that the gateway names.
use std::collections::{HashMap, VecDeque};

use domain::RoomName;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{BindingKey, Bindings, BusEvent};

#[derive(Default)]
pub(crate) struct Wishes {
    table: Mutex<Table>,
    changed: Notify,
}

#[derive(Default)]
struct Table {
    wishes: HashMap<BindingKey, Wish>,
    /// Keys to look at, each once.
    due: VecDeque<BindingKey>,
    standing: usize,
}

#[derive(Default)]
struct Wish {
    wanted: bool,
    stands: bool,
    /// Whether the last change of `wanted` was answered.
    answered: bool,
    due: bool,
}

/// What the worker is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Bind(BindingKey),
    Unbind(BindingKey),
    /// Nothing at the broker, only this to the gateway.
    Tell(BusEvent),
}

impl Wishes {
    /// Up to `max` steps, oldest wish first. Each `Bind` and `Unbind` must be followed by [`Self::did`],
    /// or by [`Self::lost`].
    pub(crate) fn take(&self, max: usize) -> Vec<Step> {
        let mut table = self.table.lock();
        let mut steps = Vec::new();
        while steps.len() < max
            && let Some(key) = table.due.pop_front()
        {
            steps.extend(table.step(key));
        }
        steps
    }

    /// The broker has now made (`stands`) or dropped a binding. Gives the answer that is due for it.
    pub(crate) fn did(&self, key: &BindingKey, stands: bool) -> Option<BusEvent> {
        self.table.lock().did(key, stands)
    }

    /// All bindings are gone: everything is to be done again. Gives how many wishes are due.
    pub(crate) fn lost(&self) -> usize {
        let mut table = self.table.lock();
        let Table { wishes, due, standing } = &mut *table;
        *standing = 0;
        for (key, wish) in wishes {
            wish.stands = false;
            if !wish.due {
                wish.due = true;
                due.push_back(key.clone());
            }
        }
        due.len()
    }

    /// While there is no broker: answers those that want nothing any more, and leaves the rest due.
    pub(crate) fn settle(&self) -> Vec<BusEvent> {
        let mut table = self.table.lock();
        let mut events = Vec::new();
        for _ in 0..table.due.len() {
            let Some(key) = table.due.pop_front() else { break };
            if table.wishes.get(&key).is_some_and(|wish| wish.wanted) {
                table.due.push_back(key);
            } else if let Some(Step::Tell(event)) = table.step(key) {
                events.push(event);
            }
        }
        events
    }

    /// Wants nothing any more, for a close.
    pub(crate) fn clear(&self) {
        let keys: Vec<_> = self.table.lock().wishes.keys().cloned().collect();
        for key in keys {
            self.unbind(key);
        }
    }

    /// Whether a room's traffic reaches the gateway now.
    pub(crate) fn reach(&self, room: &RoomName) -> bool {
        let table = self.table.lock();
        let stands = |key| table.wishes.get(&key).is_some_and(|wish| wish.stands);
        stands(BindingKey::Room(room.clone())) || stands(BindingKey::Shard(room.shard()))
    }

    /// How many bindings stand.
    pub(crate) fn standing(&self) -> usize {
        self.table.lock().standing
    }

    /// Waits until a wish changed, with one waiter. Safe to cancel.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn want(&self, key: BindingKey, wanted: bool) {
        {
            let mut table = self.table.lock();
            let Table { wishes, due, .. } = &mut *table;
            let known = wishes.contains_key(&key);
            let wish = wishes.entry(key.clone()).or_default();
            if known && wish.wanted == wanted {
                return;
            }
            wish.wanted = wanted;
            wish.answered = false;
            if !wish.due {
                wish.due = true;
                due.push_back(key);
            }
        }
        self.changed.notify_one();
    }
}

impl Table {
    fn step(&mut self, key: BindingKey) -> Option<Step> {
        let wish = self.wishes.get_mut(&key)?;
        wish.due = false;
        match (wish.wanted, wish.stands) {
            (true, false) => Some(Step::Bind(key)),
            (false, true) => Some(Step::Unbind(key)),
            (stands, _) => self.did(&key, stands).map(Step::Tell),
        }
    }

    fn did(&mut self, key: &BindingKey, stands: bool) -> Option<BusEvent> {
        let wish = self.wishes.get_mut(key)?;
        match (wish.stands, stands) {
            (false, true) => self.standing += 1,
            (true, false) => self.standing = self.standing.saturating_sub(1),
            _ => {}
        }
        wish.stands = stands;
        if wish.wanted != stands {
            // It changed meanwhile, and is due again.
            return None;
        }
        let answer = !std::mem::replace(&mut wish.answered, true);
        if !stands {
            self.wishes.remove(key);
        }
        answer.then(|| match stands {
            true => BusEvent::Bound(key.clone()),
            false => BusEvent::Unbound(key.clone()),
        })
    }
}

impl Bindings for Wishes {
    fn bind(&self, key: BindingKey) {
        self.want(key, true);
    }

    fn unbind(&self, key: BindingKey) {
        self.want(key, false);
    }
}

#[cfg(test)]
mod tests {
    use domain::Shard;

    use super::*;

    fn key(shard: u8) -> BindingKey {
        BindingKey::Shard(Shard(shard))
    }

    #[test]
    fn a_wish_is_done_once_and_answered_once() {
        let wishes = Wishes::default();
        wishes.bind(key(1));
        wishes.bind(key(1));
        assert_eq!(wishes.take(9), [Step::Bind(key(1))]);
        assert_eq!(wishes.did(&key(1), true), Some(BusEvent::Bound(key(1))));
        wishes.bind(key(1));
        assert_eq!(wishes.take(9), []);
        wishes.unbind(key(1));
        assert_eq!(wishes.take(9), [Step::Unbind(key(1))]);
        assert_eq!(wishes.did(&key(1), false), Some(BusEvent::Unbound(key(1))));
        assert_eq!(wishes.standing(), 0);
        assert!(wishes.table.lock().wishes.is_empty());
    }

    #[test]
    fn a_wish_that_changes_on_the_way_ends_as_it_was_last() {
        let wishes = Wishes::default();
        wishes.bind(key(1));
        assert_eq!(wishes.take(9), [Step::Bind(key(1))]);
        wishes.unbind(key(1));
        assert_eq!(wishes.did(&key(1), true), None);
        assert_eq!(wishes.take(9), [Step::Unbind(key(1))]);
        wishes.bind(key(1));
        assert_eq!(wishes.did(&key(1), false), None);
        assert_eq!(wishes.take(9), [Step::Bind(key(1))]);
        assert_eq!(wishes.did(&key(1), true), Some(BusEvent::Bound(key(1))));
        wishes.unbind(key(1));
        wishes.bind(key(1));
        assert_eq!(wishes.take(9), [Step::Tell(BusEvent::Bound(key(1)))]);
    }

    #[test]
    fn after_a_loss_all_is_due_again_and_told_again_to_nobody() {
        let wishes = Wishes::default();
        for n in 0..3 {
            wishes.bind(key(n));
        }
        wishes.take(9);
        wishes.did(&key(0), true);
        wishes.did(&key(1), true);
        assert_eq!(wishes.standing(), 2);
        wishes.unbind(key(1));
        assert_eq!(wishes.lost(), 3);
        assert_eq!(wishes.settle(), [BusEvent::Unbound(key(1))]);
        let mut steps = wishes.take(9);
        steps.sort_by_key(|step| format!("{step:?}"));
        assert_eq!(steps, [Step::Bind(key(0)), Step::Bind(key(2))]);
        assert_eq!(wishes.did(&key(0), true), None);
        assert_eq!(wishes.did(&key(2), true), Some(BusEvent::Bound(key(2))));
    }

    #[test]
    fn an_unbind_of_what_was_never_bound_is_answered_too() {
        let wishes = Wishes::default();
        wishes.unbind(key(1));
        assert_eq!(wishes.take(9), [Step::Tell(BusEvent::Unbound(key(1)))]);
        assert!(wishes.table.lock().wishes.is_empty());
    }
}
