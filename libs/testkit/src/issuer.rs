//! A small real OIDC issuer: discovery, a key set, tokens shaped like Keycloak's, true or forged.
//!
//! It listens on loopback on a port of its own, counts what it is asked, rotates keys, and can
//! be stopped, started again on the same port, slowed down or made to answer nonsense. It has no
//! log-in: tests make the tokens that they want by [`TestIssuer::token`].
mod key;
mod server;
mod token;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub use key::{Algorithm, TestKey};
pub use token::TestToken;

/// Path of the realm under the issuer's address.
const REALM: &str = "/realms/chat";

/// An issuer on loopback. Ends when dropped.
#[derive(Debug)]
pub struct TestIssuer {
    shared: Arc<Shared>,
    address: SocketAddr,
    running: Option<AbortHandle>,
}

/// What the server answers from.
#[derive(Debug)]
struct Shared {
    url: String,
    keys: Mutex<Vec<Arc<TestKey>>>,
    instead: Mutex<Option<(u16, String)>>,
    delay: Mutex<Duration>,
    jwks_fetches: AtomicU64,
    discoveries: AtomicU64,
}

impl TestIssuer {
    /// Starts an issuer with one ES256 key.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            url: format!("http://{address}{REALM}"),
            keys: Mutex::new(vec![Arc::new(TestKey::generate(Algorithm::Es256)?)]),
            instead: Mutex::default(),
            delay: Mutex::default(),
            jwks_fetches: AtomicU64::new(0),
            discoveries: AtomicU64::new(0),
        });
        let running = Some(server::spawn(listener, Arc::clone(&shared)));
        Ok(Self { shared, address, running })
    }

    /// Its URL, as in `iss`.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Where its key set lies.
    pub fn jwks_url(&self) -> String {
        format!("{}/certs", self.url())
    }

    /// Its current key set.
    pub fn jwks(&self) -> Value {
        self.shared.jwks()
    }

    /// A good access token for `name`, to be changed and signed.
    pub fn token(&self, name: &str) -> TestToken {
        TestToken::new(self.url(), name, self.key())
    }

    /// The key that signs now: the newest.
    pub fn key(&self) -> Arc<TestKey> {
        let keys = self.shared.keys.lock();
        keys.last().map(Arc::clone).unwrap_or_else(|| unreachable!("keys are only replaced"))
    }

    /// Adds a key that signs from now on; the older ones stay in the set.
    pub fn rotate(&self, algorithm: Algorithm) -> anyhow::Result<Arc<TestKey>> {
        let key = Arc::new(TestKey::generate(algorithm)?);
        self.publish(Arc::clone(&key));
        Ok(key)
    }

    /// Adds a key made elsewhere, the same way.
    pub fn publish(&self, key: Arc<TestKey>) {
        self.shared.keys.lock().push(key);
    }

    /// Takes every key but the newest out of the set.
    pub fn retire(&self) {
        let mut keys = self.shared.keys.lock();
        let old = keys.len() - 1;
        keys.drain(..old);
    }

    /// Answers `status` and `body` instead of the key set, until [`Self::answer_well`].
    pub fn answer_instead(&self, status: u16, body: impl Into<String>) {
        *self.shared.instead.lock() = Some((status, body.into()));
    }

    /// Answers the key set again, at once.
    pub fn answer_well(&self) {
        *self.shared.instead.lock() = None;
        *self.shared.delay.lock() = Duration::ZERO;
    }

    /// Waits before each answer.
    pub fn answer_late(&self, delay: Duration) {
        *self.shared.delay.lock() = delay;
    }

    /// How often the key set was asked for.
    pub fn jwks_fetches(&self) -> u64 {
        self.shared.jwks_fetches.load(Ordering::SeqCst)
    }

    /// How often the discovery document was asked for.
    pub fn discoveries(&self) -> u64 {
        self.shared.discoveries.load(Ordering::SeqCst)
    }

    /// Closes the port and every connection.
    pub async fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.abort();
        while !running.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    /// Listens again on the same port, with the same keys.
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        if self.running.is_none() {
            let listener =
                TcpListener::bind(self.address).await.context("the issuer's own port")?;
            self.running = Some(server::spawn(listener, Arc::clone(&self.shared)));
        }
        Ok(())
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }
}

impl Shared {
    fn jwks(&self) -> Value {
        json!({ "keys": self.keys.lock().iter().map(|key| key.jwk()).collect::<Vec<_>>() })
    }

    fn discovery(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/auth"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/certs"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        })
    }
}
