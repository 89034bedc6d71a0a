//! The system against a real Keycloak with the realm that ships: who gets in, what is forged, and what
//! happens while keys change and while Keycloak is away.
//!
//! An executable of its own, so that no other test waits for Keycloak's boot. The tests share one
//! and take turns, because they change the realm and stop it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]
mod entry;
mod forged;
mod outage;
mod rotation;

use std::sync::LazyLock;
use std::time::Duration;

use cluster::service::{Ports, http};
use serde_json::Value;
use testkit::client::{Client, CommandError, Incoming};
use testkit::parts::Keycloak;
use tokio::sync::{Mutex, MutexGuard, mpsc};

/// Held by each test while it runs.
static TURN: LazyLock<Mutex<()>> = LazyLock::new(|| Mutex::new(()));

async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

/// As many seconds.
const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The all-in-one that believes this Keycloak, as its clients see it.
struct House(cluster::House);

impl House {
    async fn open(keycloak: &Keycloak) -> Self {
        Self::open_for(keycloak, &["frontend", "backend"]).await
    }

    /// For the tokens of these clients.
    async fn open_for(keycloak: &Keycloak, clients: &[&str]) -> Self {
        let ports = Ports::choose().unwrap();
        Self(cluster::House::open(keycloak, ports, clients, s(1)).await.unwrap())
    }

    fn socket_url(&self) -> String {
        self.0.socket_url()
    }

    /// A connection that stands.
    async fn connect(&self, token: &str) -> (Client, mpsc::Receiver<Incoming>) {
        let (client, incoming, _) = Client::connect(&self.socket_url(), token).await.unwrap();
        (client, incoming)
    }

    /// The close code that a connect with this token gets.
    async fn closes(&self, token: &str) -> u16 {
        let (client, mut incoming) = Client::open(&self.socket_url()).await.unwrap();
        client.begin_in_band("connect", serde_json::json!({ "token": token })).await.unwrap();
        closed(&mut incoming).await
    }

    /// The code of the error that a connect gets, and whether it may be tried again.
    async fn refuses(&self, token: &str) -> (u32, bool) {
        let (client, _incoming) = Client::open(&self.socket_url()).await.unwrap();
        match client.command("connect", serde_json::json!({ "token": token })).await {
            Err(CommandError::Refused(refusal)) => (refusal.code, refusal.temporary),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Who that is, or the reason why nobody.
    async fn me(&self, token: &str) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{}/api/v1/me", self.0.service.port);
        let answer = http().unwrap().get(url).bearer_auth(token).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        if status.is_success() {
            return Ok(body);
        }
        Err(body["error"]["reason"].as_str().unwrap_or_default().to_owned())
    }
}

/// The code with which a connection ends.
async fn closed(incoming: &mut mpsc::Receiver<Incoming>) -> u16 {
    let wait = async {
        loop {
            match incoming.recv().await {
                Some(Incoming::Closed(code, _)) => return code,
                Some(_) => {}
                None => panic!("no close code"),
            }
        }
    };
    tokio::time::timeout(s(30), wait).await.unwrap()
}
