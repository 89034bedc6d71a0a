//! What the server answers.
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorBody {
    /// 100 and up.
    pub code: u32,
    /// A sentence or a word.
    pub message: String,
    /// Whether the SDK is to try again.
    pub temporary: bool,
}

/// Of `connect`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnectResult {
    /// The connection's id.
    pub client: String,
    /// The server's version.
    pub version: String,
    /// Whether the client is to refresh.
    pub expires: bool,
    /// After so many seconds.
    pub ttl: u32,
    /// The application's own.
    pub data: Bytes,
    /// Server-side subscriptions.
    pub subs: BTreeMap<String, SubscribeResult>,
    /// Seconds between pings.
    pub ping: u32,
    /// Whether pings are to be answered.
    pub pong: bool,
    /// Server time, Unix milliseconds.
    pub time: i64,
}

/// Of `subscribe`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscribeResult {
    /// Whether the subscription is to be refreshed.
    pub expires: bool,
    /// After so many seconds.
    pub ttl: u32,
    /// Whether a lost subscription can be recovered.
    pub recoverable: bool,
    /// The log's epoch.
    pub epoch: String,
    /// What was missed, ascending.
    pub publications: Vec<Publication>,
    /// Whether everything missed was found.
    pub recovered: bool,
    /// The client's own offset after a recovery, the head otherwise.
    pub offset: u64,
    /// Whether a hole cannot go unnoticed.
    pub positioned: bool,
    /// The application's own.
    pub data: Bytes,
    /// Whether the client asked for recovery.
    pub was_recovering: bool,
}

/// Of `presence`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PresenceResult {
    /// By connection id.
    pub presence: BTreeMap<String, ClientInfo>,
}

/// Of `presence_stats`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PresenceStatsResult {
    /// Connections.
    pub num_clients: u32,
    /// Distinct users.
    pub num_users: u32,
}

/// Of `history`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistoryResult {
    /// In the order asked for.
    pub publications: Vec<Publication>,
    /// The log's epoch.
    pub epoch: String,
    /// The head.
    pub offset: u64,
}

/// Of `rpc`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RpcResult {
    /// Its answer.
    pub data: Bytes,
}

/// Of `refresh`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RefreshResult {
    /// The connection's id.
    pub client: String,
    /// The server's version.
    pub version: String,
    /// Whether the client is to refresh again.
    pub expires: bool,
    /// After so many seconds.
    pub ttl: u32,
}

/// Of `sub_refresh`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubRefreshResult {
    /// Whether the subscription is to be refreshed again.
    pub expires: bool,
    /// After so many seconds.
    pub ttl: u32,
}
