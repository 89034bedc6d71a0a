//! Orders for gateways: from the control stream, which makes them certain, and from the bus,
//! which makes them fast. Each number is obeyed once.
//!
//! An order concerns what is older than itself. Recent ones are kept, because a connect or a
//! subscribe may be under way while an order comes that concerns it.
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use domain::{Order, OrderAct, PrincipalId, RoomName};
use parking_lot::Mutex;
use wire::{CloseCode, UnsubscribeCode};

use crate::connection::frames::SharedPush;
use crate::hub::Hub;
use crate::notice;
use crate::worker::inbox::Control;

/// Orders that are kept for those who are on their way in.
const RECENT_MAX: usize = 1_024;
/// Numbers that the bus brought before the stream.
const EARLY_MAX: usize = 4_096;

/// How a subscription came to be: orders given after that concern it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Its client or a token asked for it, at this moment of this gateway (Unix milliseconds).
    Asked(i64),
    /// The order of this number made it.
    Ordered(u64),
}

/// A room that an order subscribes a principal's connections to.
#[derive(Debug, PartialEq, Eq)]
pub struct OrderedRoom {
    /// The order's number.
    pub number: u64,
    /// The room.
    pub room: RoomName,
    /// What the client is told with it; empty for nothing.
    pub data: Bytes,
}

impl Origin {
    /// Whether an order was given after it. Orders are told apart by their numbers, which need no clock.
    pub fn precedes(self, number: u64, time_ms: i64) -> bool {
        match self {
            Self::Asked(at_ms) => at_ms < time_ms,
            Self::Ordered(by) => by < number,
        }
    }
}

/// See the file's head.
#[derive(Default)]
pub struct Orders {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Every order up to this one was obeyed; `None` until the stream told where it begins.
    upto: Option<u64>,
    /// Those above it that were obeyed already.
    early: BTreeSet<u64>,
    recent: VecDeque<Order>,
}

impl Orders {
    /// The last order that the stream brought; it goes on after it.
    pub fn upto(&self) -> Option<u64> {
        self.state.lock().upto
    }

    /// The stream begins after this order. A lower one than was seen means that the database was
    /// restored: numbers are given again, for orders that were not obeyed yet.
    pub fn begin(&self, after: u64) {
        let mut state = self.state.lock();
        match state.upto {
            None => state.upto = Some(after),
            Some(upto) if after < upto => {
                tracing::warn!(upto, after, "orders were set back, as by a restore");
                state.upto = Some(after);
                state.early.clear();
            }
            Some(_) => {}
        }
    }

    /// Obeys an order, unless it was obeyed before. `certain`: it came by the stream.
    pub async fn obey(&self, hub: &Hub, order: Order, certain: bool) {
        if !self.note(&order, certain) {
            return;
        }
        metrics::counter!("roomcast_gateway_orders_total").increment(1);
        let (number, before_ms) = (order.number, order.time_ms);
        match order.act {
            OrderAct::Disconnect { target, reason, reconnect } => {
                let code = code_of(reconnect);
                hub.order(Control::Disconnect { target, before_ms, code, reason }).await;
            }
            OrderAct::Unsubscribe { target, room, reason } => {
                let reason = if reason.is_empty() { "unsubscribed" } else { &reason };
                let push = SharedPush::unsubscribe(&room, UnsubscribeCode::Server, reason);
                let push = Arc::new(push);
                let order = Control::Unsubscribe { target, room, number, before_ms, push };
                hub.order(order).await;
            }
            OrderAct::Subscribe { target, room, data } => {
                let ordered = Arc::new(OrderedRoom { number, room, data });
                hub.order(Control::Subscribe { target, before_ms, ordered }).await;
            }
            OrderAct::Notice(notice) => hub.show_all(notice::push(&notice)).await,
        }
    }

    /// Whether an order since a moment (Unix milliseconds) closes a principal's connections.
    pub fn disconnects(&self, id: &PrincipalId, since_ms: i64) -> Option<(CloseCode, String)> {
        let state = self.state.lock();
        state.recent.iter().filter(|order| order.time_ms > since_ms).find_map(|order| match &order
            .act
        {
            OrderAct::Disconnect { target, reason, reconnect } if target == id => {
                Some((code_of(*reconnect), reason.clone()))
            }
            _ => None,
        })
    }

    /// Whether an order has come that ends a principal's subscription of that origin to a room.
    pub fn unsubscribes(&self, id: &PrincipalId, name: &RoomName, origin: Origin) -> Option<()> {
        let state = self.state.lock();
        let ends = |order: &&Order| {
            origin.precedes(order.number, order.time_ms)
                && matches!(&order.act, OrderAct::Unsubscribe { target, room, .. }
                    if target == id && room == name)
        };
        state.recent.iter().find(ends).map(|_| ())
    }

    /// The rooms that orders since a moment (Unix milliseconds) subscribe a principal to.
    pub fn subscribes(&self, id: &PrincipalId, since_ms: i64) -> Vec<Arc<OrderedRoom>> {
        let state = self.state.lock();
        let recent = state.recent.iter().filter(|order| order.time_ms > since_ms);
        let ordered = recent.filter_map(|order| match &order.act {
            OrderAct::Subscribe { target, room, data } if target == id => {
                Some(OrderedRoom { number: order.number, room: room.clone(), data: data.clone() })
            }
            _ => None,
        });
        ordered.map(Arc::new).collect()
    }

    /// Notes an order; false if it was noted before.
    fn note(&self, order: &Order, certain: bool) -> bool {
        let mut state = self.state.lock();
        if state.upto.is_some_and(|upto| order.number <= upto) {
            return false;
        }
        let new = state.early.insert(order.number);
        if certain {
            // The stream's numbers rise: what it skipped was not given.
            state.upto = Some(order.number);
            state.early = state.early.split_off(&(order.number + 1));
        }
        while state.early.len() > EARLY_MAX {
            state.early.pop_first();
        }
        if new {
            state.recent.push_back(order.clone());
            if state.recent.len() > RECENT_MAX {
                state.recent.pop_front();
            }
        }
        new
    }
}

pub fn code_of(reconnect: bool) -> CloseCode {
    if reconnect { CloseCode::ForceReconnect } else { CloseCode::ForceDisconnect }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(number: u64, time_ms: i64) -> Order {
        let target = PrincipalId::new("i", "ann");
        let act = OrderAct::Disconnect { target, reason: "out".to_owned(), reconnect: false };
        Order { number, time_ms, act }
    }

    #[test]
    fn each_number_is_obeyed_once_whichever_way_it_comes() {
        let orders = Orders::default();
        orders.begin(10);
        assert!(!orders.note(&order(10, 0), true), "given before this process");
        assert!(orders.note(&order(12, 0), false));
        assert!(!orders.note(&order(12, 0), false));
        assert!(orders.note(&order(11, 0), true));
        assert!(!orders.note(&order(12, 0), true));
        assert_eq!(orders.upto(), Some(12));
        assert!(!orders.note(&order(11, 0), false));
    }

    #[test]
    fn numbers_that_a_restore_took_back_are_obeyed_when_they_come_again() {
        let orders = Orders::default();
        orders.begin(10);
        assert!(orders.note(&order(11, 0), true) && orders.note(&order(13, 0), false));
        orders.begin(11);
        assert!(!orders.note(&order(11, 0), true), "the stream was only opened again");
        assert!(!orders.note(&order(13, 0), true), "the bus brought it before");
        orders.begin(9);
        assert_eq!(orders.upto(), Some(9));
        assert!(orders.note(&order(10, 0), true) && orders.note(&order(13, 0), true));
    }

    #[test]
    fn what_an_order_made_only_a_later_order_ends_whatever_the_clocks_say() {
        let orders = Orders::default();
        let (ann, room) = (PrincipalId::new("i", "ann"), RoomName::parse("general").unwrap());
        let act = OrderAct::Unsubscribe {
            target: ann.clone(),
            room: room.clone(),
            reason: String::new(),
        };
        orders.note(&Order { number: 7, time_ms: 1_000, act }, false);
        let ended = |origin| orders.unsubscribes(&ann, &room, origin).is_some();
        assert!(ended(Origin::Ordered(6)) && ended(Origin::Asked(999)));
        assert!(!ended(Origin::Ordered(8)) && !ended(Origin::Asked(1_000)));
    }

    #[test]
    fn an_order_reaches_a_connect_that_is_under_way() {
        let orders = Orders::default();
        orders.note(&order(1, 1_000), false);
        let ann = PrincipalId::new("i", "ann");
        let closed = orders.disconnects(&ann, 999);
        assert_eq!(closed, Some((CloseCode::ForceDisconnect, "out".to_owned())));
        assert_eq!(orders.disconnects(&ann, 1_000), None, "authenticated after the order");
        assert_eq!(orders.disconnects(&PrincipalId::new("i", "bob"), 0), None);
    }
}
