//! The rooms service's remote door.
//!
//! Calls for a room go to the endpoint that the room's name points to; the rest, to any.
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Error, Result};
use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use proto::rooms::v1;
use proto::rooms::v1::rooms_service_client::RoomsServiceClient;
use tokio::sync::mpsc;
use tonic::Request;
use tonic::transport::Channel;

use super::{
    Disconnect, FetchRange, Fetched, HeldRooms, History, HistoryPage, Join, Joined, Publish,
    Published, Rooms, Subscribe, Unsubscribe, WatchEvent, WatchStart, watch,
};
use crate::channel::Preference;
use crate::convert::{IntoDomain, IntoProto};
use crate::door::{Door, MESSAGE_BYTES_MAX, answered};
use crate::method::Method;
use crate::tls::{Expected, Peer};
use crate::{Call, Rpc};

const SERVICE: &str = "rooms";
/// How long opening a stream may take before it is tried elsewhere.
const WATCH_WAIT: Duration = Duration::from_secs(2);

/// Calls rooms over gRPC.
#[derive(Debug)]
pub struct RemoteRooms {
    door: Door,
    /// Where the last stream went: the next one goes elsewhere, since something was wrong with that one.
    watched: Mutex<Option<SocketAddr>>,
}

impl RemoteRooms {
    /// Begins to look up `rpc.rooms`. To be called on the runtime that lives as long as the process.
    ///
    /// `InvalidArgument` for addresses that `config.problems()` would have refused.
    pub fn open(rpc: &Rpc) -> Result<Self> {
        Ok(Self {
            door: Door::open(SERVICE, &rpc.config().rooms, Expected::Peer(Peer::Rooms), rpc)?,
            watched: Mutex::new(None),
        })
    }
}

fn client(channel: Channel) -> RoomsServiceClient<Channel> {
    RoomsServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

#[async_trait]
impl Rooms for RemoteRooms {
    async fn join(&self, call: Call, request: Join) -> Result<Joined> {
        let method = Method::idempotent(SERVICE, "join");
        let wish = Preference::Room(request.room.clone());
        let send = |channel, request: Request<v1::JoinRequest>| async move {
            client(channel).join(request).await
        };
        answered(
            self.door.call(method, call, wish, request.into_proto(), send).await?.into_domain(),
        )
    }

    async fn publish(&self, call: Call, request: Publish) -> Result<Published> {
        let method = Method::idempotent(SERVICE, "publish");
        let wish = Preference::Room(request.room.clone());
        let send = |channel, request: Request<v1::PublishRequest>| async move {
            client(channel).publish(request).await
        };
        answered(
            self.door.call(method, call, wish, request.into_proto(), send).await?.into_domain(),
        )
    }

    async fn history(&self, call: Call, request: History) -> Result<HistoryPage> {
        let method = Method::idempotent(SERVICE, "history");
        let wish = Preference::Room(request.room.clone());
        let send = |channel, request: Request<v1::HistoryRequest>| async move {
            client(channel).history(request).await
        };
        answered(
            self.door.call(method, call, wish, request.into_proto(), send).await?.into_domain(),
        )
    }

    async fn fetch(&self, call: Call, ranges: Vec<FetchRange>) -> Result<Vec<Fetched>> {
        let method = Method::idempotent(SERVICE, "fetch");
        let wish = Preference::Any;
        let send = |channel, request: Request<v1::FetchRequest>| async move {
            client(channel).fetch(request).await
        };
        let asked = ranges.len();
        let request = v1::FetchRequest { ranges: ranges.into_proto() };
        let fetched = self.door.call(method, call, wish, request, send).await?.fetched;
        if fetched.len() != asked {
            return answered(Err(Error::invalid("not one answer for each range")));
        }
        answered(fetched.into_domain())
    }

    async fn disconnect(&self, call: Call, request: Disconnect) -> Result<()> {
        let method = Method::once(SERVICE, "disconnect");
        let wish = Preference::Any;
        let send = |channel, request: Request<v1::DisconnectRequest>| async move {
            client(channel).disconnect(request).await
        };
        self.door.call(method, call, wish, request.into_proto(), send).await.map(|_| ())
    }

    async fn unsubscribe(&self, call: Call, request: Unsubscribe) -> Result<()> {
        let method = Method::once(SERVICE, "unsubscribe");
        let wish = Preference::Room(request.room.clone());
        let send = |channel, request: Request<v1::UnsubscribeRequest>| async move {
            client(channel).unsubscribe(request).await
        };
        self.door.call(method, call, wish, request.into_proto(), send).await.map(|_| ())
    }

    async fn subscribe(&self, call: Call, request: Subscribe) -> Result<()> {
        let method = Method::once(SERVICE, "subscribe");
        let wish = Preference::Room(request.room.clone());
        let send = |channel, request: Request<v1::SubscribeRequest>| async move {
            client(channel).subscribe(request).await
        };
        self.door.call(method, call, wish, request.into_proto(), send).await.map(|_| ())
    }

    async fn watch(
        &self,
        start: WatchStart,
        held: mpsc::Receiver<HeldRooms>,
    ) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        let method = Method::once(SERVICE, "watch");
        let last = *self.watched.lock();
        let send = |channel, requests: Request<watch::Upward>| async move {
            client(channel).watch(requests).await
        };
        let opened =
            self.door.stream(method, WATCH_WAIT, last, watch::Upward::new(start, held), send).await;
        let (address, opened) = opened;
        *self.watched.lock() = address.or(last);
        let (replica, answers) = opened?;
        Ok(watch::events(replica, answers))
    }
}
