//! What a client sends.
use std::collections::BTreeMap;

use bytes::Bytes;

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
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnectRequest {
    /// The access token.
    pub token: String,
    /// The application's own.
    pub data: Bytes,
    /// Positions of server-side subscriptions from an earlier connection.
    pub subs: BTreeMap<String, SubscribeRequest>,
    /// The SDK's name.
    pub name: String,
    /// The SDK's version.
    pub version: String,
}

/// `subscribe`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscribeRequest {
    /// The room's name.
    pub channel: String,
    /// A subscription token.
    pub token: String,
    /// Go on from (epoch, offset).
    pub recover: bool,
    /// The client's epoch; may be empty.
    pub epoch: String,
    /// The client's offset.
    pub offset: u64,
    /// The application's own.
    pub data: Bytes,
    /// Wishes for a positioned subscription.
    pub positioned: bool,
    /// Wishes for recovery.
    pub recoverable: bool,
    /// Wishes for joins and leaves.
    pub join_leave: bool,
    /// `fossil`, or empty.
    pub delta: String,
    /// Bit 1: takes numeric channel ids; bit 2: wants error 112 rather than `recovered: false`.
    pub flag: i64,
    /// 0 for a stream subscription; others are not offered (108).
    pub kind: i32,
}

/// `publish`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PublishRequest {
    /// The room's name.
    pub channel: String,
    /// The payload: in JSON the embedded value as text, without insignificant newlines. Empty if absent.
    pub data: Bytes,
}

/// `history`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistoryRequest {
    /// The room's name.
    pub channel: String,
    /// 0: only the head; negative: as many as allowed.
    pub limit: i32,
    /// Exclusive start.
    pub since: Option<StreamPosition>,
    /// Newest first.
    pub reverse: bool,
}

/// A position on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamPosition {
    /// Offset.
    pub offset: u64,
    /// Epoch; may be empty.
    pub epoch: String,
}

/// `send`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SendRequest {
    /// The application's own.
    pub data: Bytes,
}

/// `rpc`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RpcRequest {
    /// Its name.
    pub method: String,
    /// Its argument.
    pub data: Bytes,
}

/// `refresh`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RefreshRequest {
    /// The fresh token.
    pub token: String,
}

/// `sub_refresh`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubRefreshRequest {
    /// The room's name.
    pub channel: String,
    /// The fresh token.
    pub token: String,
    /// 0 for a stream subscription; others are not offered (108).
    pub kind: i32,
}
