//! A subscription as a reader of its room's log: a cursor, not a queue of copies.
//!
//! `next in ring -> send; next < lo -> a page of history; next > hi -> wait`. There is no merge of
//! recovered and live items, so no hole and no duplicate by construction. Lives on one worker.
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use domain::{Epoch, Position, Rights};
use wire::UnsubscribeCode;

use super::Room;
use super::item::RingItem;
use super::reader::Next;
use super::ring::After;
use super::view::{Base, View};
use crate::connection::Connection;
use crate::connection::frames::{Shape, SharedPush};
use crate::order::Origin;

/// Between two reads of history that brought nothing or failed.
const AGAIN: Duration = Duration::from_millis(250);
/// Failed reads of one place before the client is told to start over.
const FAILURES_MAX: u32 = 40;

/// Where a member's feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// Its subscribe is not answered yet.
    Joining,
    /// At the head, as far as it knows.
    Live,
    /// The socket has enough queued.
    Paused,
    /// A page of history is under way.
    Fetching,
    /// No more.
    Ended,
}

/// What is fixed when a member joins.
pub struct Joined {
    /// The place from which it reads on.
    pub start: Position,
    /// The generation of the room's reader that the place belongs to.
    pub generation: u64,
    /// The head at which it was authorised: later kicks concern it.
    pub authorised_at: u64,
    /// How it came to be: later orders concern it.
    pub origin: Origin,
    /// What it may do.
    pub rights: Rights,
    /// Whether it gets joins and leaves.
    pub join_leave: bool,
    /// How it sees its room.
    pub view: View,
    /// What its client can apply a patch to, once the subscribe is answered.
    pub base: Base,
}

/// See the file's head.
pub struct Member {
    /// Its connection.
    pub connection: Rc<Connection>,
    /// Its room.
    pub room: Arc<Room>,
    /// What was fixed at the join.
    pub joined: Joined,
    shape: Shape,
    base: Cell<Base>,
    cursor: Cell<u64>,
    feed: Cell<Feed>,
    queued: RefCell<VecDeque<Arc<RingItem>>>,
}

impl Member {
    /// A member whose subscribe is not answered yet.
    pub fn new(connection: Rc<Connection>, room: Arc<Room>, joined: Joined) -> Self {
        let cursor = Cell::new(joined.start.offset);
        let (feed, queued) = (Cell::new(Feed::Joining), RefCell::default());
        let shape = joined.view.shape(connection.carrier());
        let base = Cell::new(joined.base);
        Self { connection, room, joined, shape, base, cursor, feed, queued }
    }

    /// Where its feed stands.
    pub fn feed(&self) -> Feed {
        self.feed.get()
    }

    /// The offset of the last item that was sent.
    pub fn cursor(&self) -> u64 {
        self.cursor.get()
    }

    /// The subscribe is answered: from now on it is fed.
    pub fn go_live(self: &Rc<Self>) {
        if self.feed.get() == Feed::Joining {
            self.feed.set(Feed::Live);
            self.pump();
        }
    }

    /// Sends what has no position.
    pub fn show(&self, push: &SharedPush) {
        if let Some(filter) = &self.joined.view.filter
            && let Some(tags) = push.tags()
            && !filter.wants_tags(|key| tags.get(key).map(String::as_str))
        {
            return;
        }
        self.connection.show_as(push, self.shape);
    }

    /// Nothing more is sent.
    pub fn end(&self) {
        self.feed.set(Feed::Ended);
        self.queued.borrow_mut().clear();
    }

    /// Takes items that the worker read out of the ring once for all its members.
    pub fn offer(self: &Rc<Self>, items: &[Arc<RingItem>]) {
        let at_head = self.feed.get() == Feed::Live
            && items.first().is_some_and(|item| item.offset() == self.cursor.get() + 1);
        if !at_head {
            return self.pump();
        }
        for item in items {
            if self.feed.get() == Feed::Ended {
                return;
            }
            if !self.connection.writer().feed_open() {
                // The rest is taken from the ring when the socket has taken what is queued.
                return self.feed.set(Feed::Paused);
            }
            self.deliver(item);
        }
    }

    /// Sends what can be sent now.
    pub fn pump(self: &Rc<Self>) {
        loop {
            if matches!(self.feed.get(), Feed::Joining | Feed::Fetching | Feed::Ended) {
                return;
            }
            if !self.room.settings().stored {
                return self.feed.set(Feed::Live);
            }
            if !self.connection.writer().feed_open() {
                return self.feed.set(Feed::Paused);
            }
            let next = self.queued.borrow_mut().pop_front();
            if let Some(item) = next {
                self.deliver(&item);
                continue;
            }
            match self.room.after(self.joined.generation, self.cursor.get()) {
                Next::Gone => return self.lose(),
                Next::In(After::Items(items)) => self.queued.borrow_mut().extend(items),
                Next::In(After::Head) => return self.feed.set(Feed::Live),
                Next::In(After::Behind) => {
                    self.feed.set(Feed::Fetching);
                    let member = self.clone();
                    actix_web::rt::spawn(async move { member.catch_up().await });
                    return;
                }
            }
        }
    }

    fn deliver(&self, item: &Arc<RingItem>) {
        if self.feed.get() == Feed::Ended || item.offset() != self.cursor.get() + 1 {
            return;
        }
        if !self.joined.view.wants(item) {
            // As good as sent.
            return self.cursor.set(item.offset());
        }
        let (connection, base) = (&self.connection, self.base.get());
        if !connection.feed(item, Shape { payload: base.payload(item), ..self.shape }) {
            // The connection closes; nothing behind this item may be sent.
            return self.end();
        }
        self.cursor.set(item.offset());
        self.base.set(base.after(item));
        if let Some((target, reason)) = item.kick()
            && item.offset() > self.joined.authorised_at
            && connection.is_of(target)
        {
            let reason = if reason.is_empty() { "kicked" } else { reason };
            let name = self.room.name();
            let push = SharedPush::unsubscribe(name, UnsubscribeCode::Server, reason);
            connection.end_subscription(name, &push);
        }
    }

    /// Reads pages of history until the ring has the next item.
    async fn catch_up(self: Rc<Self>) {
        let mut failures = 0;
        let epoch: Epoch = self.joined.start.epoch.clone();
        loop {
            let after = self.cursor.get();
            let pages = self.connection.gateway().pages();
            let page = pages.after(self.room.handle(), &epoch, after).await;
            if self.feed.get() != Feed::Fetching {
                return;
            }
            match page {
                Ok(page) if page.head.epoch != epoch || page.oldest > after + 1 => {
                    return self.lose();
                }
                Ok(page) => {
                    let items: Vec<_> = page.items_after(after).cloned().collect();
                    if !items.is_empty() {
                        self.queued.borrow_mut().extend(items);
                        break;
                    }
                    failures += 1;
                }
                Err(_) => failures += 1,
            }
            if failures > FAILURES_MAX {
                return self.lose();
            }
            tokio::time::sleep(AGAIN).await;
            // The ring may have what history could not give.
            if !matches!(self.room.after(self.joined.generation, after), Next::In(After::Behind)) {
                break;
            }
        }
        if self.feed.get() == Feed::Fetching {
            self.feed.set(Feed::Live);
            self.pump();
        }
    }

    /// The log cannot be read on from here: the client is told, and its SDK subscribes anew.
    fn lose(&self) {
        metrics::counter!("roomcast_gateway_members_lost_total").increment(1);
        self.connection.lose_subscription(self.room.name(), self.room.lost());
    }
}
