//! Commands, replies and pushes as they stand on the wire: every possible body as an option.
//!
//! Holds the rules that stand above single fields and are the same in every format: who may have
//! id 0, which of several bodies counts, and that a success always has a result. The formats fill
//! these in; what comes out are the crate's own types.
use bytes::Bytes;

use crate::client::ServerMessage;
use crate::{
    ClientInfo, Command, ConnectRequest, ConnectResult, DecodeError, DisconnectPush, ErrorBody,
    HEADERS_MAX, HistoryRequest, HistoryResult, PresenceResult, PresenceStatsResult, Publication,
    PublishRequest, Push, PushBody, RefreshPush, RefreshRequest, RefreshResult, Reply, ReplyBody,
    Request, RpcRequest, RpcResult, SUBS_MAX, SendRequest, SubRefreshRequest, SubRefreshResult,
    SubscribePush, SubscribeRequest, SubscribeResult,
};

/// Several requests name a channel and nothing else.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Channel {
    #[prost(string, tag = "1")]
    pub(crate) channel: String,
}

/// A result, or a ping, without a field.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Nothing {}

/// What a join or leave says.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct About {
    #[prost(message, optional, tag = "1")]
    pub(crate) info: Option<ClientInfo>,
}

/// Why a subscription was ended.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ended {
    #[prost(uint32, tag = "2")]
    pub(crate) code: u32,
    #[prost(string, tag = "3")]
    pub(crate) reason: String,
}

/// A message on no channel.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Data {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) data: Bytes,
}

/// A command as it stands on the wire.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RawCommand {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(message, optional, tag = "4")]
    pub(crate) connect: Option<ConnectRequest>,
    #[prost(message, optional, tag = "5")]
    pub(crate) subscribe: Option<SubscribeRequest>,
    #[prost(message, optional, tag = "6")]
    pub(crate) unsubscribe: Option<Channel>,
    #[prost(message, optional, tag = "7")]
    pub(crate) publish: Option<PublishRequest>,
    #[prost(message, optional, tag = "8")]
    pub(crate) presence: Option<Channel>,
    #[prost(message, optional, tag = "9")]
    pub(crate) presence_stats: Option<Channel>,
    #[prost(message, optional, tag = "10")]
    pub(crate) history: Option<HistoryRequest>,
    #[prost(message, optional, tag = "11")]
    pub(crate) ping: Option<Nothing>,
    #[prost(message, optional, tag = "12")]
    pub(crate) send: Option<SendRequest>,
    #[prost(message, optional, tag = "13")]
    pub(crate) rpc: Option<RpcRequest>,
    #[prost(message, optional, tag = "14")]
    pub(crate) refresh: Option<RefreshRequest>,
    #[prost(message, optional, tag = "15")]
    pub(crate) sub_refresh: Option<SubRefreshRequest>,
}

/// A reply, a push or a ping as it stands on the wire.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RawReply {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(message, optional, tag = "2")]
    pub(crate) error: Option<ErrorBody>,
    #[prost(message, optional, tag = "4")]
    pub(crate) push: Option<RawPush>,
    #[prost(message, optional, tag = "5")]
    pub(crate) connect: Option<ConnectResult>,
    #[prost(message, optional, tag = "6")]
    pub(crate) subscribe: Option<SubscribeResult>,
    #[prost(message, optional, tag = "7")]
    pub(crate) unsubscribe: Option<Nothing>,
    #[prost(message, optional, tag = "8")]
    pub(crate) publish: Option<Nothing>,
    #[prost(message, optional, tag = "9")]
    pub(crate) presence: Option<PresenceResult>,
    #[prost(message, optional, tag = "10")]
    pub(crate) presence_stats: Option<PresenceStatsResult>,
    #[prost(message, optional, tag = "11")]
    pub(crate) history: Option<HistoryResult>,
    #[prost(message, optional, tag = "13")]
    pub(crate) rpc: Option<RpcResult>,
    #[prost(message, optional, tag = "14")]
    pub(crate) refresh: Option<RefreshResult>,
    #[prost(message, optional, tag = "15")]
    pub(crate) sub_refresh: Option<SubRefreshResult>,
}

/// A push as it stands on the wire.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RawPush {
    #[prost(int64, tag = "1")]
    pub(crate) id: i64,
    #[prost(string, tag = "2")]
    pub(crate) channel: String,
    #[prost(message, optional, tag = "4")]
    pub(crate) publication: Option<Publication>,
    #[prost(message, optional, tag = "5")]
    pub(crate) join: Option<About>,
    #[prost(message, optional, tag = "6")]
    pub(crate) leave: Option<About>,
    #[prost(message, optional, tag = "7")]
    pub(crate) unsubscribe: Option<Ended>,
    #[prost(message, optional, tag = "8")]
    pub(crate) message: Option<Data>,
    #[prost(message, optional, tag = "9")]
    pub(crate) subscribe: Option<SubscribePush>,
    #[prost(message, optional, tag = "11")]
    pub(crate) disconnect: Option<DisconnectPush>,
    #[prost(message, optional, tag = "12")]
    pub(crate) refresh: Option<RefreshPush>,
}

impl RawCommand {
    /// The command, if it is a legal one.
    pub(crate) fn judge(self) -> Result<Command, DecodeError> {
        let id = self.id;
        let request = self.first_request();
        let legal = match &request {
            None => id == 0,
            Some(Request::Send(_)) => true,
            Some(Request::Connect(connect)) => {
                id > 0 && connect.headers.len() <= HEADERS_MAX && connect.subs.len() <= SUBS_MAX
            }
            Some(_) => id > 0,
        };
        if legal { Ok(Command { id, request }) } else { Err(DecodeError::Malformed) }
    }

    /// The first request that is set, in the order of the schema's field numbers.
    fn first_request(self) -> Option<Request> {
        self.connect
            .map(Request::Connect)
            .or(self.subscribe.map(Request::Subscribe))
            .or(self.unsubscribe.map(|of| Request::Unsubscribe(of.channel)))
            .or(self.publish.map(Request::Publish))
            .or(self.presence.map(|of| Request::Presence(of.channel)))
            .or(self.presence_stats.map(|of| Request::PresenceStats(of.channel)))
            .or(self.history.map(Request::History))
            .or(self.ping.map(|Nothing {}| Request::Ping))
            .or(self.send.map(Request::Send))
            .or(self.rpc.map(Request::Rpc))
            .or(self.refresh.map(Request::Refresh))
            .or(self.sub_refresh.map(Request::SubRefresh))
    }
}

impl RawReply {
    /// The server's message, if it is one that a client can use.
    pub(crate) fn judge(self) -> Result<ServerMessage, DecodeError> {
        match self {
            Self { id: 0, push: Some(push), error: None, .. } => {
                push.judge().map(ServerMessage::Push)
            }
            Self { push: Some(_), .. } => Err(DecodeError::Malformed),
            raw => match (raw.id, raw.first_body()) {
                (0, None) => Ok(ServerMessage::Ping),
                (id, Some(body)) if id > 0 => Ok(ServerMessage::Reply(Reply { id, body })),
                _ => Err(DecodeError::Malformed),
            },
        }
    }

    fn first_body(self) -> Option<ReplyBody> {
        self.error
            .map(ReplyBody::Error)
            .or(self.connect.map(|result| ReplyBody::Connect(Box::new(result))))
            .or(self.subscribe.map(ReplyBody::Subscribe))
            .or(self.unsubscribe.map(|Nothing {}| ReplyBody::Unsubscribe))
            .or(self.publish.map(|Nothing {}| ReplyBody::Publish))
            .or(self.presence.map(ReplyBody::Presence))
            .or(self.presence_stats.map(ReplyBody::PresenceStats))
            .or(self.history.map(ReplyBody::History))
            .or(self.rpc.map(ReplyBody::Rpc))
            .or(self.refresh.map(ReplyBody::Refresh))
            .or(self.sub_refresh.map(ReplyBody::SubRefresh))
    }
}

impl RawPush {
    fn judge(self) -> Result<Push, DecodeError> {
        let body = self
            .publication
            .map(PushBody::Pub)
            .or(self.join.map(|about| PushBody::Join(about.info.unwrap_or_default())))
            .or(self.leave.map(|about| PushBody::Leave(about.info.unwrap_or_default())))
            .or(self
                .unsubscribe
                .map(|Ended { code, reason }| PushBody::Unsubscribe { code, reason }))
            .or(self.message.map(|message| PushBody::Message(message.data)))
            .or(self.subscribe.map(PushBody::Subscribe))
            .or(self.disconnect.map(PushBody::Disconnect))
            .or(self.refresh.map(PushBody::Refresh))
            .ok_or(DecodeError::Malformed)?;
        Ok(Push { id: self.id, channel: self.channel, body })
    }
}
