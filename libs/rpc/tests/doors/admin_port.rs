//! The admin port: who may in, who acts, and that everything survives the way.
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::*;
use parking_lot::Mutex;
use proto::admin::v1::admin_service_client::AdminServiceClient;
use rpc::Call;
use rpc::admin::*;
use rpc::auth::NewKey;
use rpc::rooms::{Disconnect, History, Subscribe, Unsubscribe};
use rpc::server::Routes;
use tokio_stream::StreamExt;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::answering::{Answering, Mood};
use super::port::{Port, plain, until};
use super::samples as sample;

fn soon() -> Call {
    Call::within(Duration::from_secs(5))
}

/// A port whose auth finds this role in every credential.
fn port(role: &str) -> (Port, Arc<Answering>) {
    let auth = Arc::new(Answering::default());
    *auth.role.lock() = role.into();
    (Port::guarded(Guard::new(auth.clone())), auth)
}

fn remote(port: &Port, credential: &Credential) -> RemoteAdmin {
    let addresses = [format!("http://{}", port.address)];
    RemoteAdmin::open(&addresses, credential, &plain()).unwrap()
}

fn key() -> Credential {
    Credential::ApiKey("rck_k1_secret".into())
}

/// Who the caller says it is: never believed.
fn liar() -> Principal {
    let (name, roles) = ("M".into(), vec!["admin".into()]);
    Principal { id: sample::id("mallory"), name, info: Bytes::new(), roles, grants: vec![] }
}

/// Asks reflection which services there are.
async fn services(
    port: &Port,
    credential: Option<(&'static str, &str)>,
) -> std::result::Result<Vec<String>, Status> {
    let mut client = ServerReflectionClient::new(port.channel());
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut request = Request::new(tokio_stream::iter([question]));
    if let Some((name, value)) = credential {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    let mut answers = client.server_reflection_info(request).await?.into_inner();
    match answers.next().await.unwrap()?.message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => {
            Ok(list.service.into_iter().map(|s| s.name).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_credential_neither_admin_nor_reflection_answers_but_health_does() {
    let (port, auth) = port("admin");
    let mut plain = AdminServiceClient::new(port.channel());
    let status = plain.stats(proto::admin::v1::StatsRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    for bad in [
        None,
        Some(("authorization", "Basic YTpi")),
        Some(("authorization", "Bearer ")),
        Some(("x-api-key", "")),
    ] {
        assert_eq!(
            services(&port, bad).await.unwrap_err().code(),
            Code::Unauthenticated,
            "{bad:?}"
        );
    }
    assert_eq!((port.service.calls(), auth.calls()), (0, 0));
    let mut health = HealthClient::new(port.channel());
    health.check(HealthCheckRequest { service: String::new() }).await.unwrap();
}

#[tokio::test]
async fn a_credential_that_auth_refuses_opens_nothing() {
    let (port, auth) = port("admin");
    for reason in
        [ErrorReason::InvalidCredential, ErrorReason::CredentialExpired, ErrorReason::Unavailable]
    {
        auth.set(Mood::Fail(Error::new(reason, "no")));
        let outcome = remote(&port, &key()).list_keys(soon(), liar()).await;
        assert_eq!(outcome.unwrap_err().reason, reason);
        assert!(services(&port, Some(("x-api-key", "k"))).await.is_err());
    }
    assert_eq!(port.service.calls(), 0);
}

#[tokio::test]
async fn an_admin_may_reflect_with_a_token_or_a_key() {
    let (port, auth) = port("admin");
    for shown in
        [("authorization", "Bearer token"), ("authorization", "bearer token"), ("x-api-key", "key")]
    {
        let mut services = services(&port, Some(shown)).await.unwrap();
        services.sort();
        // What the port serves, and nothing else.
        let served = [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "roomcast.admin.v1.AdminService",
        ];
        assert_eq!(services, served);
    }
    assert_eq!(*auth.shown.lock(), ["bearer token", "key key"]);
}

#[tokio::test]
async fn who_is_no_admin_is_refused_and_told_of() {
    let auth = Arc::new(Answering::default());
    *auth.role.lock() = "moderator".into();
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = told.clone();
    let guard = Guard::new(auth)
        .on_refused(move |who, path| telling.lock().push((who.id.clone(), path.to_owned())));
    let port = Port::guarded(guard);
    let error = remote(&port, &key()).stats(soon(), liar()).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::PermissionDenied);
    let status = services(&port, Some(("x-api-key", "k"))).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(
        told.lock()[0],
        (sample::id("alice"), "/roomcast.admin.v1.AdminService/Stats".into())
    );
    assert_eq!(port.service.calls(), 0);
}

#[tokio::test]
async fn a_burst_is_one_question_to_auth_and_a_revoked_key_is_refused_within_seconds() {
    let (port, auth) = port("admin");
    let remote = remote(&port, &key());
    for _ in 0..10 {
        remote.stats(soon(), liar()).await.unwrap();
    }
    assert_eq!(auth.calls(), 1);
    auth.set(Mood::Fail(Error::new(ErrorReason::InvalidCredential, "revoked")));
    let began = std::time::Instant::now();
    until("the key is refused", || async { remote.stats(soon(), liar()).await.is_err() }).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_admin_service_on_a_port_without_a_guard_refuses_everything() {
    let service = Arc::new(Answering::default());
    let routes = Routes::new().with(server(service.clone()));
    let port = Port::serving(([127, 0, 0, 1], 0).into(), service, routes, &plain());
    let error = remote(&port, &key()).stats(soon(), liar()).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::InvalidCredential);
    assert_eq!(port.service.calls(), 0);
}

#[tokio::test]
async fn every_field_survives_and_the_guard_says_who_acts() {
    let (port, _auth) = port("admin");
    let (remote, heard) = (remote(&port, &key()), &port.service);
    let (by, room, bob) = (sample::principal("admin"), sample::room(), sample::id("bob"));
    let said = |arguments: std::fmt::Arguments<'_>| assert_eq!(heard.only(), arguments.to_string());

    assert_eq!(remote.stats(soon(), liar()).await.unwrap(), sample::stats());
    said(format_args!("{by:?}"));
    for after in [Some(room.clone()), None] {
        let rooms = remote.list_rooms(soon(), liar(), "ch".into(), after.clone(), 5).await.unwrap();
        assert_eq!(rooms, [sample::room_info()]);
        said(format_args!("{:?}", (&by, "ch", after, 5)));
    }
    assert_eq!(remote.describe_room(soon(), liar(), room.clone()).await.unwrap(), sample::detail());
    said(format_args!("{:?}", (&by, &room)));
    let made = remote.create_room(soon(), liar(), room.clone(), "Title".into()).await.unwrap();
    assert_eq!(made, sample::room_info());
    said(format_args!("{:?}", (&by, &room, "Title")));
    assert_eq!(
        remote.list_members(soon(), liar(), room.clone()).await.unwrap(),
        [sample::member()]
    );
    said(format_args!("{:?}", (&by, &room)));
    remote.add_member(soon(), liar(), room.clone(), bob.clone()).await.unwrap();
    said(format_args!("{:?}", (&by, &room, &bob)));
    remote.remove_member(soon(), liar(), room.clone(), bob.clone()).await.unwrap();
    said(format_args!("{:?}", (&by, &room, &bob)));
    let both = ConnectionsOf { room: Some(room.clone()), principal: Some(bob.clone()) };
    for of in [both, ConnectionsOf::default()] {
        let entries = remote.list_connections(soon(), liar(), of.clone()).await.unwrap();
        assert_eq!(entries, [sample::plain_entry()]);
        said(format_args!("{:?}", (&by, of)));
    }
    let history = |principal| History {
        principal,
        room: room.clone(),
        since: Some(sample::position()),
        limit: 3,
        reverse: true,
    };
    assert_eq!(remote.history(soon(), history(liar())).await.unwrap(), sample::page());
    said(format_args!("{:?}", history(by.clone())));
    let (id, data) = (sample::message_id(), Bytes::from_static(b"\xff{}"));
    let (tags, place) = (sample::tags(), room.clone());
    let published = remote
        .publish(soon(), liar(), place, id.clone(), tags.clone(), data.clone())
        .await
        .unwrap();
    assert_eq!(published, sample::published());
    said(format_args!("{:?}", (&by, &room, id, tags, data)));
}

#[tokio::test]
async fn acts_survive_too() {
    let (port, _auth) = port("admin");
    let (remote, heard) = (remote(&port, &key()), &port.service);
    let (by, room, bob) = (sample::principal("admin"), sample::room(), sample::id("bob"));
    let said = |arguments: std::fmt::Arguments<'_>| assert_eq!(heard.only(), arguments.to_string());

    remote.broadcast(soon(), liar(), sample::notice()).await.unwrap();
    said(format_args!("{:?}", (&by, sample::notice())));
    let kick = Kick { room: room.clone(), target: bob.clone(), reason: "spam".into(), ban: true };
    assert_eq!(remote.kick(soon(), liar(), kick.clone()).await.unwrap(), sample::position());
    said(format_args!("{:?}", (&by, kick)));
    remote.unban(soon(), liar(), room.clone(), bob.clone()).await.unwrap();
    said(format_args!("{:?}", (&by, &room, &bob)));
    let disconnect =
        |by| Disconnect { by, target: bob.clone(), reason: "r".into(), reconnect: true };
    remote.disconnect(soon(), disconnect(liar())).await.unwrap();
    said(format_args!("{:?}", disconnect(by.clone())));
    let unsubscribe =
        |by| Unsubscribe { by, target: bob.clone(), room: room.clone(), reason: "r".into() };
    remote.unsubscribe(soon(), unsubscribe(liar())).await.unwrap();
    said(format_args!("{:?}", unsubscribe(by.clone())));
    let subscribe =
        |by| Subscribe { by, target: bob.clone(), room: room.clone(), data: sample::told() };
    remote.subscribe(soon(), subscribe(liar())).await.unwrap();
    said(format_args!("{:?}", subscribe(by.clone())));
    for which in [Some(room.clone()), None] {
        assert_eq!(remote.renew_epochs(soon(), liar(), which.clone()).await.unwrap(), 17);
        said(format_args!("{:?}", (&by, which)));
    }
    for before in [Some(7), None] {
        let rows = remote.list_audit(soon(), liar(), before, 2).await.unwrap();
        assert_eq!(rows, [sample::audit_row()]);
        said(format_args!("{:?}", (&by, before, 2)));
    }
    let new = NewKey { name: "n".into(), roles: vec!["admin".into()], ttl_ms: None };
    assert!(remote.create_key(soon(), liar(), new.clone()).await.unwrap() == sample::created_key());
    said(format_args!("{:?}", (&by, new)));
    assert_eq!(remote.list_keys(soon(), liar()).await.unwrap(), [sample::key()]);
    said(format_args!("{by:?}"));
    remote.revoke_key(soon(), liar(), "k1".into()).await.unwrap();
    said(format_args!("{:?}", (&by, "k1")));
}
