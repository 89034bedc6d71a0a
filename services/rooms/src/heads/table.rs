//! Which stream holds which rooms, and what was told of them last.
//!
//! Pure bookkeeping under one lock, no I/O: a head is told to all who hold the room when it differs
//! from what was told, and to one who asks in any case. Sending never waits; a stream that has no
//! room for an event is taken out.
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use domain::{Order, Position, RoomName};
use rpc::rooms::{HeldRooms, WatchEvent};
use tokio::sync::mpsc;

use crate::metrics;
use crate::store::{Head, RoomId};

/// Heads in one event: far below what a gRPC message may carry.
const EVENT_HEADS_MAX: usize = 1_000;

/// One stream of this pod.
pub(super) type StreamId = u64;
/// Rooms whose heads are asked for, and by whom.
pub(super) type Asked = HashMap<RoomName, Vec<StreamId>>;

#[derive(Default)]
pub(super) struct Table {
    next: StreamId,
    streams: HashMap<StreamId, Stream>,
    rooms: HashMap<RoomName, Watched>,
    names: HashMap<RoomId, RoomName>,
}

struct Stream {
    out: mpsc::Sender<WatchEvent>,
    held: HashSet<RoomName>,
    asked: HashSet<RoomName>,
    orders_sent: u64,
}

#[derive(Default)]
struct Watched {
    holders: Vec<StreamId>,
    told: Option<(RoomId, Position)>,
}

/// What is to be sent to each stream.
type News = HashMap<StreamId, Vec<(RoomName, Position)>>;

impl Table {
    pub(super) fn open(&mut self, out: mpsc::Sender<WatchEvent>, orders_sent: u64) -> StreamId {
        self.next += 1;
        let stream = Stream { out, held: HashSet::new(), asked: HashSet::new(), orders_sent };
        self.streams.insert(self.next, stream);
        self.next
    }

    pub(super) fn close(&mut self, id: StreamId) {
        let Some(stream) = self.streams.remove(&id) else { return };
        for room in &stream.held {
            self.let_go(id, room);
        }
    }

    pub(super) fn has(&self, id: StreamId) -> bool {
        self.streams.contains_key(&id)
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Applies what a gateway says it holds. False if the stream is no more, or would hold too many
    /// rooms.
    pub(super) fn change(&mut self, id: StreamId, change: HeldRooms, rooms_max: usize) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return false };
        for room in change.remove {
            stream.asked.remove(&room);
            if stream.held.remove(&room) {
                // Below the stream is borrowed again; a few names are cheaper than a second map.
                Self::let_go_in(&mut self.rooms, &mut self.names, id, &room);
            }
        }
        for room in change.add {
            if stream.held.insert(room.clone()) {
                self.rooms.entry(room.clone()).or_default().holders.push(id);
            }
            stream.asked.insert(room);
        }
        stream.held.len() <= rooms_max
    }

    fn let_go(&mut self, id: StreamId, room: &RoomName) {
        Self::let_go_in(&mut self.rooms, &mut self.names, id, room);
    }

    fn let_go_in(
        rooms: &mut HashMap<RoomName, Watched>,
        names: &mut HashMap<RoomId, RoomName>,
        id: StreamId,
        room: &RoomName,
    ) {
        let Entry::Occupied(mut watched) = rooms.entry(room.clone()) else { return };
        watched.get_mut().holders.retain(|holder| *holder != id);
        if watched.get().holders.is_empty()
            && let Some((number, _)) = watched.remove().told
        {
            names.remove(&number);
        }
    }

    /// Rooms that were added since the last call. Reading them must begin after it.
    pub(super) fn take_asked(&mut self) -> Asked {
        let mut asked = Asked::new();
        for (id, stream) in &mut self.streams {
            for room in stream.asked.drain() {
                asked.entry(room).or_default().push(*id);
            }
        }
        asked
    }

    /// The read failed: the same rooms in the next round.
    pub(super) fn ask_again(&mut self, asked: Asked) {
        for (room, ids) in asked {
            for id in ids {
                if let Some(stream) = self.streams.get_mut(&id)
                    && stream.held.contains(&room)
                {
                    stream.asked.insert(room.clone());
                }
            }
        }
    }

    /// Takes heads that were read by name: tells them to those who asked, and to all holders if
    /// they moved.
    pub(super) fn learn(&mut self, heads: Vec<Head>, asked: &Asked) {
        let mut news = News::new();
        for Head { id, room, position } in heads {
            let Some(watched) = self.rooms.get_mut(&room) else { continue };
            let told = (id, position.clone());
            if watched.told.as_ref() == Some(&told) {
                for asker in asked.get(&room).into_iter().flatten() {
                    news.entry(*asker).or_default().push((room.clone(), position.clone()));
                }
                continue;
            }
            for holder in &watched.holders {
                news.entry(*holder).or_default().push((room.clone(), position.clone()));
            }
            if let Some((before, _)) = watched.told.replace(told) {
                self.names.remove(&before);
            }
            self.names.insert(id, room);
        }
        self.send(news);
    }

    /// The numbers of all held rooms that have one.
    pub(super) fn ids(&self) -> Vec<RoomId> {
        self.names.keys().copied().collect()
    }

    /// Takes heads that were read by number: tells those that moved, and answers the rooms that
    /// must be looked for by name. An epoch belongs to one log only, so a number whose epoch is the
    /// told one still stands for the same room.
    pub(super) fn compare(
        &mut self,
        ids: &[RoomId],
        read: Vec<(RoomId, Position)>,
    ) -> Vec<RoomName> {
        let mut news = News::new();
        let mut missing: HashSet<RoomId> = ids.iter().copied().collect();
        let mut doubtful = Vec::new();
        for (id, position) in read {
            missing.remove(&id);
            let Some(room) = self.names.get(&id) else { continue };
            let Some(watched) = self.rooms.get_mut(room) else { continue };
            let Some((_, told)) = &mut watched.told else { continue };
            if told.epoch != position.epoch {
                doubtful.push(room.clone());
            } else if told.offset != position.offset {
                told.offset = position.offset;
                for holder in &watched.holders {
                    news.entry(*holder).or_default().push((room.clone(), position.clone()));
                }
            }
        }
        doubtful.extend(missing.iter().filter_map(|id| self.names.get(id).cloned()));
        let unknown = self.rooms.iter().filter(|(_, watched)| watched.told.is_none());
        doubtful.extend(unknown.map(|(room, _)| room.clone()));
        self.send(news);
        doubtful
    }

    /// The lowest order that some stream has seen, if any stream lacks one. Streams that have seen
    /// more orders than there are hang on to a database that was replaced: they are ended, and come
    /// again.
    pub(super) fn orders_wanted(&mut self, newest: u64) -> Option<u64> {
        let beyond: Vec<_> = self
            .streams
            .iter()
            .filter(|(_, s)| s.orders_sent > newest)
            .map(|(id, _)| *id)
            .collect();
        for id in beyond {
            self.close(id);
        }
        self.streams.values().map(|s| s.orders_sent).filter(|sent| *sent < newest).min()
    }

    /// Sends orders, numbers rising, to each stream those after its last.
    pub(super) fn obey(&mut self, orders: &[Order]) {
        let mut full = Vec::new();
        for (id, stream) in &mut self.streams {
            for order in orders {
                if order.number <= stream.orders_sent {
                    continue;
                }
                if stream.out.try_send(WatchEvent::Order(order.clone())).is_err() {
                    full.push(*id);
                    break;
                }
                stream.orders_sent = order.number;
            }
        }
        self.end(full);
    }

    fn send(&mut self, news: News) {
        let mut full = Vec::new();
        for (id, heads) in news {
            let Some(stream) = self.streams.get(&id) else { continue };
            for some in heads.chunks(EVENT_HEADS_MAX) {
                if stream.out.try_send(WatchEvent::Heads(some.to_vec())).is_err() {
                    full.push(id);
                    break;
                }
            }
        }
        self.end(full);
    }

    /// Ends streams that are not read.
    fn end(&mut self, full: Vec<StreamId>) {
        for id in full {
            metrics::stream_not_read();
            self.close(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Epoch;

    use super::*;

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    fn at(offset: u64) -> Position {
        Position { epoch: Epoch::new("e"), offset }
    }

    fn head(id: i64, name: &str, offset: u64) -> Head {
        Head { id: RoomId(id), room: room(name), position: at(offset) }
    }

    fn add(names: &[&str]) -> HeldRooms {
        HeldRooms { add: names.iter().map(|n| room(n)).collect(), remove: Vec::new() }
    }

    fn heads(events: &mut mpsc::Receiver<WatchEvent>) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        while let Ok(WatchEvent::Heads(heads)) = events.try_recv() {
            all.extend(heads.into_iter().map(|(room, p)| (room.to_string(), p.offset)));
        }
        all
    }

    #[test]
    fn a_head_is_told_when_it_moves_and_to_whom_asks() {
        let mut table = Table::default();
        let (out, mut events) = mpsc::channel(8);
        let (other, mut others) = mpsc::channel(8);
        let first = table.open(out, 0);
        let second = table.open(other, 0);
        assert!(table.change(first, add(&["a"]), 10));
        let asked = table.take_asked();
        table.learn(vec![head(1, "a", 3)], &asked);
        assert_eq!(heads(&mut events), [("a".into(), 3)]);
        assert!(table.change(second, add(&["a"]), 10));
        let asked = table.take_asked();
        table.learn(vec![head(1, "a", 3)], &asked);
        assert_eq!((heads(&mut events), heads(&mut others)), (vec![], vec![("a".into(), 3)]));
        assert!(table.compare(&[RoomId(1)], vec![(RoomId(1), at(3))]).is_empty());
        assert_eq!(heads(&mut events), []);
        assert!(table.compare(&[RoomId(1)], vec![(RoomId(1), at(5))]).is_empty());
        assert_eq!(heads(&mut events), [("a".into(), 5)]);
        assert_eq!(heads(&mut others), [("a".into(), 5)]);
    }

    #[test]
    fn a_number_that_stands_for_another_log_is_looked_for_by_name() {
        let mut table = Table::default();
        let (out, mut events) = mpsc::channel(8);
        let id = table.open(out, 0);
        assert!(table.change(id, add(&["a", "b", "nowhere"]), 10));
        let asked = table.take_asked();
        table.learn(vec![head(1, "a", 3), head(2, "b", 4)], &asked);
        let other = Position { epoch: Epoch::new("other"), offset: 9 };
        let mut doubtful = table.compare(&[RoomId(1), RoomId(2)], vec![(RoomId(1), other)]);
        doubtful.sort();
        assert_eq!(doubtful, [room("a"), room("b"), room("nowhere")]);
        assert_eq!(heads(&mut events).len(), 2, "nothing beyond the first heads");
        table.learn(vec![head(7, "a", 1)], &Asked::new());
        assert_eq!(heads(&mut events), [("a".into(), 1)]);
        assert_eq!(table.ids().len(), 2);
    }

    #[test]
    fn a_stream_that_is_not_read_is_ended_and_forgotten() {
        let mut table = Table::default();
        let (out, _events) = mpsc::channel(1);
        let id = table.open(out, 0);
        assert!(table.change(id, add(&["a"]), 10));
        let asked = table.take_asked();
        table.learn(vec![head(1, "a", 1)], &asked);
        table.compare(&[RoomId(1)], vec![(RoomId(1), at(2))]);
        assert!(!table.has(id));
        assert!(table.rooms.is_empty() && table.names.is_empty());
        assert!(!table.change(id, add(&["b"]), 10));
    }

    #[test]
    fn each_stream_gets_each_order_once() {
        use domain::{Notice, NoticeLevel, OrderAct};
        let order = |number| Order {
            number,
            time_ms: 0,
            act: OrderAct::Notice(Notice {
                id: String::new(),
                text: String::new(),
                level: NoticeLevel::Info,
            }),
        };
        let mut table = Table::default();
        let (out, mut events) = mpsc::channel(8);
        table.open(out, 5);
        assert_eq!(table.orders_wanted(5), None);
        assert_eq!(table.orders_wanted(7), Some(5));
        table.obey(&[order(4), order(5), order(6), order(7)]);
        table.obey(&[order(6), order(7), order(8)]);
        let mut numbers = Vec::new();
        while let Ok(WatchEvent::Order(order)) = events.try_recv() {
            numbers.push(order.number);
        }
        assert_eq!(numbers, [6, 7, 8]);
        assert_eq!(table.orders_wanted(3), None, "a database that went back ends the stream");
        assert_eq!(table.streams(), 0);
    }
}
