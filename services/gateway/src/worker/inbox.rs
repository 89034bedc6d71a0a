//! What other threads tell a worker. Bounded, and telling never waits but for orders.
//!
//! News of a room are a mark, told once until they are looked at: as many as there are rooms.
//! Live traffic without a position is best effort: the oldest goes when the inbox is full.
use std::collections::VecDeque;
use std::sync::Arc;

use domain::{ConnectionId, PrincipalId, RoomName};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use wire::CloseCode;

use crate::connection::frames::SharedPush;
use crate::order::OrderedRoom;

/// Live traffic that may wait for a worker.
const LIVE_MAX: usize = 8_192;
/// Orders that may wait for a worker; beyond it the order's task waits.
const CONTROL_MAX: usize = 1_024;

/// Traffic of a room without a position.
#[derive(Debug, Clone)]
pub struct Live {
    /// The room.
    pub room: RoomName,
    /// What its members are shown.
    pub push: Arc<SharedPush>,
    /// Whether only those get it who asked for joins and leaves.
    pub join_leave: bool,
}

/// What a worker is told to do.
#[derive(Debug, Clone)]
pub enum Control {
    /// Close every connection of a principal that was authenticated before a moment.
    Disconnect {
        /// Whose.
        target: PrincipalId,
        /// Unix milliseconds.
        before_ms: i64,
        /// With what.
        code: CloseCode,
        /// Shown to the client.
        reason: String,
    },
    /// Close one connection.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Shown to the client.
        reason: String,
    },
    /// End every subscription of a principal to a room that was authorised before a moment.
    Unsubscribe {
        /// Whose.
        target: PrincipalId,
        /// Which room.
        room: RoomName,
        /// The order's number: a subscription that an earlier order made is ended by it too.
        number: u64,
        /// Unix milliseconds.
        before_ms: i64,
        /// What the client is told.
        push: Arc<SharedPush>,
    },
    /// Subscribe every connection of a principal that was authenticated before a moment.
    Subscribe {
        /// Whose.
        target: PrincipalId,
        /// Unix milliseconds.
        before_ms: i64,
        /// To which room.
        ordered: Arc<OrderedRoom>,
    },
    /// Show a push to every connection.
    System(Arc<SharedPush>),
    /// Close all connections, spread over so many milliseconds.
    Drain {
        /// The window.
        window_ms: u64,
    },
}

/// See the file's head.
#[derive(Debug)]
pub struct Inbox {
    news: Mutex<Vec<RoomName>>,
    live: Mutex<VecDeque<Live>>,
    control: mpsc::Sender<Control>,
    wake: Notify,
}

impl Inbox {
    /// An empty inbox, and the end at which its worker takes orders.
    pub fn new() -> (Arc<Self>, mpsc::Receiver<Control>) {
        let (control, orders) = mpsc::channel(CONTROL_MAX);
        let (news, live) = (Mutex::default(), Mutex::default());
        (Arc::new(Self { news, live, control, wake: Notify::new() }), orders)
    }

    /// A room has news. The caller tells it once until the worker has looked.
    pub fn news(&self, room: &RoomName) {
        self.news.lock().push(room.clone());
        self.wake.notify_one();
    }

    /// A room has live traffic.
    pub fn live(&self, live: Live) {
        let mut queue = self.live.lock();
        if queue.len() >= LIVE_MAX {
            queue.pop_front();
            metrics::counter!("roomcast_gateway_live_dropped_total").increment(1);
        }
        queue.push_back(live);
        drop(queue);
        self.wake.notify_one();
    }

    /// Hands an order over; waits while the inbox is full.
    pub async fn order(&self, control: Control) {
        // The worker is gone only when the process ends.
        let _gone = self.control.send(control).await;
    }

    /// Waits for news or live traffic, and takes both.
    pub async fn next(&self) -> (Vec<RoomName>, VecDeque<Live>) {
        loop {
            let news = std::mem::take(&mut *self.news.lock());
            let live = std::mem::take(&mut *self.live.lock());
            if !news.is_empty() || !live.is_empty() {
                return (news, live);
            }
            self.wake.notified().await;
        }
    }
}
