//! What a client sends. A message's Protobuf field numbers stand beside its fields; its JSON names
//! stand in `json::schema`.
use std::collections::BTreeMap;

use bytes::Bytes;

/// Most positions of server-side subscriptions in a connect: a gateway gives far fewer.
pub const SUBS_MAX: usize = 256;
/// Most header fields in a connect.
pub const HEADERS_MAX: usize = 256;
/// Most nodes of a filter, all levels together.
pub const FILTER_NODES_MAX: usize = 128;
/// Most levels of a filter.
pub const FILTER_DEPTH_MAX: usize = 16;

/// One command. `request` is `None` for the pong (and nothing else: a command with an id and no
/// known request is a decode error).
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Chosen by the client, from 1; 0 only for `send` and the pong.
    pub id: u32,
    /// What it asks.
    pub request: Option<Request>,
}

/// What a command asks. `channel` stays raw text here: the gateway checks it and answers with a code.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Authenticate; first on every connection.
    Connect(ConnectRequest),
    /// Read a room live.
    Subscribe(SubscribeRequest),
    /// Stop reading it: the channel.
    Unsubscribe(String),
    /// Write into it.
    Publish(PublishRequest),
    /// Who is in it: the channel.
    Presence(String),
    /// How many are in it: the channel.
    PresenceStats(String),
    /// Read its log.
    History(HistoryRequest),
    /// No SDK sends it.
    Ping,
    /// Data without an answer.
    Send(SendRequest),
    /// A named call.
    Rpc(RpcRequest),
    /// A fresh token for the connection.
    Refresh(RefreshRequest),
    /// A fresh token for a subscription.
    SubRefresh(SubRefreshRequest),
}

/// `connect`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConnectRequest {
    /// The access token.
    #[prost(string, tag = "1")]
    pub token: String,
    /// The application's own.
    #[prost(bytes = "bytes", tag = "2")]
    pub data: Bytes,
    /// Positions of server-side subscriptions from an earlier connection.
    #[prost(btree_map = "string, message", tag = "3")]
    pub subs: BTreeMap<String, SubscribeRequest>,
    /// The SDK's name.
    #[prost(string, tag = "4")]
    pub name: String,
    /// The SDK's version.
    #[prost(string, tag = "5")]
    pub version: String,
    /// Header fields that a browser cannot set on its upgrade request.
    #[prost(btree_map = "string, string", tag = "6")]
    pub headers: BTreeMap<String, String>,
}

/// `subscribe`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubscribeRequest {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub channel: String,
    /// A subscription token.
    #[prost(string, tag = "2")]
    pub token: String,
    /// Go on from (epoch, offset).
    #[prost(bool, tag = "3")]
    pub recover: bool,
    /// The client's epoch; may be empty.
    #[prost(string, tag = "6")]
    pub epoch: String,
    /// The client's offset.
    #[prost(uint64, tag = "7")]
    pub offset: u64,
    /// The application's own.
    #[prost(bytes = "bytes", tag = "8")]
    pub data: Bytes,
    /// Wishes for a positioned subscription.
    #[prost(bool, tag = "9")]
    pub positioned: bool,
    /// Wishes for recovery.
    #[prost(bool, tag = "10")]
    pub recoverable: bool,
    /// Wishes for joins and leaves.
    #[prost(bool, tag = "11")]
    pub join_leave: bool,
    /// `fossil`, or empty.
    #[prost(string, tag = "12")]
    pub delta: String,
    /// Which publications are wanted, by their tags.
    #[prost(message, optional, boxed, tag = "13")]
    pub tf: Option<Box<FilterNode>>,
    /// Bit 1: takes numeric channel ids; bit 2: wants error 112 rather than `recovered: false`.
    #[prost(int64, tag = "14")]
    pub flag: i64,
    /// 0 for a stream subscription; others are not offered (108).
    #[prost(int32, tag = "15")]
    pub kind: i32,
}

/// A filter over a publication's tags: a comparison, or several filters joined.
///
/// At most [`FILTER_NODES_MAX`] nodes, [`FILTER_DEPTH_MAX`] deep; what the words mean is checked
/// by those who apply it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct FilterNode {
    /// `and`, `or`, `not`; empty for a comparison.
    #[prost(string, tag = "1")]
    pub op: String,
    /// The tag that is compared.
    #[prost(string, tag = "2")]
    pub key: String,
    /// How: `eq`, `in`, `sw`, `gt` and so on.
    #[prost(string, tag = "3")]
    pub cmp: String,
    /// With what.
    #[prost(string, tag = "4")]
    pub val: String,
    /// With which of several.
    #[prost(string, repeated, tag = "5")]
    pub vals: Vec<String>,
    /// What `op` joins.
    #[prost(message, repeated, tag = "6")]
    pub nodes: Vec<FilterNode>,
}

/// `publish`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PublishRequest {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub channel: String,
    /// The payload: in JSON the embedded value as text, without insignificant newlines; in
    /// Protobuf any bytes. Empty if absent.
    #[prost(bytes = "bytes", tag = "2")]
    pub data: Bytes,
}

/// `history`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoryRequest {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub channel: String,
    /// 0: only the head; negative: as many as allowed.
    #[prost(int32, tag = "7")]
    pub limit: i32,
    /// Exclusive start.
    #[prost(message, optional, tag = "8")]
    pub since: Option<StreamPosition>,
    /// Newest first.
    #[prost(bool, tag = "9")]
    pub reverse: bool,
}

/// A position on the wire.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StreamPosition {
    /// Offset.
    #[prost(uint64, tag = "1")]
    pub offset: u64,
    /// Epoch; may be empty.
    #[prost(string, tag = "2")]
    pub epoch: String,
}

/// `send`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SendRequest {
    /// The application's own.
    #[prost(bytes = "bytes", tag = "1")]
    pub data: Bytes,
}

/// `rpc`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RpcRequest {
    /// Its name.
    #[prost(string, tag = "2")]
    pub method: String,
    /// Its argument.
    #[prost(bytes = "bytes", tag = "1")]
    pub data: Bytes,
}

/// `refresh`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RefreshRequest {
    /// The fresh token.
    #[prost(string, tag = "1")]
    pub token: String,
}

/// `sub_refresh`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubRefreshRequest {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub channel: String,
    /// The fresh token.
    #[prost(string, tag = "2")]
    pub token: String,
    /// 0 for a stream subscription; others are not offered (108).
    #[prost(int32, tag = "3")]
    pub kind: i32,
}
