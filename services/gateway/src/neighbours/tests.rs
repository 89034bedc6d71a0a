//! Frames on their way to another gateway: their order, and what is said when it is away.
use async_trait::async_trait;
use domain::{
    Incarnation, LeaseId, PresenceBatch, PresenceCounts, PresenceEntry, PresenceTotals,
    PrincipalId, RoomName,
};
use rpc::RpcConfig;
use rpc::presence::{Lease, LeaseState};
use rpc::server::Routes;
use tokio_util::sync::CancellationToken;

use super::*;

/// Says which gateways there are, or that it cannot.
#[derive(Default)]
struct List(Mutex<Option<Vec<GatewayInfo>>>);

fn not_asked<T>() -> Result<T> {
    Err(Error::new(ErrorReason::Internal, "not asked"))
}

#[async_trait]
impl Presence for List {
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
        not_asked()
    }
    async fn room_counts(&self, _: Call, _: RoomName) -> Result<PresenceCounts> {
        not_asked()
    }
    async fn totals(&self, _: Call) -> Result<PresenceTotals> {
        not_asked()
    }
    async fn gateways(&self, _: Call) -> Result<Vec<GatewayInfo>> {
        self.0.lock().clone().ok_or_else(|| Error::unavailable("the store is away"))
    }
    async fn connections(&self, _: Call, _: PrincipalId) -> Result<Vec<PresenceEntry>> {
        not_asked()
    }
}

/// Notes what comes; takes long over the first byte of each session.
#[derive(Default)]
struct Notes(Mutex<Vec<(u8, u8)>>);

#[async_trait]
impl Gateway for Notes {
    async fn emulate(&self, _: Call, session: Session, frame: Bytes) -> Result<()> {
        if frame[0] == 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.0.lock().push((session.bytes()[0], frame[0]));
        Ok(())
    }
}

fn gateway(name: &str, url: Option<String>) -> GatewayInfo {
    let gateway = GatewayId::parse(name).unwrap();
    GatewayInfo { gateway, incarnation: Incarnation::random(), connections: 0, peer_url: url }
}

fn neighbours(list: Option<Vec<GatewayInfo>>) -> (Arc<Neighbours>, Arc<List>) {
    let list = Arc::new(List(Mutex::new(list)));
    let (rpc, runtime) = (Some(Rpc::open(RpcConfig::default()).unwrap()), Handle::current());
    (Arc::new(Neighbours::new(list.clone(), rpc, runtime)), list)
}

async fn reason(own: &Arc<Neighbours>, node: &str, session: u8, frame: u8) -> Option<ErrorReason> {
    let (node, session) = (GatewayId::parse(node).unwrap(), Session::from_bytes([session; 16]));
    own.emulate(node, session, vec![frame].into()).await.err().map(|error| error.reason)
}

#[tokio::test]
async fn frames_of_a_session_do_not_overtake_each_other_and_sessions_do() {
    let notes = Arc::<Notes>::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (routes, stop) =
        (Routes::new().with(rpc::gateway::server(notes.clone())), CancellationToken::new());
    let (rpc, ended) = (Rpc::open(RpcConfig::default()).unwrap(), stop.clone());
    let server =
        tokio::spawn(async move { rpc::server::serve(listener, routes, &rpc, ended).await });
    let (own, _) = neighbours(Some(vec![gateway("g2", Some(url))]));

    let slow = (0..10).map(|frame| reason(&own, "g2", 1, frame));
    let quick = (1..10).map(|frame| reason(&own, "g2", 2, frame));
    let (slow, quick) =
        tokio::join!(futures_util::future::join_all(slow), futures_util::future::join_all(quick));
    assert!(slow.iter().chain(&quick).all(Option::is_none), "{slow:?} {quick:?}");
    let came = notes.0.lock().clone();
    let of = |session| {
        let own = came.iter().filter(move |(of, _)| *of == session);
        own.map(|(_, frame)| *frame).collect::<Vec<_>>()
    };
    assert_eq!((of(1), of(2)), ((0..10).collect(), (1..10).collect()));
    assert_eq!(came[0].0, 2, "the quick session waited for the slow one");
    assert!(own.lines.lock().is_empty(), "a line was left behind");
    stop.cancel();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn one_client_cannot_keep_all_waiting() {
    // Bound and never answered: a peer that hangs.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let (own, _) = neighbours(Some(vec![gateway("g2", Some(url))]));
    let many = (0..200).map(|frame| reason(&own, "g2", 1, frame));
    let answers = futures_util::future::join_all(many).await;
    let limited = answers.iter().filter(|one| **one == Some(ErrorReason::RateLimited)).count();
    assert_eq!(limited, 200 - SESSION_FRAMES_MAX);
    assert!(own.lines.lock().is_empty(), "a line was left behind");
}

#[tokio::test]
async fn a_gateway_is_unknown_only_if_the_leases_say_so() {
    let (own, list) = neighbours(None);
    assert_eq!(reason(&own, "g2", 1, 1).await, Some(ErrorReason::Unavailable));
    // Nobody listens there, but its lease lives.
    let url = format!("http://127.0.0.1:{}", testkit::parts::free_port().unwrap());
    *list.0.lock() = Some(vec![gateway("g2", Some(url)), gateway("g3", None)]);
    assert_eq!(reason(&own, "g2", 1, 1).await, Some(ErrorReason::Unavailable), "not asked again");
    tokio::time::sleep(LOOK_EVERY).await;
    assert_eq!(reason(&own, "g2", 1, 1).await, Some(ErrorReason::Unavailable));
    assert_eq!(reason(&own, "g3", 1, 1).await, Some(ErrorReason::NotFound), "it has no address");
    *list.0.lock() = Some(Vec::new());
    tokio::time::sleep(LOOK_EVERY).await;
    assert_eq!(reason(&own, "g2", 1, 1).await, Some(ErrorReason::NotFound), "its lease lapsed");
}
