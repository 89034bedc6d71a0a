//! What admins change. Each act and its audit row are one transaction; so are a refusal and its
//! row.
use bytes::Bytes;
use domain::{
    Error, ErrorReason, MESSAGE_BYTES_MAX, MessageId, Notice, OrderAct, Principal, PrincipalId,
    Result, RoomName, Tags,
};
use rpc::Call;
use rpc::admin::RoomInfo;
use rpc::rooms::{History, HistoryPage, Publish, Published};

use super::look::info;
use super::on;
use crate::membership::PublishRight;
use crate::moderation::audit;
use crate::service::RoomsService;
use crate::store::{Act, Along, Audit, Done, Needs, no_such_room};

/// Longest title of a room, bytes.
const TITLE_BYTES_MAX: usize = 256;
/// Longest notice, bytes.
const NOTICE_BYTES_MAX: usize = 1_024;
/// Longest id of a notice, bytes.
const NOTICE_ID_BYTES_MAX: usize = 64;

/// Refuses, leaving an audit row, what an admin asked for in a wrong way.
async fn refused<T>(service: &RoomsService, audit: &Audit, error: Error) -> Result<T> {
    service.moderation.note(audit, &error).await;
    Err(error)
}

pub(super) async fn create_room(
    service: &RoomsService,
    by: &Principal,
    room: RoomName,
    title: String,
) -> Result<RoomInfo> {
    let audit = audit(&by.id, "create_room", format!("room={room}"));
    service.moderation.admins_only(by, &audit).await?;
    if service.kinds.of(&room).is_err() {
        let text = "the name is reserved, or its kind is not configured";
        return refused(service, &audit, Error::invalid(text)).await;
    }
    if title.len() > TITLE_BYTES_MAX || title.contains('\0') {
        let text = format!("a title has {TITLE_BYTES_MAX} bytes at most, none of them zero");
        return refused(service, &audit, Error::invalid(text)).await;
    }
    match service.moderation.act(Act::CreateRoom { room, title }, audit).await? {
        Done::Room(row) => Ok(info(row)),
        _ => Err(Error::new(ErrorReason::Internal, "the store made no room")),
    }
}

pub(super) async fn add_member(
    service: &RoomsService,
    by: &Principal,
    room: RoomName,
    member: PrincipalId,
) -> Result<()> {
    let audit = audit(&by.id, "add_member", on(&room, &member));
    service.moderation.admins_only(by, &audit).await?;
    service.moderation.act(Act::AddMember { room, member }, audit).await.map(drop)
}

pub(super) async fn remove_member(
    service: &RoomsService,
    by: &Principal,
    room: RoomName,
    member: PrincipalId,
) -> Result<()> {
    let audit = audit(&by.id, "remove_member", on(&room, &member));
    service.moderation.admins_only(by, &audit).await?;
    service.moderation.act(Act::RemoveMember { room, member }, audit).await.map(drop)
}

pub(super) async fn unban(
    service: &RoomsService,
    by: &Principal,
    room: RoomName,
    target: PrincipalId,
) -> Result<()> {
    let audit = audit(&by.id, "unban", on(&room, &target));
    service.moderation.admins_only(by, &audit).await?;
    service.moderation.act(Act::Unban { room, target }, audit).await.map(drop)
}

pub(super) async fn broadcast(
    service: &RoomsService,
    by: &Principal,
    notice: Notice,
) -> Result<()> {
    let audit = audit(&by.id, "broadcast", format!("notice={}", notice.id));
    service.moderation.admins_only(by, &audit).await?;
    if notice.text.is_empty()
        || notice.text.len() > NOTICE_BYTES_MAX
        || notice.id.len() > NOTICE_ID_BYTES_MAX
    {
        let text = format!("a notice has 1 to {NOTICE_BYTES_MAX} bytes");
        return refused(service, &audit, Error::invalid(text)).await;
    }
    service.moderation.act(Act::Order(OrderAct::Notice(notice)), audit).await.map(drop)
}

pub(super) async fn renew_epochs(
    service: &RoomsService,
    by: &Principal,
    room: Option<RoomName>,
) -> Result<u64> {
    let target = room.as_ref().map_or_else(|| "room=*".to_owned(), |room| format!("room={room}"));
    let audit = audit(&by.id, "renew_epochs", target);
    service.moderation.admins_only(by, &audit).await?;
    match service.moderation.act(Act::RenewEpochs { room }, audit).await? {
        Done::Renewed(rooms) => Ok(rooms),
        _ => Err(Error::new(ErrorReason::Internal, "the store renewed nothing")),
    }
}

/// Publishes without a sender. A room of a kind without a log must exist as well: scripts make no
/// rooms by mistake.
pub(super) async fn publish(
    service: &RoomsService,
    call: Call,
    by: Principal,
    room: RoomName,
    (message_id, tags, data): (MessageId, Tags, Bytes),
) -> Result<Published> {
    let audit = audit(&by.id, "publish", format!("room={room} message_id={message_id}"));
    service.moderation.admins_only(&by, &audit).await?;
    if data.len() > MESSAGE_BYTES_MAX {
        let text = format!("a message has {MESSAGE_BYTES_MAX} bytes at most");
        let error = Error::new(ErrorReason::LimitExceeded, text);
        return refused(service, &audit, error).await;
    }
    let exists = service.membership.view(&room, &by.id).await?.is_some();
    let kind = match service.kinds.of(&room) {
        Ok(kind) if exists => kind,
        _ => return refused(service, &audit, no_such_room()).await,
    };
    let (principal, sender, gateway) = (by, None, None);
    let request = Publish { room, principal, sender, message_id, gateway, tags, data };
    if kind.stored {
        let along = vec![Along::Audit(audit)];
        let right = PublishRight { needs: Needs::Nothing, make_room: false };
        return service.append(call.deadline, request, right, along).await;
    }
    let sent = service.send_ephemeral(request);
    let outcome = sent.as_ref().map_or_else(|error| error.reason.word(), |_| "ok");
    service.store.act(&Act::Note { outcome }, &audit).await?;
    sent
}

/// A page of any room. The audit row comes first: nobody reads messages without having left it.
pub(super) async fn read_history(service: &RoomsService, request: History) -> Result<HistoryPage> {
    let by = &request.principal;
    let audit = audit(&by.id, "history", format!("room={}", request.room));
    service.moderation.admins_only(by, &audit).await?;
    service.store.act(&Act::Note { outcome: "ok" }, &audit).await?;
    service.reader.any_history(&request).await
}

/// An act of another service: its audit row follows it here, with the outcome.
pub(super) async fn elsewhere<T>(
    service: &RoomsService,
    by: &Principal,
    audit: Audit,
    act: impl Future<Output = Result<T>>,
) -> Result<T> {
    service.moderation.admins_only(by, &audit).await?;
    let done = act.await;
    let outcome = done.as_ref().map_or_else(|error| error.reason.word(), |_| "ok");
    service.store.act(&Act::Note { outcome }, &audit).await?;
    done
}
