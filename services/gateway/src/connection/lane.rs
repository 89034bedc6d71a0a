//! The commands of one connection under way: one lane a channel, in order; lanes side by side.
//!
//! A client's publishes to a room reach the log in the order in which it sent them. When one
//! fails without a clear outcome, those queued behind it fail too, so that the client's outbox
//! sends all of them again in order. All lanes together are bounded; beyond it nothing is read.
//! A question for presence waits for those before it and holds up nobody: messages must not wait
//! for a store that they do not need.
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::{Command, Request};

use super::Connection;
use crate::command::{self, Flow};
use crate::limit::Limit;

type Queue = VecDeque<(Command, OwnedSemaphorePermit)>;

/// See the file's head.
pub struct Lanes {
    queues: RefCell<HashMap<String, Queue>>,
    slots: Arc<Semaphore>,
    slots_max: u32,
}

impl Lanes {
    /// Lanes for so many commands under way.
    pub fn new(in_flight_max: usize) -> Self {
        let slots = Arc::new(Semaphore::new(in_flight_max));
        let slots_max = u32::try_from(in_flight_max).unwrap_or(u32::MAX);
        Self { queues: RefCell::default(), slots, slots_max }
    }

    /// Waits until nothing is under way, for a bounded time.
    pub async fn settle(&self, wait: Duration) {
        let all = self.slots.acquire_many(self.slots_max);
        // What is not answered by then stays unanswered: the client will ask again.
        let _settled = tokio::time::timeout(wait, all).await;
    }
}

/// Runs a command behind those of its channel. Waits while too many are under way.
pub async fn enter(connection: &Rc<Connection>, command: Command) {
    let slots = connection.lanes.slots.clone();
    let permit = match slots.clone().try_acquire_owned() {
        Ok(permit) => permit,
        Err(_) => {
            Limit::CommandsInFlight.bites();
            let Ok(permit) = slots.acquire_owned().await else { return };
            permit
        }
    };
    let name = lane_of(&command);
    let mut queues = connection.lanes.queues.borrow_mut();
    if let Some(queue) = queues.get_mut(&name) {
        queue.push_back((command, permit));
        return;
    }
    queues.insert(name.clone(), VecDeque::from([(command, permit)]));
    drop(queues);
    actix_web::rt::spawn(drain(connection.clone(), name));
}

async fn drain(connection: Rc<Connection>, name: String) {
    loop {
        let next = match connection.lanes.queues.borrow_mut().get_mut(&name) {
            Some(queue) => queue.pop_front(),
            None => return,
        };
        let Some((command, permit)) = next else {
            connection.lanes.queues.borrow_mut().remove(&name);
            return;
        };
        if is_aside(&command) {
            let connection = connection.clone();
            actix_web::rt::spawn(async move {
                command::run(&connection, command).await;
                drop(permit);
            });
            continue;
        }
        if let Flow::Broken(error) = command::run(&connection, command).await {
            for (behind, _permit) in take_publishes(&connection, &name) {
                connection.refuse(behind.id, error.clone());
            }
        }
        drop(permit);
    }
}

/// Whether those behind a command need not wait for it.
fn is_aside(command: &Command) -> bool {
    matches!(command.request, Some(Request::Presence(_) | Request::PresenceStats(_)))
}

fn take_publishes(connection: &Connection, name: &str) -> Queue {
    let mut queues = connection.lanes.queues.borrow_mut();
    let Some(queue) = queues.get_mut(name) else { return Queue::new() };
    let (publishes, others) = std::mem::take(queue).into_iter().partition(|(command, _)| {
        matches!(command.request, Some(Request::Publish(_) | Request::Rpc(_)))
    });
    *queue = others;
    publishes
}

fn lane_of(command: &Command) -> String {
    match &command.request {
        Some(Request::Subscribe(request)) => request.channel.clone(),
        Some(Request::Unsubscribe(channel)) => channel.clone(),
        Some(Request::Presence(channel) | Request::PresenceStats(channel)) => channel.clone(),
        Some(Request::Publish(request)) => request.channel.clone(),
        Some(Request::History(request)) => request.channel.clone(),
        Some(Request::SubRefresh(request)) => request.channel.clone(),
        Some(Request::Rpc(request)) => command::rpc::room_of(request),
        _ => String::new(),
    }
}
