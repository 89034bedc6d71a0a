//! What the server sends unasked. A message's Protobuf field numbers stand beside its fields; its
//! JSON names stand in `json::schema`.
use std::collections::BTreeMap;

use bytes::Bytes;

/// One push.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// The number that stands for the channel on this connection; 0 if `channel` names it.
    pub id: i64,
    /// The room's name, or a server-side channel; empty for what is on no channel.
    pub channel: String,
    /// What it says.
    pub body: PushBody,
}

/// What a push says.
#[derive(Debug, Clone, PartialEq)]
pub enum PushBody {
    /// A publication.
    Pub(Publication),
    /// Somebody came.
    Join(ClientInfo),
    /// Somebody went.
    Leave(ClientInfo),
    /// A subscription was ended by the server.
    Unsubscribe {
        /// 2000 to 2999; never 0.
        code: u32,
        /// Never empty.
        reason: String,
    },
    /// A message of the application, on no channel.
    Message(Bytes),
    /// The server subscribed the connection to a channel.
    Subscribe(SubscribePush),
    /// The connection ends; only on transports without a close frame.
    Disconnect(DisconnectPush),
    /// The connection's credential was renewed by the server.
    Refresh(RefreshPush),
}

/// The server subscribed the connection to a channel.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SubscribePush {
    /// Whether a lost subscription can be recovered.
    #[prost(bool, tag = "1")]
    pub recoverable: bool,
    /// The log's epoch.
    #[prost(string, tag = "4")]
    pub epoch: String,
    /// The head.
    #[prost(uint64, tag = "5")]
    pub offset: u64,
    /// Whether a hole cannot go unnoticed.
    #[prost(bool, tag = "6")]
    pub positioned: bool,
    /// The application's own.
    #[prost(bytes = "bytes", tag = "7")]
    pub data: Bytes,
}

/// The connection ends.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DisconnectPush {
    /// That of the close frame which would stand here on a WebSocket; never 0.
    #[prost(uint32, tag = "1")]
    pub code: u32,
    /// Never empty.
    #[prost(string, tag = "2")]
    pub reason: String,
    /// Whether the client is to come back.
    #[prost(bool, tag = "3")]
    pub reconnect: bool,
}

/// The connection's credential was renewed by the server.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RefreshPush {
    /// Whether the credential ends.
    #[prost(bool, tag = "1")]
    pub expires: bool,
    /// After so many seconds.
    #[prost(uint32, tag = "2")]
    pub ttl: u32,
}

/// A publication.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Publication {
    /// The payload.
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
    /// Who published; only for client-side publishes.
    #[prost(message, optional, tag = "5")]
    pub info: Option<ClientInfo>,
    /// 0 if unpositioned.
    #[prost(uint64, tag = "6")]
    pub offset: u64,
    /// `{"gateway": …}`.
    #[prost(btree_map = "string, string", tag = "7")]
    pub tags: BTreeMap<String, String>,
    /// Unix milliseconds.
    #[prost(int64, tag = "9")]
    pub time: i64,
    /// Whether `data` is a patch on the publication before it in the log.
    #[prost(bool, tag = "8")]
    pub delta: bool,
}

/// A connection as others see it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ClientInfo {
    /// The subject.
    #[prost(string, tag = "1")]
    pub user: String,
    /// The connection's id.
    #[prost(string, tag = "2")]
    pub client: String,
    /// `{"name": …}`.
    #[prost(bytes = "bytes", tag = "3")]
    pub conn_info: Bytes,
    /// Unused by us; passed through.
    #[prost(bytes = "bytes", tag = "4")]
    pub chan_info: Bytes,
}

impl Push {
    /// A push on a channel that is named.
    pub fn new(channel: impl Into<String>, body: PushBody) -> Self {
        Self { id: 0, channel: channel.into(), body }
    }

    /// Bytes of its payload.
    pub(crate) fn payload_bytes(&self) -> usize {
        match &self.body {
            PushBody::Pub(publication) => publication.data.len(),
            PushBody::Message(data) => data.len(),
            PushBody::Subscribe(subscribed) => subscribed.data.len(),
            PushBody::Join(_)
            | PushBody::Leave(_)
            | PushBody::Unsubscribe { .. }
            | PushBody::Disconnect(_)
            | PushBody::Refresh(_) => 0,
        }
    }
}
