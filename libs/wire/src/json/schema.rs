//! The fields of every message: the protocol's schema as far as we speak it.
//!
//! Names as in the schema. Envelopes hold each possible body as an option; `envelope` turns them
//! into the crate's own types.
use std::fmt;

use bytes::Bytes;
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::value::{Value, message};
use crate::{
    ClientInfo, ConnectRequest, ConnectResult, ErrorBody, HistoryRequest, HistoryResult,
    PresenceResult, PresenceStatsResult, Publication, PublishRequest, RefreshRequest,
    RefreshResult, RpcRequest, RpcResult, SendRequest, StreamPosition, SubRefreshRequest,
    SubRefreshResult, SubscribeRequest, SubscribeResult,
};

/// Several requests name a channel and nothing else.
#[derive(Default)]
pub(super) struct Channel {
    pub(super) channel: String,
}

/// A result, or a ping, without a field.
#[derive(Default)]
pub(super) struct Nothing;

/// What a join or leave says.
#[derive(Default)]
pub(super) struct About {
    pub(super) info: ClientInfo,
}

/// Why a subscription was ended.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) code: u32,
    pub(super) reason: String,
}

/// A message on no channel.
#[derive(Default)]
pub(super) struct Data {
    pub(super) data: Bytes,
}

/// A command as it stands on the wire.
#[derive(Default)]
pub(super) struct RawCommand {
    pub(super) id: u32,
    pub(super) connect: Option<ConnectRequest>,
    pub(super) subscribe: Option<SubscribeRequest>,
    pub(super) unsubscribe: Option<Channel>,
    pub(super) publish: Option<PublishRequest>,
    pub(super) presence: Option<Channel>,
    pub(super) presence_stats: Option<Channel>,
    pub(super) history: Option<HistoryRequest>,
    pub(super) ping: Option<Nothing>,
    pub(super) send: Option<SendRequest>,
    pub(super) rpc: Option<RpcRequest>,
    pub(super) refresh: Option<RefreshRequest>,
    pub(super) sub_refresh: Option<SubRefreshRequest>,
}

/// A reply, a push or a ping as it stands on the wire.
#[derive(Default)]
pub(super) struct RawReply {
    pub(super) id: u32,
    pub(super) error: Option<ErrorBody>,
    pub(super) push: Option<RawPush>,
    pub(super) connect: Option<ConnectResult>,
    pub(super) subscribe: Option<SubscribeResult>,
    pub(super) unsubscribe: Option<Nothing>,
    pub(super) publish: Option<Nothing>,
    pub(super) presence: Option<PresenceResult>,
    pub(super) presence_stats: Option<PresenceStatsResult>,
    pub(super) history: Option<HistoryResult>,
    pub(super) rpc: Option<RpcResult>,
    pub(super) refresh: Option<RefreshResult>,
    pub(super) sub_refresh: Option<SubRefreshResult>,
}

/// A push as it stands on the wire.
#[derive(Default)]
pub(super) struct RawPush {
    pub(super) channel: String,
    pub(super) publication: Option<Publication>,
    pub(super) join: Option<About>,
    pub(super) leave: Option<About>,
    pub(super) unsubscribe: Option<Ended>,
    pub(super) message: Option<Data>,
}

message! { RawCommand {
    "id" => id, "connect" => connect, "subscribe" => subscribe, "unsubscribe" => unsubscribe,
    "publish" => publish, "presence" => presence, "presence_stats" => presence_stats,
    "history" => history, "ping" => ping, "send" => send, "rpc" => rpc, "refresh" => refresh,
    "sub_refresh" => sub_refresh,
} }
message! { RawReply {
    "id" => id, "error" => error, "push" => push, "connect" => connect, "subscribe" => subscribe,
    "unsubscribe" => unsubscribe, "publish" => publish, "presence" => presence,
    "presence_stats" => presence_stats, "history" => history, "rpc" => rpc, "refresh" => refresh,
    "sub_refresh" => sub_refresh,
} }
message! { RawPush {
    "channel" => channel, "pub" => publication, "join" => join, "leave" => leave,
    "unsubscribe" => unsubscribe, "message" => message,
} }

message! { Channel { "channel" => channel } }
message! { About { "info" => info } }
message! { Ended { "code" => code, "reason" => reason } }
message! { Data { "data" => data } }

message! { ConnectRequest {
    "token" => token, "data" => data, "subs" => subs, "name" => name, "version" => version,
} }
message! { SubscribeRequest {
    "channel" => channel, "token" => token, "recover" => recover, "epoch" => epoch,
    "offset" => offset, "data" => data, "positioned" => positioned, "recoverable" => recoverable,
    "join_leave" => join_leave, "delta" => delta, "flag" => flag, "type" => kind,
} }
message! { PublishRequest { "channel" => channel, "data" => data } }
message! { HistoryRequest {
    "channel" => channel, "limit" => limit, "since" => since, "reverse" => reverse,
} }
message! { StreamPosition { "offset" => offset, "epoch" => epoch } }
message! { SendRequest { "data" => data } }
message! { RpcRequest { "data" => data, "method" => method } }
message! { RefreshRequest { "token" => token } }
message! { SubRefreshRequest { "channel" => channel, "token" => token, "type" => kind } }

message! { ErrorBody { "code" => code, "message" => message, "temporary" => temporary } }
message! { ConnectResult {
    "client" => client, "version" => version, "expires" => expires, "ttl" => ttl, "data" => data,
    "subs" => subs, "ping" => ping, "pong" => pong, "time" => time,
} }
message! { SubscribeResult {
    "expires" => expires, "ttl" => ttl, "recoverable" => recoverable, "epoch" => epoch,
    "publications" => publications, "recovered" => recovered, "offset" => offset,
    "positioned" => positioned, "data" => data, "was_recovering" => was_recovering,
} }
message! { PresenceResult { "presence" => presence always } }
message! { PresenceStatsResult { "num_clients" => num_clients always, "num_users" => num_users always } }
message! { HistoryResult {
    "publications" => publications always, "epoch" => epoch always, "offset" => offset always,
} }
message! { RpcResult { "data" => data } }
message! { RefreshResult { "client" => client, "version" => version, "expires" => expires, "ttl" => ttl } }
message! { SubRefreshResult { "expires" => expires, "ttl" => ttl } }

message! { Publication {
    "data" => data, "info" => info, "offset" => offset, "tags" => tags, "time" => time,
} }
message! { ClientInfo {
    "user" => user always, "client" => client always, "conn_info" => conn_info, "chan_info" => chan_info,
} }

impl Value for Nothing {
    fn is_zero(&self) -> bool {
        false
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{}");
    }
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_map(AnyObject)
    }
}

/// Takes any object and nothing else.
struct AnyObject;

impl<'de> Visitor<'de> for AnyObject {
    type Value = Nothing;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Nothing, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Nothing)
    }
}
