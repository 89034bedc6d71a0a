//! What the server answers. A message's Protobuf field numbers stand beside its fields; its JSON
//! names stand in `json::schema`.
use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{ClientInfo, Publication};

/// The answer to the command with the same id.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The command's id.
    pub id: u32,
    /// The result, written even when empty, or the error, never both.
    pub body: ReplyBody,
}

/// A result or an error.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplyBody {
    /// A coded failure.
    Error(ErrorBody),
    /// Of `connect`.
    Connect(Box<ConnectResult>),
    /// Of `subscribe`.
    Subscribe(SubscribeResult),
    /// Of `unsubscribe`.
    Unsubscribe,
    /// Of `publish`.
    Publish,
    /// Of `presence`.
    Presence(PresenceResult),
    /// Of `presence_stats`.
    PresenceStats(PresenceStatsResult),
    /// Of `history`.
    History(HistoryResult),
    /// Of `rpc`.
    Rpc(RpcResult),
    /// Of `refresh`.
    Refresh(RefreshResult),
    /// Of `sub_refresh`.
    SubRefresh(SubRefreshResult),
}

/// A coded failure.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ErrorBody {
    /// 100 and up.
    #[prost(uint32, tag = "1")]
    pub code: u32,
    /// A sentence or a word.
    #[prost(string, tag = "2")]
    pub message: String,
    /// Whether the SDK is to try again.
    #[prost(bool, tag = "3")]
    pub temporary: bool,
}

/// Of `connect`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConnectResult {
    /// The connection's id.
    #[prost(string, tag = "1")]
    pub client: String,
    /// The server's version.
    #[prost(string, tag = "2")]
    pub version: String,
    /// Whether the client is to refresh.
    #[prost(bool, tag = "3")]
    pub expires: bool,
    /// After so many seconds.
    #[prost(uint32, tag = "4")]
    pub ttl: u32,
    /// The application's own.
    #[prost(bytes = "bytes", tag = "5")]
    pub data: Bytes,
    /// Server-side subscriptions.
    #[prost(btree_map = "string, message", tag = "6")]
    pub subs: BTreeMap<String, SubscribeResult>,
    /// Seconds between pings.
    #[prost(uint32, tag = "7")]
    pub ping: u32,
    /// Whether pings are to be answered.
    #[prost(bool, tag = "8")]
    pub pong: bool,
    /// The session's secret; only on transports whose commands come by requests of their own.
    #[prost(string, tag = "9")]
    pub session: String,
    /// The gateway that holds the session.
    #[prost(string, tag = "10")]
    pub node: String,
    /// Server time, Unix milliseconds.
    #[prost(int64, tag = "11")]
    pub time: i64,
}

/// Of `subscribe`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubscribeResult {
    /// Whether the subscription is to be refreshed.
    #[prost(bool, tag = "1")]
    pub expires: bool,
    /// After so many seconds.
    #[prost(uint32, tag = "2")]
    pub ttl: u32,
    /// Whether a lost subscription can be recovered.
    #[prost(bool, tag = "3")]
    pub recoverable: bool,
    /// The log's epoch.
    #[prost(string, tag = "6")]
    pub epoch: String,
    /// What was missed, ascending.
    #[prost(message, repeated, tag = "7")]
    pub publications: Vec<Publication>,
    /// Whether everything missed was found.
    #[prost(bool, tag = "8")]
    pub recovered: bool,
    /// The client's own offset after a recovery, the head otherwise.
    #[prost(uint64, tag = "9")]
    pub offset: u64,
    /// Whether a hole cannot go unnoticed.
    #[prost(bool, tag = "10")]
    pub positioned: bool,
    /// The application's own.
    #[prost(bytes = "bytes", tag = "11")]
    pub data: Bytes,
    /// Whether the client asked for recovery.
    #[prost(bool, tag = "12")]
    pub was_recovering: bool,
    /// Whether publications come as patches where that is shorter.
    #[prost(bool, tag = "13")]
    pub delta: bool,
    /// The number that stands for the channel in pushes; 0 if none does.
    #[prost(int64, tag = "14")]
    pub id: i64,
}

/// Of `presence`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PresenceResult {
    /// By connection id.
    #[prost(btree_map = "string, message", tag = "1")]
    pub presence: BTreeMap<String, ClientInfo>,
}

/// Of `presence_stats`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PresenceStatsResult {
    /// Connections.
    #[prost(uint32, tag = "1")]
    pub num_clients: u32,
    /// Distinct users.
    #[prost(uint32, tag = "2")]
    pub num_users: u32,
}

/// Of `history`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoryResult {
    /// In the order asked for.
    #[prost(message, repeated, tag = "1")]
    pub publications: Vec<Publication>,
    /// The log's epoch.
    #[prost(string, tag = "2")]
    pub epoch: String,
    /// The head.
    #[prost(uint64, tag = "3")]
    pub offset: u64,
}

/// Of `rpc`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RpcResult {
    /// Its answer.
    #[prost(bytes = "bytes", tag = "1")]
    pub data: Bytes,
}

/// Of `refresh`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RefreshResult {
    /// The connection's id.
    #[prost(string, tag = "1")]
    pub client: String,
    /// The server's version.
    #[prost(string, tag = "2")]
    pub version: String,
    /// Whether the client is to refresh again.
    #[prost(bool, tag = "3")]
    pub expires: bool,
    /// After so many seconds.
    #[prost(uint32, tag = "4")]
    pub ttl: u32,
}

/// Of `sub_refresh`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SubRefreshResult {
    /// Whether the subscription is to be refreshed again.
    #[prost(bool, tag = "1")]
    pub expires: bool,
    /// After so many seconds.
    #[prost(uint32, tag = "2")]
    pub ttl: u32,
}
