//! Composition of the auth service, and its trait.
//!
//! It starts whether or not its issuers and its database can be reached: what cannot be decided
//! meanwhile is `Unavailable`, and it recovers alone.
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Admission, Admitted, Credential, Decision, Error, ErrorReason, Grant, Principal, PrincipalId,
    Result, RoomName, Verified,
};
use rpc::Call;
use rpc::auth::{Auth, CreatedKey, KeyInfo, NewKey};
use secrecy::ExposeSecret;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api_key::{ApiKeys, store};
use crate::backend::Backend;
use crate::config::AuthConfig;
use crate::jwks::{KeyRing, Pace, key, refresh};
use crate::metrics;
use crate::oidc::KeySource;
use crate::token::own::{OwnTokens, nobody};
use crate::token::{TokenVerifier, Trusted};

/// Kept of a caller's time for the way back of the answer.
const WAY_BACK: Duration = Duration::from_millis(100);

/// The auth service.
pub struct AuthService {
    tokens: TokenVerifier,
    anonymous: bool,
    api_keys: Option<ApiKeys>,
    backend: Option<Backend>,
}

/// The key set of an issuer that lives in the same process: it is never fetched.
#[derive(Debug, Clone)]
pub struct GivenKeys {
    /// The issuer's URL, as it stands in the config.
    pub issuer: String,
    /// Its key set, JSON.
    pub jwks: String,
}

/// Starts the service. Its tasks end with `shutdown`.
///
/// Fails on a config that cannot work: a bad URL, a certificate or a SQLite file that cannot be read.
pub async fn start(
    config: AuthConfig,
    shutdown: CancellationToken,
) -> anyhow::Result<Arc<AuthService>> {
    start_with_keys(config, Vec::new(), shutdown).await
}

/// The same, with key sets that are known beforehand.
pub async fn start_with_keys(
    config: AuthConfig,
    given: Vec<GivenKeys>,
    shutdown: CancellationToken,
) -> anyhow::Result<Arc<AuthService>> {
    let pace = Pace {
        every: Duration::from_millis(config.jwks_refresh_ms),
        floor: Duration::from_millis(config.jwks_floor_ms),
    };
    let database = runtime::config::resolve(&config.database, &config.database_file)
        .context("auth.database")?;
    let api_keys = match database {
        None => {
            tracing::info!("no database is configured: there are no API keys");
            None
        }
        Some(url) => {
            let (url, most) = (url.expose_secret(), config.database_connections_max);
            let store = store::open(url, most, shutdown.clone()).await.context("auth.database")?;
            Some(ApiKeys::new(store))
        }
    };
    let timeout = config.fetch_timeout();
    let mut trusted = Vec::new();
    for issuer in config.issuers {
        let keys = match given.iter().find(|given| given.issuer == issuer.url) {
            Some(given) => {
                Arc::new(KeyRing::given(key::read(&given.jwks).context("the given key set")?))
            }
            None => {
                let source = KeySource::new(&issuer, timeout)
                    .with_context(|| format!("auth.issuers: {}", issuer.url))?;
                let ring = Arc::new(KeyRing::empty());
                let (name, shutdown) = (issuer.url.clone(), shutdown.clone());
                tokio::spawn(refresh(Arc::clone(&ring), source, pace, name, shutdown));
                ring
            }
        };
        trusted.push(Trusted { config: issuer, keys });
    }
    let anonymous = config.anonymous;
    if anonymous {
        tracing::warn!("auth.anonymous: who shows no token is let in too");
    }
    let own =
        OwnTokens::open(&config.tokens, config.leeway_ms, anonymous).context("auth.tokens")?;
    let backend = Backend::open(&config.backend).context("auth.backend")?;
    let tokens = TokenVerifier::new(trusted, own, config.leeway_ms / 1000);
    Ok(Arc::new(AuthService { tokens, anonymous, api_keys, backend }))
}

/// Until when somebody else may be asked, so that the answer is back in time.
fn way_there(call: &Call) -> Instant {
    call.deadline.0.checked_sub(WAY_BACK).unwrap_or(call.deadline.0)
}

impl AuthService {
    /// Whether the keys of every issuer are known.
    pub fn knows_keys(&self) -> bool {
        self.tokens.knows_keys()
    }

    fn api_keys(&self) -> Result<&ApiKeys> {
        let off = || {
            Error::new(ErrorReason::NotOffered, "there are no API keys here: auth has no database")
        };
        self.api_keys.as_ref().ok_or_else(off)
    }

    fn verify_nobody(&self) -> Result<Verified> {
        if !self.anonymous {
            return Err(Error::new(ErrorReason::InvalidCredential, "a token is needed"));
        }
        Ok(Verified { principal: nobody(), expires_at_ms: None, rooms: Vec::new() })
    }

    async fn verify_key(&self, text: &str) -> Result<Verified> {
        match &self.api_keys {
            Some(keys) => keys.verify(text).await,
            None => Err(Error::new(ErrorReason::InvalidCredential, "the API key is wrong")),
        }
    }
}

#[async_trait]
impl Auth for AuthService {
    async fn verify(&self, call: Call, credential: Credential) -> Result<Verified> {
        let began = Instant::now();
        let (kind, result) = match &credential {
            Credential::Bearer(token) => {
                ("token", self.tokens.verify(token, way_there(&call)).await)
            }
            Credential::ApiKey(text) => ("key", self.verify_key(text).await),
            Credential::Anonymous => ("anonymous", self.verify_nobody()),
        };
        metrics::verified(kind, &result, began.elapsed());
        result
    }

    async fn verify_subscription(
        &self,
        _: Call,
        principal: PrincipalId,
        room: RoomName,
        token: String,
    ) -> Result<Grant> {
        let began = Instant::now();
        let result = self.tokens.verify_subscription(&principal, &room, &token);
        metrics::verified("subscription", &result, began.elapsed());
        result
    }

    async fn admit(&self, call: Call, admission: Admission) -> Result<Decision<Admitted>> {
        // A token that something here can judge is judged here, and shown to nobody else.
        let token = admission.token.as_str();
        let asked = |backend: &&Backend| {
            backend.decides_connects() && (token.is_empty() || !self.tokens.can_judge(token))
        };
        let decision = match self.backend.as_ref().filter(asked) {
            Some(backend) => backend.admit(&admission, way_there(&call)).await?,
            None => Decision::Granted(self.verify(call, admission.credential()).await?),
        };
        let kinds = self.backend.as_ref().map(Backend::subscribe_kinds);
        let guarded_kinds = kinds.unwrap_or_default().to_vec();
        Ok(match decision {
            Decision::Granted(verified) => Decision::Granted(Admitted { verified, guarded_kinds }),
            Decision::Refused(refusal) => Decision::Refused(refusal),
        })
    }

    async fn authorise(
        &self,
        call: Call,
        principal: Principal,
        room: RoomName,
        data: Bytes,
    ) -> Result<Decision<Grant>> {
        let backend = self.backend.as_ref().ok_or_else(Error::denied)?;
        backend.authorise(&principal, &room, &data, way_there(&call)).await
    }

    async fn create_key(&self, _: Call, by: Principal, new: NewKey) -> Result<CreatedKey> {
        self.api_keys()?.create(&by, new).await
    }

    async fn list_keys(&self, _: Call, by: Principal) -> Result<Vec<KeyInfo>> {
        self.api_keys()?.list(&by).await
    }

    async fn revoke_key(&self, _: Call, by: Principal, key_id: String) -> Result<()> {
        self.api_keys()?.revoke(&by, &key_id).await
    }
}
