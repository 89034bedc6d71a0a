//! All connections of this gateway, as the process sees them: counts, limits, and one inbox for
//! each worker. The connections themselves stay on their workers.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::{PrincipalId, RoomEvent, RoomTraffic, Signal};
use parking_lot::{Mutex, RwLock};
use wire::{Push, PushBody};

use crate::connection::frames::SharedPush;
use crate::limit::publishing::block;
use crate::limit::{Counted, Limit, LimitsConfig};
use crate::room::Room;
use crate::translate;
use crate::worker::inbox::{Control, Inbox, Live};

/// See the file's head.
pub struct Hub {
    inboxes: RwLock<Vec<Arc<Inbox>>>,
    open: AtomicUsize,
    users: Mutex<HashMap<PrincipalId, usize>>,
    per_user_max: usize,
    addresses: Mutex<HashMap<IpAddr, Callers>>,
    per_address_max: usize,
    waiting_per_address_max: usize,
    counted: Counted,
}

/// The connections of one address.
#[derive(Debug, Default)]
struct Callers {
    open: usize,
    /// Those that are not connected yet.
    waiting: usize,
}

impl Hub {
    /// No connections yet.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            inboxes: RwLock::default(),
            open: AtomicUsize::new(0),
            users: Mutex::default(),
            per_user_max: limits.connections_per_user_max,
            addresses: Mutex::default(),
            per_address_max: limits.connections_per_address_max,
            waiting_per_address_max: limits.unauthenticated_per_address_max,
            counted: Counted::new(limits),
        }
    }

    /// A worker begins.
    pub fn enroll(&self, inbox: Arc<Inbox>) {
        self.inboxes.write().push(inbox);
    }

    /// Counts a new connection, which is not connected yet; or says what its address has too
    /// many of.
    pub fn open(&self, address: Option<IpAddr>) -> Result<(), Limit> {
        if let Some(address) = address {
            let mut addresses = self.addresses.lock();
            let callers = addresses.entry(block(address)).or_default();
            // Zero is no limit; and an address with nothing open is below any other.
            if self.per_address_max > 0 && callers.open >= self.per_address_max {
                return Err(Limit::ConnectionsPerAddress);
            }
            if self.waiting_per_address_max > 0 && callers.waiting >= self.waiting_per_address_max {
                return Err(Limit::UnauthenticatedPerAddress);
            }
            callers.open += 1;
            callers.waiting += 1;
        }
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::gauge!("roomcast_gateway_connections").set(open as f64);
        metrics::counter!("roomcast_gateway_connections_opened_total").increment(1);
        Ok(())
    }

    /// A connection may act from now on.
    pub fn connected(&self, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        if let Some(callers) = self.addresses.lock().get_mut(&block(address)) {
            callers.waiting -= 1;
        }
    }

    /// A connection is gone, which could act or never came to that.
    pub fn closed(&self, address: Option<IpAddr>, connected: bool) {
        if let Some(address) = address.map(block) {
            let mut addresses = self.addresses.lock();
            if let Some(callers) = addresses.get_mut(&address) {
                callers.open -= 1;
                callers.waiting -= usize::from(!connected);
                if callers.open == 0 {
                    addresses.remove(&address);
                }
            }
        }
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
            Limit::ConnectionsPerUser.bites();
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

    /// What connections and the HTTP port count together.
    pub fn counted(&self) -> &Counted {
        &self.counted
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
            let push = Arc::new(SharedPush::of_room(room.handle(), body));
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
