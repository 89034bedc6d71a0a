//! Admin's remote door: what the command line and scripts in Rust use.
//!
//! It shows one credential with every call, and that says who acts: the arguments `by`, and the `by` and
//! `principal` of requests, are not sent.
use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Credential, Error, ErrorReason, MessageId, Notice, Position, PresenceEntry, Principal,
    PrincipalId, Result, RoomName, Tags,
};
use http::header::AUTHORIZATION;
use proto::admin::v1;
use proto::admin::v1::admin_service_client::AdminServiceClient;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::Channel;

use super::guard::API_KEY;
use super::{Admin, AuditRow, ConnectionsOf, Kick, Member, RoomDetail, RoomInfo, Stats};
use crate::auth::{CreatedKey, KeyInfo, NewKey};
use crate::channel::Preference;
use crate::convert::{IntoDomain, IntoProto, required, text_or_empty};
use crate::door::{Door, MESSAGE_BYTES_MAX, answered};
use crate::method::Method;
use crate::rooms::{Disconnect, History, HistoryPage, Published, Subscribe, Unsubscribe};
use crate::tls::Expected;
use crate::{Call, Rpc};

const SERVICE: &str = "admin";

/// Calls the admin port over gRPC.
#[derive(Debug)]
pub struct RemoteAdmin {
    door: Door,
}

impl RemoteAdmin {
    /// Begins to look up `addresses` (`http://host:port`), and will show `credential` to them.
    ///
    /// `InvalidArgument` for a bad address, or a credential that no header can carry.
    pub fn open(addresses: &[String], credential: &Credential, rpc: &Rpc) -> Result<Self> {
        let bad =
            || Error::new(ErrorReason::InvalidArgument, "no header can carry this credential");
        let (key, value) = match credential {
            Credential::Bearer(token) => (AUTHORIZATION.as_str(), format!("Bearer {token}")),
            Credential::ApiKey(key) => (API_KEY, key.clone()),
            Credential::Anonymous => return Err(bad()),
        };
        let key = AsciiMetadataKey::from_static(key);
        let value = AsciiMetadataValue::try_from(value).map_err(|_| bad())?;
        let door = Door::open(SERVICE, addresses, Expected::Host, rpc)?;
        Ok(Self { door: door.with_credential(key, value) })
    }
}

fn client(channel: Channel) -> AdminServiceClient<Channel> {
    AdminServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

/// Makes a call of that name.
macro_rules! remote {
    ($self:ident, $kind:ident $name:ident, $call:ident, $request:ident) => {
        $self
            .door
            .call(
                Method::$kind(SERVICE, stringify!($name)),
                $call,
                Preference::Any,
                $request,
                |channel, request| async move { client(channel).$name(request).await },
            )
            .await
    };
}

#[async_trait]
impl Admin for RemoteAdmin {
    async fn stats(&self, call: Call, _by: Principal) -> Result<Stats> {
        let request = v1::StatsRequest {};
        answered(remote!(self, idempotent stats, call, request)?.into_domain())
    }

    async fn list_rooms(
        &self,
        call: Call,
        _by: Principal,
        prefix: String,
        after: Option<RoomName>,
        limit: u32,
    ) -> Result<Vec<RoomInfo>> {
        let request = v1::ListRoomsRequest { prefix, after: text_or_empty(after), limit };
        answered(remote!(self, idempotent list_rooms, call, request)?.rooms.into_domain())
    }

    async fn describe_room(
        &self,
        call: Call,
        _by: Principal,
        room: RoomName,
    ) -> Result<RoomDetail> {
        let request = v1::DescribeRoomRequest { room: room.to_string() };
        answered(remote!(self, idempotent describe_room, call, request)?.into_domain())
    }

    async fn create_room(
        &self,
        call: Call,
        _by: Principal,
        room: RoomName,
        title: String,
    ) -> Result<RoomInfo> {
        let request = v1::CreateRoomRequest { room: room.to_string(), title };
        answered(required(remote!(self, once create_room, call, request)?.room, "room"))
    }

    async fn list_members(
        &self,
        call: Call,
        _by: Principal,
        room: RoomName,
    ) -> Result<Vec<Member>> {
        let request = v1::ListMembersRequest { room: room.to_string() };
        answered(remote!(self, idempotent list_members, call, request)?.members.into_domain())
    }

    async fn add_member(
        &self,
        call: Call,
        _by: Principal,
        room: RoomName,
        member: PrincipalId,
    ) -> Result<()> {
        let request =
            v1::AddMemberRequest { room: room.to_string(), member: Some(member.into_proto()) };
        remote!(self, once add_member, call, request).map(|_| ())
    }

    async fn remove_member(
        &self,
        call: Call,
        _by: Principal,
        room: RoomName,
        member: PrincipalId,
    ) -> Result<()> {
        let request =
            v1::RemoveMemberRequest { room: room.to_string(), member: Some(member.into_proto()) };
        remote!(self, once remove_member, call, request).map(|_| ())
    }

    async fn list_connections(
        &self,
        call: Call,
        _by: Principal,
        of: ConnectionsOf,
    ) -> Result<Vec<PresenceEntry>> {
        let request = of.into_proto();
        answered(
            remote!(self, idempotent list_connections, call, request)?.connections.into_domain(),
        )
    }

    async fn history(&self, call: Call, request: History) -> Result<HistoryPage> {
        let request = v1::HistoryRequest {
            room: request.room.to_string(),
            since: request.since.map(IntoProto::into_proto),
            limit: request.limit,
            reverse: request.reverse,
        };
        answered(remote!(self, idempotent history, call, request)?.into_domain())
    }

    async fn publish(
        &self,
        call: Call,
        _by: Principal,
        room: RoomName,
        message_id: MessageId,
        tags: Tags,
        data: Bytes,
    ) -> Result<Published> {
        let (room, message_id) = (room.to_string(), message_id.to_string());
        let request = v1::PublishRequest { room, message_id, data, tags: tags.into() };
        answered(remote!(self, idempotent publish, call, request)?.into_domain())
    }

    async fn broadcast(&self, call: Call, _by: Principal, notice: Notice) -> Result<()> {
        let request = v1::BroadcastRequest { notice: Some(notice.into_proto()) };
        remote!(self, once broadcast, call, request).map(|_| ())
    }

    async fn kick(&self, call: Call, _by: Principal, kick: Kick) -> Result<Position> {
        let request = kick.into_proto();
        answered(required(remote!(self, once kick, call, request)?.position, "position"))
    }

    async fn unban(
        &self,
        call: Call,
        _by: Principal,
        room: RoomName,
        target: PrincipalId,
    ) -> Result<()> {
        let request =
            v1::UnbanRequest { room: room.to_string(), target: Some(target.into_proto()) };
        remote!(self, once unban, call, request).map(|_| ())
    }

    async fn disconnect(&self, call: Call, request: Disconnect) -> Result<()> {
        let request = v1::DisconnectRequest {
            target: Some(request.target.into_proto()),
            reason: request.reason,
            reconnect: request.reconnect,
        };
        remote!(self, once disconnect, call, request).map(|_| ())
    }

    async fn unsubscribe(&self, call: Call, request: Unsubscribe) -> Result<()> {
        let request = v1::UnsubscribeRequest {
            target: Some(request.target.into_proto()),
            room: request.room.to_string(),
            reason: request.reason,
        };
        remote!(self, once unsubscribe, call, request).map(|_| ())
    }

    async fn subscribe(&self, call: Call, request: Subscribe) -> Result<()> {
        let request = v1::SubscribeRequest {
            target: Some(request.target.into_proto()),
            room: request.room.to_string(),
            data: request.data,
        };
        remote!(self, once subscribe, call, request).map(|_| ())
    }

    async fn renew_epochs(
        &self,
        call: Call,
        _by: Principal,
        room: Option<RoomName>,
    ) -> Result<u64> {
        let request = v1::RenewEpochsRequest { room: text_or_empty(room) };
        Ok(remote!(self, once renew_epochs, call, request)?.renewed)
    }

    async fn list_audit(
        &self,
        call: Call,
        _by: Principal,
        before_number: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRow>> {
        let request = v1::ListAuditRequest { before_number, limit };
        answered(remote!(self, idempotent list_audit, call, request)?.rows.into_domain())
    }

    async fn create_key(&self, call: Call, _by: Principal, new: NewKey) -> Result<CreatedKey> {
        let request = v1::CreateKeyRequest { name: new.name, roles: new.roles, ttl_ms: new.ttl_ms };
        answered(remote!(self, once create_key, call, request)?.into_domain())
    }

    async fn list_keys(&self, call: Call, _by: Principal) -> Result<Vec<KeyInfo>> {
        let request = v1::ListKeysRequest {};
        answered(remote!(self, idempotent list_keys, call, request)?.keys.into_domain())
    }

    async fn revoke_key(&self, call: Call, _by: Principal, key_id: String) -> Result<()> {
        let request = v1::RevokeKeyRequest { key_id };
        remote!(self, once revoke_key, call, request).map(|_| ())
    }
}
