//! The auth service: proves access tokens, tokens for rooms, and API keys.
//!
//! Tokens are verified offline against the key sets of configured issuers or the operator's own
//! keys; API keys against a store of its own. It holds no passwords, no sessions and no rule about rooms.
//! Whatever keeps it from deciding is `Unavailable`; only proof makes a credential bad.
pub mod api_key;
pub mod app;
mod backend;
pub mod config;
pub mod doctor;
mod grant;
pub mod jwks;
mod metrics;
pub mod oidc;
mod outgoing;
pub mod role;
pub mod token;

pub use app::{AuthService, GivenKeys, start, start_with_keys};
pub use config::{AuthConfig, BackendConfig, IssuerConfig, TokensConfig};
