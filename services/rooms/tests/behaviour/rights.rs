//! Who may join and publish; an unknown room and a forbidden one look the same.
use bytes::Bytes;
use domain::{Error, ErrorReason, Principal, PrincipalId};
use rpc::admin::{Admin as _, Kick};
use rpc::rooms::{History, Join, Rooms};

use crate::given::*;

const DENIED: Result<u64, ErrorReason> = Err(ErrorReason::PermissionDenied);

#[tokio::test]
async fn a_room_is_made_by_its_first_join_if_its_kind_allows() {
    let given = service().await;
    assert_eq!(given.join("general", &principal("u")).await, Ok(0));
    for name in ["closed:x", "club:x", "staff:x", "unknown:x", "system", "user:abc"] {
        assert_eq!(given.join(name, &principal("u")).await, DENIED, "{name}");
        let refused = given.publish(name, "u", "id-00001").await.unwrap_err();
        assert_eq!(refused, Error::denied(), "{name}");
        assert_eq!(given.page(name, None).await.unwrap_err(), Error::denied(), "{name}");
    }
    assert_eq!(given.join("staff:x", &with_role("s", "staff")).await, Ok(0));
    assert_eq!(given.join("staff:x", &principal("u")).await, DENIED);
}

#[tokio::test]
async fn members_join_and_publish_until_their_membership_ends() {
    let given = service().await;
    let club = room("club:x");
    given.rooms.create_room(call(), admin(), club.clone(), "Club".into()).await.unwrap();
    assert_eq!(given.join("club:x", &principal("m")).await, DENIED);
    given.rooms.add_member(call(), admin(), club.clone(), who("m")).await.unwrap();
    assert_eq!(given.join("club:x", &principal("m")).await, Ok(0));
    assert_eq!(given.publish("club:x", "m", "id-00001").await.unwrap().position.offset, 1);
    assert!(given.publish("club:x", "stranger", "id-00002").await.is_err());
    given.rooms.remove_member(call(), admin(), club, who("m")).await.unwrap();
    assert_eq!(given.join("club:x", &principal("m")).await, DENIED);
    assert!(given.publish("club:x", "m", "id-00003").await.is_err());
}

#[tokio::test]
async fn the_banned_may_neither_join_nor_publish_until_unbanned() {
    let given = service().await;
    given.fill("general", 2).await;
    let (general, target) = (room("general"), who("u"));
    let kick =
        Kick { room: general.clone(), target: target.clone(), reason: "x".into(), ban: true };
    assert_eq!(given.rooms.kick(call(), admin(), kick).await.unwrap().offset, 3);
    assert_eq!(given.join("general", &principal("u")).await, DENIED);
    assert_eq!(given.publish("general", "u", "id-00009").await.unwrap_err(), Error::denied());
    given.rooms.unban(call(), admin(), general, target).await.unwrap();
    assert_eq!(given.join("general", &principal("u")).await, Ok(3));
    assert_eq!(given.publish("general", "u", "id-00009").await.unwrap().position.offset, 4);
}

/// The same principal with a token for a room.
fn granted(principal: Principal, name: &str) -> Principal {
    Principal { grants: vec![room(name)], ..principal }
}

fn anonymous() -> Principal {
    Principal { id: PrincipalId::anonymous("c1"), roles: Vec::new(), ..principal("") }
}

#[tokio::test]
async fn a_room_of_tokens_opens_to_tokens_for_it_alone() {
    let given = service().await;
    let bearer = granted(principal("u"), "ticket:1");
    assert_eq!(given.join("ticket:1", &principal("u")).await, DENIED);
    assert_eq!(given.join("ticket:2", &bearer).await, DENIED);
    assert_eq!(given.join("ticket:1", &bearer).await, Ok(0));
    let send = async |by: &Principal, id| {
        Rooms::publish(&*given.rooms, call(), publish("ticket:1", by, id)).await.map(|_| ())
    };
    send(&bearer, "id-00001").await.unwrap();
    assert_eq!(send(&principal("u"), "id-00002").await.unwrap_err(), Error::denied());
    let read = async |principal: Principal| {
        let room = room("ticket:1");
        let history = History { principal, room, since: None, limit: 9, reverse: false };
        Rooms::history(&*given.rooms, call(), history).await.map(|page| page.items.len())
    };
    assert_eq!(read(bearer.clone()).await.unwrap(), 1);
    assert_eq!(read(principal("u")).await.unwrap_err(), Error::denied());
    // A ban is stronger than any token.
    let (room, target) = (room("ticket:1"), who("u"));
    let kick = Kick { room, target, reason: String::new(), ban: true };
    given.rooms.kick(call(), admin(), kick).await.unwrap();
    assert_eq!(given.join("ticket:1", &bearer).await, DENIED);
    assert_eq!(send(&bearer, "id-00003").await.unwrap_err(), Error::denied());
    // And neither members nor roles are made by it.
    assert_eq!(given.join("staff:x", &granted(principal("u"), "staff:x")).await, DENIED);
}

#[tokio::test]
async fn those_who_did_not_sign_in_come_in_where_everyone_may() {
    let given = service().await;
    assert_eq!(given.join("general", &anonymous()).await, DENIED);
    assert_eq!(given.join("square:1", &anonymous()).await, Ok(0));
    // The same message id of another connection is another message.
    let other = Principal { id: PrincipalId::anonymous("c2"), ..anonymous() };
    for (offset, by) in [(1, anonymous()), (2, other), (1, anonymous())] {
        let publish = publish("square:1", &by, "id-00001");
        let sent = Rooms::publish(&*given.rooms, call(), publish).await;
        assert_eq!(sent.unwrap().position.offset, offset);
    }
    given.fill("general", 1).await;
    assert_eq!(given.join("general", &granted(anonymous(), "general")).await, Ok(1));
    assert_eq!(given.join("club:x", &anonymous()).await, DENIED);
}

#[tokio::test]
async fn rights_are_told_at_the_join() {
    let given = service().await;
    let joined = |principal| Join { principal, room: room("general") };
    let user = given.rooms.join(call(), joined(principal("u"))).await.unwrap();
    assert!(user.rights.publish && !user.rights.moderate && user.settings.stored);
    let root = given.rooms.join(call(), joined(admin())).await.unwrap();
    assert!(root.rights.moderate);
    assert_eq!(root.head.epoch, user.head.epoch);
}

#[tokio::test]
async fn a_script_publishes_into_rooms_that_exist() {
    let given = service().await;
    let send = async |name, id| {
        let id = domain::MessageId::parse(id).unwrap();
        let data = Bytes::from_static(b"{}");
        let tags = tags(&[("from", "script")]);
        rpc::admin::Admin::publish(&*given.rooms, call(), admin(), room(name), id, tags, data).await
    };
    assert_eq!(send("general", "id-00001").await.unwrap_err().reason, ErrorReason::NotFound);
    given.fill("general", 1).await;
    assert_eq!(send("general", "id-00001").await.unwrap().position.offset, 2);
    let again = send("general", "id-00001").await.unwrap();
    assert!(again.duplicate && again.position.offset == 2);
}
