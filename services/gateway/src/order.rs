//! Orders for gateways: from the control stream, which makes them certain, and from the bus,
//! which makes them fast. Each number is obeyed once.
//!
//! An order concerns what is older than itself. Recent ones are kept, because a connect or a
//! subscribe may be under way while an order comes that concerns it.
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use domain::{Order, OrderAct, PrincipalId, RoomName};
use parking_lot::Mutex;
use wire::{CloseCode, UnsubscribeCode};

use crate::connection::carrier::SharedPush;
use crate::hub::Hub;
use crate::notice;
use crate::worker::inbox::Control;

/// Orders that are kept for those who are on their way in.
const RECENT_MAX: usize = 1_024;
/// Numbers that the bus brought before the stream.
const EARLY_MAX: usize = 4_096;

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

    /// The stream begins after this order.
    pub fn begin(&self, after: u64) {
        let mut state = self.state.lock();
        if state.upto.is_none() {
            state.upto = Some(after);
        }
    }

    /// Obeys an order, unless it was obeyed before. `certain`: it came by the stream.
    pub async fn obey(&self, hub: &Hub, order: Order, certain: bool) {
        if !self.note(&order, certain) {
            return;
        }
        metrics::counter!("roomcast_gateway_orders_total").increment(1);
        let before_ms = order.time_ms;
        match order.act {
            OrderAct::Disconnect { target, reason, reconnect } => {
                let code = code_of(reconnect);
                hub.order(Control::Disconnect { target, before_ms, code, reason }).await;
            }
            OrderAct::Unsubscribe { target, room, reason } => {
                let reason = if reason.is_empty() { "unsubscribed" } else { &reason };
                let push = SharedPush::unsubscribe(&room, UnsubscribeCode::Server, reason);
                let push = Arc::new(push);
                hub.order(Control::Unsubscribe { target, room, before_ms, push }).await;
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

    /// Whether an order since a moment ends a principal's subscriptions to a room.
    pub fn unsubscribes(&self, id: &PrincipalId, name: &RoomName, since_ms: i64) -> Option<()> {
        let state = self.state.lock();
        let ends = |order: &&Order| {
            order.time_ms > since_ms
                && matches!(&order.act, OrderAct::Unsubscribe { target, room, .. }
                    if target == id && room == name)
        };
        state.recent.iter().find(ends).map(|_| ())
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
