//! The admin service: each call is allowed to admins alone, and every act leaves its audit row.
//!
//! Here stand the verbs; `look` reads, `change` acts. Reads that were allowed leave no audit row,
//! with one exception: an admin who reads a room's messages leaves one.
mod change;
mod look;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    MessageId, Notice, Position, PresenceEntry, Principal, PrincipalId, Result, RoomName, Tags,
};
use rpc::Call;
use rpc::admin::{Admin, AuditRow, ConnectionsOf, Kick, Member, RoomDetail, RoomInfo, Stats};
use rpc::auth::{CreatedKey, KeyInfo, NewKey};
use rpc::rooms::{Disconnect, History, HistoryPage, Published, Subscribe, Unsubscribe};

use crate::moderation::{audit, shown};
use crate::service::{RoomsService, within};

impl RoomsService {
    /// Lets an admin pass to a read.
    async fn may_look(&self, by: &Principal, act: &'static str, target: String) -> Result<()> {
        self.moderation.admins_only(by, &audit(&by.id, act, target)).await
    }
}

#[async_trait]
impl Admin for RoomsService {
    async fn stats(&self, call: Call, by: Principal) -> Result<Stats> {
        let work = async {
            self.may_look(&by, "stats", String::new()).await?;
            look::stats(self, call).await
        };
        within(call.deadline, work).await
    }

    async fn list_rooms(
        &self,
        call: Call,
        by: Principal,
        prefix: String,
        after: Option<RoomName>,
        limit: u32,
    ) -> Result<Vec<RoomInfo>> {
        let work = async {
            self.may_look(&by, "list_rooms", format!("prefix={prefix}")).await?;
            look::rooms(self, &prefix, after.as_ref(), limit).await
        };
        within(call.deadline, work).await
    }

    async fn describe_room(&self, call: Call, by: Principal, room: RoomName) -> Result<RoomDetail> {
        let work = async {
            self.may_look(&by, "describe_room", format!("room={room}")).await?;
            look::room(self, call, &room).await
        };
        within(call.deadline, work).await
    }

    async fn create_room(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        title: String,
    ) -> Result<RoomInfo> {
        within(call.deadline, change::create_room(self, &by, room, title)).await
    }

    async fn list_members(&self, call: Call, by: Principal, room: RoomName) -> Result<Vec<Member>> {
        let work = async {
            self.may_look(&by, "list_members", format!("room={room}")).await?;
            look::members(self, &room).await
        };
        within(call.deadline, work).await
    }

    async fn add_member(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        member: PrincipalId,
    ) -> Result<()> {
        within(call.deadline, change::add_member(self, &by, room, member)).await
    }

    async fn remove_member(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        member: PrincipalId,
    ) -> Result<()> {
        within(call.deadline, change::remove_member(self, &by, room, member)).await
    }

    async fn list_connections(
        &self,
        call: Call,
        by: Principal,
        of: ConnectionsOf,
    ) -> Result<Vec<PresenceEntry>> {
        let work = async {
            let target = look::connections_target(&of);
            self.may_look(&by, "list_connections", target).await?;
            look::connections(self, call, of).await
        };
        within(call.deadline, work).await
    }

    async fn history(&self, call: Call, request: History) -> Result<HistoryPage> {
        within(call.deadline, change::read_history(self, request)).await
    }

    async fn publish(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        message_id: MessageId,
        tags: Tags,
        data: Bytes,
    ) -> Result<Published> {
        within(call.deadline, change::publish(self, call, by, room, (message_id, tags, data))).await
    }

    async fn broadcast(&self, call: Call, by: Principal, notice: Notice) -> Result<()> {
        within(call.deadline, change::broadcast(self, &by, notice)).await
    }

    async fn kick(&self, call: Call, by: Principal, kick: Kick) -> Result<Position> {
        within(call.deadline, self.moderation.kick(call, &by, kick)).await
    }

    async fn unban(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        target: PrincipalId,
    ) -> Result<()> {
        within(call.deadline, change::unban(self, &by, room, target)).await
    }

    async fn disconnect(&self, call: Call, request: Disconnect) -> Result<()> {
        within(call.deadline, self.moderation.disconnect(request)).await
    }

    async fn unsubscribe(&self, call: Call, request: Unsubscribe) -> Result<()> {
        within(call.deadline, self.moderation.unsubscribe(request)).await
    }

    async fn subscribe(&self, call: Call, request: Subscribe) -> Result<()> {
        within(call.deadline, self.moderation.subscribe(request)).await
    }

    async fn renew_epochs(&self, call: Call, by: Principal, room: Option<RoomName>) -> Result<u64> {
        within(call.deadline, change::renew_epochs(self, &by, room)).await
    }

    async fn list_audit(
        &self,
        call: Call,
        by: Principal,
        before_number: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRow>> {
        let work = async {
            self.may_look(&by, "list_audit", String::new()).await?;
            self.store.audit(before_number, limit.clamp(1, look::ROWS_MAX)).await
        };
        within(call.deadline, work).await
    }

    async fn create_key(&self, call: Call, by: Principal, new: NewKey) -> Result<CreatedKey> {
        let target = format!("name={} roles={}", new.name, new.roles.join(","));
        let audit = audit(&by.id, "create_key", target);
        let made = async { self.auth.create_key(call, by.clone(), new).await };
        within(call.deadline, change::elsewhere(self, &by, audit, made)).await
    }

    async fn list_keys(&self, call: Call, by: Principal) -> Result<Vec<KeyInfo>> {
        let work = async {
            self.may_look(&by, "list_keys", String::new()).await?;
            self.auth.list_keys(call, by.clone()).await
        };
        within(call.deadline, work).await
    }

    async fn revoke_key(&self, call: Call, by: Principal, key_id: String) -> Result<()> {
        let audit = audit(&by.id, "revoke_key", format!("key={key_id}"));
        let ended = async { self.auth.revoke_key(call, by.clone(), key_id).await };
        within(call.deadline, change::elsewhere(self, &by, audit, ended)).await
    }
}

/// What an audit row shows of an act on a principal in a room.
fn on(room: &RoomName, target: &PrincipalId) -> String {
    format!("room={room} target={}", shown(target))
}
