//! The browser protocol: Centrifuge client protocol v2 as types, and its formats, JSON and
//! Protobuf.
//!
//! Nothing else in the workspace knows it. Decoding never panics and has bounds; encoding gives
//! whole messages that may be joined into frames.
pub mod client;
mod code;
mod command;
mod emulation;
mod envelope;
mod format;
pub mod fossil;
mod json;
mod protobuf;
mod push;
mod reference;
mod reply;

pub use code::{CloseCode, ErrorCode, UnsubscribeCode, close_of, error_of};
pub use command::{
    Command, ConnectRequest, FILTER_DEPTH_MAX, FILTER_NODES_MAX, FilterNode, HEADERS_MAX,
    HistoryRequest, PublishRequest, RefreshRequest, Request, RpcRequest, SUBS_MAX, SendRequest,
    StreamPosition, SubRefreshRequest, SubscribeRequest,
};
pub use emulation::EmulationRequest;
pub use format::{DecodeError, Format, Prefix, Uncarried};
pub use push::{
    ClientInfo, DisconnectPush, Publication, Push, PushBody, RefreshPush, SubscribePush,
};
pub use reference::reference;
pub use reply::{
    ConnectResult, ErrorBody, HistoryResult, PresenceResult, PresenceStatsResult, RefreshResult,
    Reply, ReplyBody, RpcResult, SubRefreshResult, SubscribeResult,
};
