//! The fields of every message: the protocol's schema as far as we speak it.
//!
//! Names as in the schema; their Protobuf numbers stand where the types are declared.
use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::value::{Draft, Value, message};
use crate::envelope::{About, Channel, Data, Ended, Nothing, RawCommand, RawPush, RawReply};
use crate::{
    ClientInfo, ConnectRequest, ConnectResult, DisconnectPush, ErrorBody, FILTER_NODES_MAX,
    FilterNode, HistoryRequest, HistoryResult, PresenceResult, PresenceStatsResult, Publication,
    PublishRequest, RefreshPush, RefreshRequest, RefreshResult, RpcRequest, RpcResult, SUBS_MAX,
    SendRequest, StreamPosition, SubRefreshRequest, SubRefreshResult, SubscribePush,
    SubscribeRequest, SubscribeResult,
};

/// Objects in the positions of a connect: themselves and the filters of all of them.
const POSITIONS_MAX: usize = SUBS_MAX + FILTER_NODES_MAX;

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
    "id" => id, "channel" => channel, "pub" => publication, "join" => join, "leave" => leave,
    "unsubscribe" => unsubscribe, "message" => message, "subscribe" => subscribe,
    "disconnect" => disconnect, "refresh" => refresh,
} }

message! { Channel { "channel" => channel } }
message! { About { "info" => info } }
message! { Ended { "code" => code, "reason" => reason } }
message! { Data { "data" => data } }

message! { ConnectRequest {
    "token" => token, "data" => data, "subs" => subs, "name" => name, "version" => version,
    "headers" => headers,
} }
message! { SubscribeRequest up to POSITIONS_MAX {
    "channel" => channel, "token" => token, "recover" => recover, "epoch" => epoch,
    "offset" => offset, "data" => data, "positioned" => positioned, "recoverable" => recoverable,
    "join_leave" => join_leave, "delta" => delta, "tf" => tf, "flag" => flag, "type" => kind,
} }
message! { FilterNode {
    "op" => op, "key" => key, "cmp" => cmp, "val" => val, "vals" => vals, "nodes" => nodes,
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
    "subs" => subs, "ping" => ping, "pong" => pong, "session" => session, "node" => node,
    "time" => time,
} }
message! { SubscribeResult {
    "expires" => expires, "ttl" => ttl, "recoverable" => recoverable, "epoch" => epoch,
    "publications" => publications, "recovered" => recovered, "offset" => offset,
    "positioned" => positioned, "data" => data, "was_recovering" => was_recovering,
    "delta" => delta, "id" => id,
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
    "delta" => delta,
} }
message! { SubscribePush {
    "recoverable" => recoverable, "epoch" => epoch, "offset" => offset,
    "positioned" => positioned, "data" => data,
} }
message! { DisconnectPush { "code" => code, "reason" => reason, "reconnect" => reconnect } }
message! { RefreshPush { "expires" => expires, "ttl" => ttl } }
message! { ClientInfo {
    "user" => user always, "client" => client always, "conn_info" => conn_info, "chan_info" => chan_info,
} }

impl Value for Nothing {
    fn is_zero(&self) -> bool {
        false
    }
    fn write(&self, out: &mut Draft) {
        out.put(b"{}");
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
        Ok(Nothing {})
    }
}
