//! Admin's server side: gRPC in front of any implementation of the trait.
//!
//! Who acts is the principal that the port's guard let in, never a field of a message. Without a guard
//! every call is refused.
use std::sync::Arc;

use domain::{Error, ErrorReason, MessageId, Principal, Result};
use proto::admin::v1;
use proto::admin::v1::admin_service_server::{AdminService, AdminServiceServer};
use tonic::{Request, Response, Status};

use super::{Admin, convert};
use crate::Call;
use crate::answer::answer;
use crate::auth::NewKey;
use crate::convert::{
    IntoDomain, IntoProto, message_id, required, room, room_or_none, shown, tags,
};
use crate::door::MESSAGE_BYTES_MAX;
use crate::rooms::{Disconnect, History, Subscribe, Unsubscribe};
use crate::server::Service;

const SERVICE: &str = "admin";

struct Served(Arc<dyn Admin>);

/// Serves `admin`, on a port that is `Routes::guarded`.
pub fn server(admin: Arc<dyn Admin>) -> Service {
    let server = AdminServiceServer::new(Served(admin))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    Service::new(server)
}

/// Answers a call of the principal that the guard let in.
async fn act<M, T, R, F>(
    method: &'static str,
    request: Request<M>,
    run: R,
) -> std::result::Result<Response<T>, Status>
where
    R: FnOnce(Call, Principal, M) -> F,
    F: Future<Output = Result<T>>,
{
    let by = request.extensions().get::<Principal>().cloned();
    answer(SERVICE, method, request, async |call, message| {
        let by = by
            .ok_or_else(|| Error::new(ErrorReason::InvalidCredential, "nobody is known to call"))?;
        run(call, by, message).await
    })
    .await
}

type Answer<T> = std::result::Result<Response<T>, Status>;

#[tonic::async_trait]
impl AdminService for Served {
    async fn stats(&self, request: Request<v1::StatsRequest>) -> Answer<v1::StatsResponse> {
        act("stats", request, async |call, by, _| Ok(self.0.stats(call, by).await?.into_proto()))
            .await
    }

    async fn list_rooms(
        &self,
        request: Request<v1::ListRoomsRequest>,
    ) -> Answer<v1::ListRoomsResponse> {
        act("list_rooms", request, async |call, by, message| {
            let after = room_or_none(&message.after)?;
            let rooms = self.0.list_rooms(call, by, message.prefix, after, message.limit).await?;
            Ok(v1::ListRoomsResponse { rooms: rooms.into_proto() })
        })
        .await
    }

    async fn describe_room(
        &self,
        request: Request<v1::DescribeRoomRequest>,
    ) -> Answer<v1::DescribeRoomResponse> {
        act("describe_room", request, async |call, by, message| {
            Ok(self.0.describe_room(call, by, room(&message.room)?).await?.into_proto())
        })
        .await
    }

    async fn create_room(
        &self,
        request: Request<v1::CreateRoomRequest>,
    ) -> Answer<v1::CreateRoomResponse> {
        act("create_room", request, async |call, by, message| {
            let made = self.0.create_room(call, by, room(&message.room)?, message.title).await?;
            Ok(v1::CreateRoomResponse { room: Some(made.into_proto()) })
        })
        .await
    }

    async fn list_members(
        &self,
        request: Request<v1::ListMembersRequest>,
    ) -> Answer<v1::ListMembersResponse> {
        act("list_members", request, async |call, by, message| {
            let members = self.0.list_members(call, by, room(&message.room)?).await?;
            Ok(v1::ListMembersResponse { members: members.into_proto() })
        })
        .await
    }

    async fn add_member(
        &self,
        request: Request<v1::AddMemberRequest>,
    ) -> Answer<v1::AddMemberResponse> {
        act("add_member", request, async |call, by, message| {
            let member = required(message.member, "member")?;
            self.0.add_member(call, by, room(&message.room)?, member).await?;
            Ok(v1::AddMemberResponse {})
        })
        .await
    }

    async fn remove_member(
        &self,
        request: Request<v1::RemoveMemberRequest>,
    ) -> Answer<v1::RemoveMemberResponse> {
        act("remove_member", request, async |call, by, message| {
            let member = required(message.member, "member")?;
            self.0.remove_member(call, by, room(&message.room)?, member).await?;
            Ok(v1::RemoveMemberResponse {})
        })
        .await
    }

    async fn list_connections(
        &self,
        request: Request<v1::ListConnectionsRequest>,
    ) -> Answer<v1::ListConnectionsResponse> {
        act("list_connections", request, async |call, by, message| {
            let entries = self.0.list_connections(call, by, message.into_domain()?).await?;
            let connections = entries.into_iter().map(convert::connection).collect();
            Ok(v1::ListConnectionsResponse { connections })
        })
        .await
    }

    async fn history(&self, request: Request<v1::HistoryRequest>) -> Answer<v1::HistoryResponse> {
        act("history", request, async |call, by, message| {
            let request = History {
                principal: by,
                room: room(&message.room)?,
                since: message.since.map(IntoDomain::into_domain).transpose()?,
                limit: message.limit,
                reverse: message.reverse,
            };
            Ok(convert::page(self.0.history(call, request).await?))
        })
        .await
    }

    async fn publish(&self, request: Request<v1::PublishRequest>) -> Answer<v1::PublishResponse> {
        act("publish", request, async |call, by, message| {
            // A script may leave the id out; it then must not repeat the call by itself.
            let id = match message.message_id.as_str() {
                "" => MessageId::random(),
                text => message_id(text)?,
            };
            let (room, tags) = (room(&message.room)?, tags(message.tags)?);
            let published = self.0.publish(call, by, room, id, tags, message.data).await?;
            Ok(convert::published(published))
        })
        .await
    }

    async fn broadcast(
        &self,
        request: Request<v1::BroadcastRequest>,
    ) -> Answer<v1::BroadcastResponse> {
        act("broadcast", request, async |call, by, message| {
            self.0.broadcast(call, by, required(message.notice, "notice")?).await?;
            Ok(v1::BroadcastResponse {})
        })
        .await
    }

    async fn kick(&self, request: Request<v1::KickRequest>) -> Answer<v1::KickResponse> {
        act("kick", request, async |call, by, message| {
            let position = self.0.kick(call, by, message.into_domain()?).await?;
            Ok(v1::KickResponse { position: Some(position.into_proto()) })
        })
        .await
    }

    async fn unban(&self, request: Request<v1::UnbanRequest>) -> Answer<v1::UnbanResponse> {
        act("unban", request, async |call, by, message| {
            let target = required(message.target, "target")?;
            self.0.unban(call, by, room(&message.room)?, target).await?;
            Ok(v1::UnbanResponse {})
        })
        .await
    }

    async fn disconnect(
        &self,
        request: Request<v1::DisconnectRequest>,
    ) -> Answer<v1::DisconnectResponse> {
        act("disconnect", request, async |call, by, message| {
            let target = required(message.target, "target")?;
            let (reason, reconnect) = (message.reason, message.reconnect);
            self.0.disconnect(call, Disconnect { by, target, reason, reconnect }).await?;
            Ok(v1::DisconnectResponse {})
        })
        .await
    }

    async fn unsubscribe(
        &self,
        request: Request<v1::UnsubscribeRequest>,
    ) -> Answer<v1::UnsubscribeResponse> {
        act("unsubscribe", request, async |call, by, message| {
            let target = required(message.target, "target")?;
            let (room, reason) = (room(&message.room)?, message.reason);
            self.0.unsubscribe(call, Unsubscribe { by, target, room, reason }).await?;
            Ok(v1::UnsubscribeResponse {})
        })
        .await
    }

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Answer<v1::SubscribeResponse> {
        act("subscribe", request, async |call, by, message| {
            let target = required(message.target, "target")?;
            let (room, data) = (room(&message.room)?, shown(message.data)?);
            self.0.subscribe(call, Subscribe { by, target, room, data }).await?;
            Ok(v1::SubscribeResponse {})
        })
        .await
    }

    async fn renew_epochs(
        &self,
        request: Request<v1::RenewEpochsRequest>,
    ) -> Answer<v1::RenewEpochsResponse> {
        act("renew_epochs", request, async |call, by, message| {
            let renewed = self.0.renew_epochs(call, by, room_or_none(&message.room)?).await?;
            Ok(v1::RenewEpochsResponse { renewed })
        })
        .await
    }

    async fn list_audit(
        &self,
        request: Request<v1::ListAuditRequest>,
    ) -> Answer<v1::ListAuditResponse> {
        act("list_audit", request, async |call, by, message| {
            let rows = self.0.list_audit(call, by, message.before_number, message.limit).await?;
            Ok(v1::ListAuditResponse { rows: rows.into_proto() })
        })
        .await
    }

    async fn create_key(
        &self,
        request: Request<v1::CreateKeyRequest>,
    ) -> Answer<v1::CreateKeyResponse> {
        act("create_key", request, async |call, by, message| {
            let new = NewKey { name: message.name, roles: message.roles, ttl_ms: message.ttl_ms };
            Ok(convert::created_key(self.0.create_key(call, by, new).await?))
        })
        .await
    }

    async fn list_keys(
        &self,
        request: Request<v1::ListKeysRequest>,
    ) -> Answer<v1::ListKeysResponse> {
        act("list_keys", request, async |call, by, _| {
            let keys = self.0.list_keys(call, by).await?;
            Ok(v1::ListKeysResponse { keys: keys.into_proto() })
        })
        .await
    }

    async fn revoke_key(
        &self,
        request: Request<v1::RevokeKeyRequest>,
    ) -> Answer<v1::RevokeKeyResponse> {
        act("revoke_key", request, async |call, by, message| {
            self.0.revoke_key(call, by, message.key_id).await?;
            Ok(v1::RevokeKeyResponse {})
        })
        .await
    }
}
