//! Who is here, twice: as presence has it, and what it was not yet told.
//!
//! Pure. Keeping the applied state apart from the queue lets a new lease register silently what
//! was told before, and tell what was not.
use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use domain::{ConnectionId, JoinLeave, PresenceChange, RoomName, Who};

/// Changes that may wait; beyond it all are registered anew, without being told.
const PENDING_MAX: usize = 100_000;
/// About what the changes of one batch may hold, in bytes: far from what a call carries at most.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// About what a change takes beside what is shown of somebody, in bytes.
const CHANGE_BYTES: usize = 256;

/// See the file's head.
#[derive(Debug, Default)]
pub struct Register {
    here: HashMap<ConnectionId, Present>,
    pending: VecDeque<PresenceChange>,
    /// Changes at the front of `pending` that are under way.
    under_way: usize,
    told: u64,
    settled: u64,
    overflowed: bool,
}

#[derive(Debug)]
struct Present {
    /// Without a room's own info.
    who: Who,
    rooms: HashMap<RoomName, Entry>,
}

/// How it is in one room.
#[derive(Debug)]
struct Entry {
    join_leave: JoinLeave,
    room_info: Bytes,
}

/// How many of these changes, at most `limit`, make one batch.
pub fn fit<'a>(changes: impl Iterator<Item = &'a PresenceChange>, limit: usize) -> usize {
    let mut bytes = 0;
    let fits = |change: &&PresenceChange| {
        let first = bytes == 0;
        bytes += CHANGE_BYTES;
        if let PresenceChange::Connected(who) | PresenceChange::Entered { who, .. } = change {
            bytes += who.bytes();
        }
        first || bytes <= BATCH_BYTES_MAX
    };
    changes.take(limit).take_while(fits).count()
}

impl Register {
    /// Takes a change.
    pub fn push(&mut self, change: PresenceChange) {
        self.told += 1;
        self.pending.push_back(change);
        if self.pending.len() > PENDING_MAX {
            // What is under way counts as done: a new lease registers all of it again.
            self.under_way = self.pending.len();
            self.applied();
            self.overflowed = true;
        }
    }

    /// Whether changes were dropped, so that only a new lease can tell the truth.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// How many changes are applied, or will be by the lease's registration.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// How many changes were taken, since the start.
    pub fn told(&self) -> u64 {
        self.told
    }

    /// Everything that presence was told, as changes for a new lease.
    pub fn registered(&mut self) -> Vec<PresenceChange> {
        self.under_way = 0;
        self.overflowed = false;
        let mut changes = Vec::new();
        for (connection, present) in &self.here {
            changes.push(PresenceChange::Connected(Who {
                connection: *connection,
                ..present.who.clone()
            }));
            changes.extend(present.rooms.iter().map(|(room, entry)| PresenceChange::Entered {
                room: room.clone(),
                who: Who { room_info: entry.room_info.clone(), ..present.who.clone() },
                join_leave: entry.join_leave,
            }));
        }
        changes
    }

    /// The next changes to send, at most `limit`; they stay until [`Self::applied`].
    pub fn next(&mut self, limit: usize) -> Vec<PresenceChange> {
        self.under_way = fit(self.pending.iter(), limit);
        self.pending.iter().take(self.under_way).cloned().collect()
    }

    /// The changes under way were applied.
    pub fn applied(&mut self) {
        let done: Vec<_> = self.pending.drain(..self.under_way).collect();
        self.settled += done.len() as u64;
        done.iter().for_each(|change| self.take(change));
        self.under_way = 0;
    }

    fn take(&mut self, change: &PresenceChange) {
        match change {
            PresenceChange::Connected(who) => {
                let present = Present { who: who.clone(), rooms: HashMap::new() };
                self.here.insert(who.connection, present);
            }
            PresenceChange::Disconnected(connection) => {
                self.here.remove(connection);
            }
            PresenceChange::Entered { room, who, join_leave } => {
                let present = self.here.entry(who.connection).or_insert_with(|| Present {
                    who: Who { room_info: Bytes::new(), ..who.clone() },
                    rooms: HashMap::new(),
                });
                let entry = Entry { join_leave: *join_leave, room_info: who.room_info.clone() };
                present.rooms.insert(room.clone(), entry);
            }
            PresenceChange::Left { room, connection, .. } => {
                if let Some(present) = self.here.get_mut(connection) {
                    present.rooms.remove(room);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Departure, PrincipalId};

    fn who() -> Who {
        let (info, room_info) = (Bytes::from_static(b"{\"age\":7}"), Bytes::new());
        let (name, connection) = ("Ann".to_owned(), ConnectionId::random());
        Who { id: PrincipalId::new("i", "ann"), name, info, room_info, connection }
    }

    fn entered(who: &Who) -> PresenceChange {
        let room = RoomName::parse("general").unwrap();
        let who = Who { room_info: Bytes::from_static(b"[5]"), ..who.clone() };
        PresenceChange::Entered { room, who, join_leave: JoinLeave::User }
    }

    #[test]
    fn a_new_lease_registers_what_was_applied_and_tells_the_rest() {
        let mut register = Register::default();
        let (ann, bob) = (who(), who());
        for change in [PresenceChange::Connected(ann.clone()), entered(&ann)] {
            register.push(change);
        }
        assert_eq!(register.next(10).len(), 2);
        register.applied();
        register.push(PresenceChange::Connected(bob.clone()));
        assert_eq!(register.next(10), [PresenceChange::Connected(bob.clone())]);
        // The lease is lost with that batch under way.
        assert_eq!(register.registered(), [PresenceChange::Connected(ann.clone()), entered(&ann)]);
        assert_eq!(register.next(10), [PresenceChange::Connected(bob)]);
        assert_eq!((register.told(), register.settled()), (3, 2));
    }

    #[test]
    fn a_batch_is_bounded_by_number_and_by_size() {
        let large = Who { info: vec![b'1'; domain::INFO_BYTES_MAX].into(), ..who() };
        let change = PresenceChange::Connected(large);
        let sizes = |count, limit| fit(vec![change.clone(); count].iter(), limit);
        assert_eq!((sizes(3, 10), sizes(11, 10), sizes(0, 10)), (3, 10, 0));
        let many = sizes(1_000, 1_000);
        assert!((200..256).contains(&many), "{many}");
        let huge = Who { name: "x".repeat(2 * BATCH_BYTES_MAX), ..who() };
        let huge = [PresenceChange::Connected(huge), entered(&who())];
        assert_eq!(fit(huge.iter(), 10), 1, "one goes in any case");
    }

    #[test]
    fn who_left_is_not_registered_again() {
        let mut register = Register::default();
        let ann = who();
        let room = RoomName::parse("general").unwrap();
        let (connection, departure) = (ann.connection, Departure::Clean);
        for change in [
            PresenceChange::Connected(ann.clone()),
            entered(&ann),
            PresenceChange::Left { room, connection, departure },
        ] {
            register.push(change);
        }
        register.next(10);
        register.applied();
        assert_eq!(register.registered(), [PresenceChange::Connected(ann)]);
        register.push(PresenceChange::Disconnected(connection));
        register.next(10);
        register.applied();
        assert!(register.registered().is_empty());
    }

    #[test]
    fn a_queue_that_is_too_long_becomes_a_registration() {
        let mut register = Register::default();
        for _ in 0..=PENDING_MAX {
            register.push(PresenceChange::Connected(who()));
        }
        assert!(register.overflowed() && register.next(10).is_empty());
        assert_eq!(register.settled(), register.told());
        assert_eq!(register.registered().len(), PENDING_MAX + 1);
        assert!(!register.overflowed());
    }
}
