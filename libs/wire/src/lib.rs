//! The browser protocol: Centrifuge client protocol v2 as types, and its JSON format.
//!
//! Nothing else in the workspace knows it. Decoding never panics and has bounds; encoding gives
//! whole messages that may be joined into frames.
pub mod client;
mod code;
mod command;
mod format;
mod json;
mod push;
mod reference;
mod reply;

pub use code::{CloseCode, ErrorCode, UnsubscribeCode, close_of, error_of};
pub use command::{
    Command, ConnectRequest, HistoryRequest, PublishRequest, RefreshRequest, Request, RpcRequest,
    SendRequest, StreamPosition, SubRefreshRequest, SubscribeRequest,
};
pub use format::{DecodeError, Format};
pub use push::{ClientInfo, Publication, Push, PushBody};
pub use reference::reference;
pub use reply::{
    ConnectResult, ErrorBody, HistoryResult, PresenceResult, PresenceStatsResult, RefreshResult,
    Reply, ReplyBody, RpcResult, SubRefreshResult, SubscribeResult,
};
