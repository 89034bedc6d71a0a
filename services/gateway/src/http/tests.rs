//! The public port with small services behind it: what is asked of them, what is answered.
mod access;
mod calls;
mod pages;
mod streams;
mod upgrades;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use actix_http::Request;
use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::{App, HttpRequest, HttpResponse, web};
use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Body, Credential, Error, ErrorReason, GatewayId, Incarnation, Item, LeaseId, Position,
    PresenceBatch, PresenceCounts, PresenceEntry, PresenceTotals, Principal, PrincipalId, Result,
    RoomName, RoomSettings, Verified, Who,
};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use rpc::Call;
use rpc::auth::{Auth, CreatedKey, KeyInfo, NewKey};
use rpc::presence::{Lease, LeaseState, Presence};
use rpc::rooms::{
    Disconnect, FetchRange, Fetched, HeldRooms, History, HistoryPage, Join, Joined, Publish,
    Published, Rooms, Subscribe, Unsubscribe, WatchEvent, WatchStart,
};
use runtime::Readiness;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use wire::EmulationRequest;

use crate::limit::{Counted, LimitsConfig};

use super::{HttpConfig, HttpState, Sockets, Upgrade, configure};
use crate::connection::carrier::Carrier;
use crate::peers::Peers;

/// The other services, as small as they can be.
#[derive(Default)]
struct World {
    away: AtomicBool,
    sockets: AtomicUsize,
    verified: AtomicUsize,
    totals_asked: AtomicUsize,
    published: Mutex<Vec<Publish>>,
    upgrades: Mutex<Vec<Upgrade>>,
    streams: Mutex<Vec<(Bytes, Carrier)>>,
    emulated: Mutex<Vec<EmulationRequest>>,
    histories: Mutex<Vec<History>>,
    disconnects: Mutex<Vec<Disconnect>>,
    unsubscribes: Mutex<Vec<Unsubscribe>>,
    subscribes: Mutex<Vec<Subscribe>>,
}

fn principal(issuer: &str, subject: &str, roles: &[&str]) -> Principal {
    let roles = roles.iter().map(|&role| role.to_owned()).collect();
    let (id, name) = (PrincipalId::new(issuer, subject), format!("The {subject}"));
    let info = Bytes::from_static(b"{\"secret\":1}");
    Principal { id, name, info, roles, grants: Vec::new() }
}

fn not_asked<T>() -> Result<T> {
    Err(Error::new(ErrorReason::Internal, "not asked over HTTP"))
}

#[async_trait]
impl Auth for World {
    async fn verify(&self, _: Call, credential: Credential) -> Result<Verified> {
        self.verified.fetch_add(1, Ordering::Relaxed);
        if self.away.load(Ordering::Relaxed) {
            return Err(Error::unavailable("auth is away"));
        }
        let principal = match &credential {
            Credential::Bearer(token) if token == "ann" => {
                principal("https://issuer", "ann", &["user"])
            }
            Credential::Bearer(token) if token == "root" => {
                principal("https://issuer", "root", &["admin"])
            }
            Credential::Bearer(token) if token == "old" => {
                return Err(Error::new(ErrorReason::CredentialExpired, "the token has ended"));
            }
            Credential::ApiKey(key) if key == "rck_1" => principal("api-key", "1", &["admin"]),
            _ => return Err(Error::new(ErrorReason::InvalidCredential, "bad credential")),
        };
        Ok(Verified { principal, expires_at_ms: Some(7), rooms: Vec::new() })
    }
    async fn create_key(&self, _: Call, _: Principal, _: NewKey) -> Result<CreatedKey> {
        not_asked()
    }
    async fn list_keys(&self, _: Call, _: Principal) -> Result<Vec<KeyInfo>> {
        not_asked()
    }
    async fn revoke_key(&self, _: Call, _: Principal, _: String) -> Result<()> {
        not_asked()
    }
}

#[async_trait]
impl Rooms for World {
    async fn join(&self, _: Call, request: Join) -> Result<Joined> {
        if request.room.as_str() == "secret" {
            return Err(Error::denied());
        }
        let settings = RoomSettings {
            stored: true,
            presence: request.room.as_str() != "quiet",
            join_leave: domain::JoinLeave::Off,
            envelope: domain::Envelope::None,
            recovery: domain::Recovery::Log,
            delta: false,
            filters: false,
        };
        Ok(Joined { settings, rights: domain::Rights::default(), head: Position::default() })
    }
    async fn publish(&self, _: Call, request: Publish) -> Result<Published> {
        if request.room.as_str() == "secret" {
            return Err(Error::denied());
        }
        let mut all = self.published.lock();
        let first = all.iter().position(|other| other.message_id == request.message_id);
        if first.is_some_and(|at| all[at].data != request.data) {
            return Err(Error::new(ErrorReason::MessageIdConflict, "another payload"));
        }
        let offset = first.unwrap_or(all.len()) as u64 + 1;
        if first.is_none() {
            all.push(request);
        }
        let position = Position { epoch: domain::Epoch::new("e1"), offset };
        Ok(Published { position, duplicate: first.is_some() })
    }
    async fn history(&self, _: Call, request: History) -> Result<HistoryPage> {
        if request.room.as_str() == "secret" {
            return Err(Error::denied());
        }
        self.histories.lock().push(request);
        let item = |(index, publish): (usize, &Publish)| Item {
            offset: index as u64 + 1,
            message_id: publish.message_id.clone(),
            time_ms: 5,
            body: Body::Message {
                sender: publish.sender.clone(),
                gateway: publish.gateway.clone(),
                tags: publish.tags.clone(),
                data: publish.data.clone(),
            },
            trace: None,
        };
        let items: Vec<_> = self.published.lock().iter().enumerate().map(item).collect();
        let head = Position { epoch: domain::Epoch::new("e1"), offset: items.len() as u64 };
        Ok(HistoryPage { items, head })
    }
    async fn fetch(&self, _: Call, _: Vec<FetchRange>) -> Result<Vec<Fetched>> {
        not_asked()
    }
    async fn disconnect(&self, _: Call, request: Disconnect) -> Result<()> {
        if !request.by.is_admin() {
            return Err(Error::denied());
        }
        self.disconnects.lock().push(request);
        Ok(())
    }
    async fn unsubscribe(&self, _: Call, request: Unsubscribe) -> Result<()> {
        if !request.by.is_admin() {
            return Err(Error::denied());
        }
        self.unsubscribes.lock().push(request);
        Ok(())
    }
    async fn subscribe(&self, _: Call, request: Subscribe) -> Result<()> {
        if !request.by.is_admin() {
            return Err(Error::denied());
        }
        self.subscribes.lock().push(request);
        Ok(())
    }
    async fn watch(
        &self,
        _: WatchStart,
        _: tokio::sync::mpsc::Receiver<HeldRooms>,
    ) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        not_asked()
    }
}

#[async_trait]
impl Presence for World {
    async fn open_lease(
        &self,
        _: Call,
        _: GatewayId,
        _: Incarnation,
        _: Option<String>,
    ) -> Result<Lease> {
        not_asked()
    }
    async fn renew_lease(&self, _: Call, _: LeaseId) -> Result<LeaseState> {
        not_asked()
    }
    async fn close_lease(&self, _: Call, _: LeaseId) -> Result<()> {
        not_asked()
    }
    async fn apply(&self, _: Call, _: LeaseId, _: PresenceBatch) -> Result<LeaseState> {
        not_asked()
    }
    async fn room(&self, _: Call, _: RoomName, _: u32) -> Result<Vec<PresenceEntry>> {
        let id = PrincipalId::new("https://issuer", "ann");
        let who = Who {
            id,
            name: "Ann".to_owned(),
            info: Bytes::from_static(b"{\"secret\":1}"),
            room_info: Bytes::new(),
            connection: domain::ConnectionId::random(),
        };
        Ok(vec![PresenceEntry { who, gateway: GatewayId::parse("g2").unwrap() }])
    }
    async fn room_counts(&self, _: Call, _: RoomName) -> Result<PresenceCounts> {
        if self.away.load(Ordering::Relaxed) {
            return Err(Error::unavailable("presence is away"));
        }
        Ok(PresenceCounts { connections: 3, principals: 2 })
    }
    async fn totals(&self, _: Call) -> Result<PresenceTotals> {
        self.totals_asked.fetch_add(1, Ordering::Relaxed);
        if self.away.load(Ordering::Relaxed) {
            return Err(Error::unavailable("presence is away"));
        }
        Ok(PresenceTotals { connections: 30, principals: 20, gateways: 2 })
    }
    async fn gateways(&self, _: Call) -> Result<Vec<domain::GatewayInfo>> {
        not_asked()
    }
    async fn connections(&self, _: Call, _: PrincipalId) -> Result<Vec<PresenceEntry>> {
        not_asked()
    }
}

/// Notes upgrades instead of holding sockets.
struct Notebook(Arc<World>);

impl Sockets for Notebook {
    fn count(&self) -> usize {
        self.0.sockets.load(Ordering::Relaxed)
    }
    fn open(
        &self,
        request: &HttpRequest,
        _: web::Payload,
        upgrade: Upgrade,
    ) -> std::result::Result<HttpResponse, actix_web::Error> {
        self.0.upgrades.lock().push(upgrade);
        Ok(actix_http::ws::handshake(request.head())?.finish().map_into_boxed_body().into())
    }
    fn open_stream(
        &self,
        _: &HttpRequest,
        first: Bytes,
        carrier: Carrier,
        _: Option<std::net::IpAddr>,
    ) -> std::result::Result<HttpResponse, actix_web::Error> {
        self.0.streams.lock().push((first, carrier));
        Ok(HttpResponse::Ok().finish())
    }
    fn emulate(&self, request: EmulationRequest) -> LocalBoxFuture<'static, Result<()>> {
        let refusal = match request.session.as_str() {
            "unknown" => Some(Error::new(ErrorReason::NotFound, "no such session here")),
            "busy" => Some(Error::new(ErrorReason::RateLimited, "too much waits")),
            "away" => Some(Error::unavailable("not reached")),
            _ => None,
        };
        self.0.emulated.lock().push(request);
        Box::pin(std::future::ready(refusal.map_or(Ok(()), Err)))
    }
}

/// A gateway's public port.
struct Port<S> {
    world: Arc<World>,
    readiness: Readiness,
    service: S,
}

/// An answer, read whole.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HashMap<String, String>,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The reason of a JSON error.
    fn reason(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        let error = &self.json()["error"];
        assert!(error["message"].is_string(), "{self:?}");
        error["reason"].as_str().unwrap_or_default().to_owned()
    }
}

async fn port() -> Port<
    impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = actix_web::Error>,
> {
    limited(LimitsConfig::default()).await
}

/// A port whose callers are bounded by `limits`.
async fn limited(
    limits: LimitsConfig,
) -> Port<
    impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = actix_web::Error>,
> {
    port_of(HttpConfig::default(), limits, |state| state).await
}

async fn port_with(
    config: HttpConfig,
    change: impl FnOnce(HttpState) -> HttpState,
) -> Port<
    impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = actix_web::Error>,
> {
    port_of(config, LimitsConfig::default(), change).await
}

async fn port_of(
    config: HttpConfig,
    limits: LimitsConfig,
    change: impl FnOnce(HttpState) -> HttpState,
) -> Port<
    impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = actix_web::Error>,
> {
    assert_eq!(config.problems(), Vec::<String>::new());
    let world = Arc::new(World::default());
    let runtime = tokio::runtime::Handle::current();
    let peers = Arc::new(Peers::new(world.clone(), world.clone(), world.clone(), runtime));
    let readiness = Readiness::new(CancellationToken::new());
    let sockets = Arc::new(Notebook(world.clone()));
    let id = GatewayId::parse("g1").unwrap();
    let counted = Counted::new(&limits);
    let state = HttpState::new(config, limits, counted, id, peers, sockets, readiness.clone());
    let state = change(state);
    let state = web::Data::new(state);
    let service = init_service(App::new().configure(|services| configure(services, state))).await;
    Port { world, readiness, service }
}

impl<S, B> Port<S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    async fn send(&self, request: TestRequest) -> Answer {
        let response = try_call_service(&self.service, request.to_request()).await.unwrap();
        let status = response.status();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let body = to_bytes(response.into_body()).await.unwrap_or_default();
        Answer { status, headers, text: String::from_utf8_lossy(&body).into_owned() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(TestRequest::get().uri(path)).await
    }

    async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.send(bearer(TestRequest::get().uri(path), token)).await
    }

    async fn post_as(&self, token: &str, path: &str, body: &str) -> Answer {
        self.send(bearer(TestRequest::post().uri(path).set_payload(body.to_owned()), token)).await
    }
}

fn bearer(request: TestRequest, token: &str) -> TestRequest {
    request.insert_header(("authorization", format!("Bearer {token}")))
}
