//! The other gateways: where each is, and how a frame gets to the one that holds its connection.
//!
//! Addresses come from the gateways' leases. They are asked for when one is missing or fails, once
//! at a time and at most once a second, whoever asks. Frames of one session go one after the other,
//! in the order in which they came; how many are under way is bounded for each and for all.
pub mod port;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::{Error, ErrorReason, GatewayId, GatewayInfo, Result, Session};
use parking_lot::{Mutex, RwLock};
use rpc::gateway::{Gateway, RemoteGateway};
use rpc::presence::Presence;
use rpc::{Call, Rpc};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::sessions::unknown;

/// SDKs give a command up after 5 s.
const HOP_WAIT: Duration = Duration::from_secs(3);
const LOOK_WAIT: Duration = Duration::from_secs(2);
/// Between two looks at the leases.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Gateways that are remembered.
const KNOWN_MAX: usize = 1_024;
/// Frames of one session under way or waiting.
const SESSION_FRAMES_MAX: usize = 64;
/// Frames of all sessions under way or waiting.
const FRAMES_MAX: usize = 4_096;

/// See the file's head.
pub struct Neighbours {
    presence: Arc<dyn Presence>,
    /// `None`: there are no other gateways.
    rpc: Option<Rpc>,
    runtime: Handle,
    known: RwLock<HashMap<GatewayId, Neighbour>>,
    /// When the leases were looked at, and what was wrong; held while they are.
    looked: tokio::sync::Mutex<Option<(Instant, Result<()>)>>,
    lines: Mutex<HashMap<Session, Line>>,
    places: Semaphore,
}

/// The frames of a session that are under way or wait, and whose turn it is.
#[derive(Default)]
struct Line {
    frames: usize,
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone)]
struct Neighbour {
    url: String,
    door: Arc<dyn Gateway>,
}

impl Neighbours {
    /// Nobody is known yet. Calls are made on `runtime`.
    pub fn new(presence: Arc<dyn Presence>, rpc: Option<Rpc>, runtime: Handle) -> Self {
        Self {
            presence,
            rpc,
            runtime,
            known: RwLock::default(),
            looked: tokio::sync::Mutex::new(None),
            lines: Mutex::default(),
            places: Semaphore::new(FRAMES_MAX),
        }
    }

    /// Brings a frame to the gateway that holds its session, behind those that came before it.
    ///
    /// `NotFound` if there is no such gateway or no such session there; `RateLimited` while too
    /// much waits; `Unavailable` while the gateway, or presence, is not reached.
    pub async fn emulate(
        self: &Arc<Self>,
        node: GatewayId,
        session: Session,
        frame: Bytes,
    ) -> Result<()> {
        if self.rpc.is_none() {
            return Err(unknown());
        }
        let Ok(_place) = self.places.try_acquire() else {
            return Err(Error::unavailable("too many frames for other gateways are under way"));
        };
        let (place, turn) = self.queue(session)?;
        let turn = tokio::time::timeout(HOP_WAIT, turn.lock_owned()).await;
        let turn = turn.map_err(|_| Error::unavailable("the frames before it are not through"))?;
        let own = self.clone();
        // Not ended half-way by a client that goes: those behind it must not overtake it.
        let sent = self.runtime.spawn(async move {
            let sent = own.send(&node, session, frame).await;
            drop((turn, place));
            sent
        });
        sent.await.unwrap_or_else(|_| Err(Error::new(ErrorReason::Internal, "the hop broke off")))
    }

    /// Lines up behind the frames of the same session.
    fn queue(self: &Arc<Self>, session: Session) -> Result<(Queued, Arc<tokio::sync::Mutex<()>>)> {
        let mut lines = self.lines.lock();
        let line = lines.entry(session).or_default();
        if line.frames >= SESSION_FRAMES_MAX {
            let text = "too many frames of this session are under way";
            return Err(Error::new(ErrorReason::RateLimited, text));
        }
        line.frames += 1;
        Ok((Queued { neighbours: self.clone(), session }, line.turn.clone()))
    }

    async fn send(&self, node: &GatewayId, session: Session, frame: Bytes) -> Result<()> {
        let neighbour = match self.known(node) {
            Some(neighbour) => neighbour,
            None => {
                self.look().await?;
                self.known(node).ok_or_else(unknown)?
            }
        };
        let sent = neighbour.door.emulate(Call::within(HOP_WAIT), session, frame).await;
        let outcome = sent.as_ref().map_or_else(|error| error.reason.word(), |()| "OK");
        metrics::counter!("roomcast_gateway_hops_total", "outcome" => outcome).increment(1);
        let unreached = |error: &Error| {
            matches!(error.reason, ErrorReason::Unavailable | ErrorReason::DeadlineExceeded)
        };
        if sent.as_ref().is_err_and(unreached) {
            // It may be gone, or elsewhere: then its sessions are gone too.
            self.look().await?;
            let same = |now: Neighbour| now.url == neighbour.url;
            if !self.known(node).is_some_and(same) {
                return Err(unknown());
            }
        }
        sent
    }

    fn known(&self, node: &GatewayId) -> Option<Neighbour> {
        self.known.read().get(node).cloned()
    }

    /// Looks at the leases, unless that was done a moment ago.
    async fn look(&self) -> Result<()> {
        let asked = Instant::now();
        let mut looked = self.looked.lock().await;
        // Somebody may have looked while this one waited.
        if let Some((at, outcome)) = &*looked
            && (*at >= asked || at.elapsed() < LOOK_EVERY)
        {
            return outcome.clone();
        }
        let listed = self.presence.gateways(Call::within(LOOK_WAIT)).await;
        let outcome = listed.map(|listed| {
            let old = self.known.read().clone();
            let new = listed.into_iter().filter_map(|info| self.neighbour(info, &old));
            *self.known.write() = new.take(KNOWN_MAX).collect();
        });
        if let Err(error) = &outcome {
            tracing::debug!(%error, "no list of gateways");
        }
        *looked = Some((Instant::now(), outcome.clone()));
        outcome
    }

    /// A gateway that can be reached; one whose address stays keeps its connection.
    fn neighbour(
        &self,
        info: GatewayInfo,
        old: &HashMap<GatewayId, Neighbour>,
    ) -> Option<(GatewayId, Neighbour)> {
        let (id, url) = (info.gateway, info.peer_url?);
        if let Some(same) = old.get(&id).filter(|old| old.url == url) {
            return Some((id, same.clone()));
        }
        match RemoteGateway::open(&url, self.rpc.as_ref()?) {
            Ok(door) => Some((id, Neighbour { url, door: Arc::new(door) })),
            Err(error) => {
                tracing::warn!(gateway = %id, %error, "its address is of no use");
                None
            }
        }
    }
}

/// A place among the frames of a session; the last one to go takes the line away.
struct Queued {
    neighbours: Arc<Neighbours>,
    session: Session,
}

impl Drop for Queued {
    fn drop(&mut self) {
        let mut lines = self.neighbours.lines.lock();
        let Some(line) = lines.get_mut(&self.session) else { return };
        line.frames -= 1;
        if line.frames == 0 {
            lines.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests;
