//! Hands to the bus what was committed.
//!
//! A hint, never a promise: the heads watch repairs whatever is lost on this way, so nothing here
//! waits, and no failure here reaches a publisher. Only rooms without a log depend on it.
use std::sync::Arc;

use bus::{Bus, BusHealth, Outbound};
use domain::{
    Epoch, Error, Item, Order, Result, RoomBatch, RoomEvent, RoomName, RoomTraffic, SystemEvent,
};
use tokio::sync::watch;

/// An item that has its place.
pub(crate) struct Committed {
    pub room: RoomName,
    pub epoch: Epoch,
    pub item: Item,
}

/// The way to the bus.
pub(crate) struct Dispatch {
    bus: Arc<dyn Bus>,
    health: watch::Receiver<BusHealth>,
}

impl Dispatch {
    pub(crate) fn new(bus: Arc<dyn Bus>) -> Self {
        let health = bus.health();
        Self { bus, health }
    }

    /// Items in the order of their commit; those of one room travel together.
    pub(crate) fn committed(&self, items: Vec<Committed>) {
        let mut batches: Vec<(RoomName, RoomBatch)> = Vec::new();
        for Committed { room, epoch, item } in items {
            let same = |(name, batch): &&mut (RoomName, RoomBatch)| {
                *name == room && batch.epoch == epoch && batch.last_offset() + 1 == item.offset
            };
            match batches.iter_mut().find(same) {
                Some((_, batch)) => batch.items.push(item),
                None => batches.push((room, RoomBatch { epoch, items: vec![item] })),
            }
        }
        for (room, batch) in batches {
            let traffic = RoomTraffic::Items(batch);
            self.bus.publish(Outbound::Room(RoomEvent { room, traffic }));
        }
    }

    /// An item of a room without a log. `Unavailable` while the broker is away: nothing would bring
    /// it later.
    pub(crate) fn ephemeral(&self, room: RoomName, item: Item) -> Result<()> {
        if *self.health.borrow() == BusHealth::Down {
            return Err(Error::unavailable("Redundancy service is not available."));
        }
        let traffic = RoomTraffic::Ephemeral(vec![item]);
        self.bus.publish(Outbound::Room(RoomEvent { room, traffic }));
        Ok(())
    }

    /// An order, early; the control stream brings it for certain.
    pub(crate) fn order(&self, order: Order) {
        self.bus.publish(Outbound::System(SystemEvent::Order(order)));
    }
}
