//! All connections of this gateway, as the process sees them: counts, limits, and one inbox for
//! each worker. The connections themselves stay on their workers.
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::{PrincipalId, RoomEvent, RoomTraffic, Signal};
use governor::clock::DefaultClock;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::{Mutex, RwLock};
use wire::{Push, PushBody};

use crate::config::ConnectionConfig;
use crate::connection::carrier::SharedPush;
use crate::room::Room;
use crate::translate;
use crate::worker::inbox::{Control, Inbox, Live};

type Publishes = RateLimiter<PrincipalId, DashMapStateStore<PrincipalId>, DefaultClock>;

/// See the file's head.
pub struct Hub {
    inboxes: RwLock<Vec<Arc<Inbox>>>,
    open: AtomicUsize,
    users: Mutex<HashMap<PrincipalId, usize>>,
    per_user_max: usize,
    publishes: Publishes,
}

impl Hub {
    /// No connections yet.
    pub fn new(config: &ConnectionConfig) -> Self {
        let rate = NonZeroU32::new(config.user_publishes_per_second).unwrap_or(NonZeroU32::MIN);
        Self {
            inboxes: RwLock::default(),
            open: AtomicUsize::new(0),
            users: Mutex::default(),
            per_user_max: config.connections_per_user_max,
            publishes: RateLimiter::keyed(Quota::per_second(rate)),
        }
    }

    /// A worker begins.
    pub fn enroll(&self, inbox: Arc<Inbox>) {
        self.inboxes.write().push(inbox);
    }

    /// A socket was opened.
    pub fn opened(&self) {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::gauge!("roomcast_gateway_connections").set(open as f64);
        metrics::counter!("roomcast_gateway_connections_opened_total").increment(1);
    }

    /// A socket is gone.
    pub fn closed(&self) {
        let open = self.open.fetch_sub(1, Ordering::Relaxed) - 1;
        metrics::gauge!("roomcast_gateway_connections").set(open as f64);
    }

    /// Open sockets.
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Distinct users among the authenticated connections.
    pub fn users(&self) -> usize {
        self.users.lock().len()
    }

    /// Counts an authenticated connection of a user; false if the user has too many.
    pub fn admit(&self, user: &PrincipalId) -> bool {
        let mut users = self.users.lock();
        let count = users.entry(user.clone()).or_default();
        if self.per_user_max > 0 && *count >= self.per_user_max {
            return false;
        }
        *count += 1;
        true
    }

    /// A user's connection is gone.
    pub fn dismiss(&self, user: &PrincipalId) {
        let mut users = self.users.lock();
        if let Some(count) = users.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                users.remove(user);
            }
        }
    }

    /// Whether a user may publish now.
    pub fn may_publish(&self, user: &PrincipalId) -> bool {
        self.publishes.check_key(user).is_ok()
    }

    /// Forgets users that have not published for a while.
    pub fn forget_idle_users(&self) {
        self.publishes.retain_recent();
        self.publishes.shrink_to_fit();
    }

    /// Gives every worker an order.
    pub async fn order(&self, control: Control) {
        let inboxes = self.inboxes.read().clone();
        for inbox in inboxes {
            inbox.order(control.clone()).await;
        }
    }

    /// Shows a push to every connection.
    pub async fn show_all(&self, push: Push) {
        self.order(Control::System(Arc::new(SharedPush::new(push)))).await;
    }

    /// Brings traffic without a position to a room's members.
    pub fn live(&self, room: &Room, event: &RoomEvent) {
        let inboxes = room.inboxes();
        let send = |body: PushBody, join_leave: bool| {
            let push = Arc::new(SharedPush::new(Push::new(room.name().as_str(), body)));
            for inbox in &inboxes {
                inbox.live(Live { room: room.name().clone(), push: push.clone(), join_leave });
            }
        };
        match &event.traffic {
            RoomTraffic::Items(_) => {}
            RoomTraffic::Ephemeral(items) => {
                for item in items {
                    send(PushBody::Pub(translate::publication(item)), false);
                }
            }
            RoomTraffic::Signals(signals) => {
                for signal in signals {
                    let body = match signal {
                        Signal::Join(who) => PushBody::Join(translate::who_info(who)),
                        Signal::Leave(who) => PushBody::Leave(translate::who_info(who)),
                    };
                    send(body, true);
                }
            }
        }
    }
}
