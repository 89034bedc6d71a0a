//! Mutual TLS between the services: who this process is, and whom it believes.
//!
//! Each certificate says which service its holder is, by a DNS name that is the service's own:
//! `rooms.<domain>`. It has nothing to do with addresses, so pods may come and go under any of
//! them. A caller wants to see the name of the service that it calls; a port looks which services
//! its caller is, and admits those that have business there. TLS 1.3 alone. No sessions are
//! resumed: connections live for minutes, and each one shall show its certificate.
mod accept;
mod config;
mod connect;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use certificates::{Current, Pair, Place, provider};
use domain::{Error, ErrorReason, Result};
use rustls::client::{Resumption, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use config::RpcTlsConfig;

pub(crate) use accept::accept;
pub(crate) use connect::channel;

/// What both sides agree on beside TLS.
const ALPN: &[u8] = b"h2";

/// A service, as its certificate names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The auth service.
    Auth,
    /// A gateway.
    Gateway,
    /// The presence service.
    Presence,
    /// The rooms service.
    Rooms,
}

/// The services that the other side of a connection has proved to be.
#[derive(Debug, Clone)]
pub(crate) struct Peers(pub(crate) Arc<[Peer]>);

/// What a caller wants to see of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A service.
    Peer(Peer),
    /// The host of the address: for ports that others than services come to.
    Host,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Tls {
    config: RpcTlsConfig,
    side: Side,
}

#[derive(Debug)]
enum Side {
    /// A service: it shows a certificate and asks for one.
    Service { current: Arc<Current>, made: ArcSwapOption<Made>, _following: DropGuard },
    /// A caller of the admin port: its credential is in the call.
    Caller(Arc<ClientConfig>),
}

/// What is made of a pair.
#[derive(Debug)]
struct Made {
    pair: Arc<Pair>,
    client: Arc<ClientConfig>,
    /// Asks for a certificate.
    mutual: Arc<ServerConfig>,
    /// Believes a certificate, and takes callers without one.
    open: Arc<ServerConfig>,
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Auth, Self::Gateway, Self::Presence, Self::Rooms];

    /// As it stands in names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Gateway => "gateway",
            Self::Presence => "presence",
            Self::Rooms => "rooms",
        }
    }

    /// The DNS name in its certificates.
    pub fn name(self, domain: &str) -> String {
        format!("{}.{domain}", self.word())
    }
}

impl Tls {
    /// What a service shows and believes; `None` if the config has no files. To be called on the
    /// runtime that lives as long as the process: the files are followed there.
    pub(crate) fn of_service(config: &RpcTlsConfig) -> Result<Option<Self>> {
        let Some(paths) = config.paths() else { return Ok(None) };
        let current = Current::open(Place::Rpc, paths).map_err(|problem| bad(&problem))?;
        let stop = CancellationToken::new();
        let reload = Duration::from_millis(config.reload_ms);
        tokio::spawn(current.clone().follow(reload, stop.clone()));
        let side =
            Side::Service { current, made: ArcSwapOption::empty(), _following: stop.drop_guard() };
        let tls = Self { config: config.clone(), side };
        // What cannot be made is found now and not by the first connection.
        tls.client()?;
        Ok(Some(tls))
    }

    /// What a caller of the admin port believes.
    pub(crate) fn of_caller(authority: &Path) -> Result<Self> {
        let roots = certificates::authorities(authority).map_err(|problem| bad(&problem))?;
        let client = Side::Caller(client_config(Arc::new(roots), None)?);
        Ok(Self { config: RpcTlsConfig::default(), side: client })
    }

    /// What calls are made with now.
    fn client(&self) -> Result<Arc<ClientConfig>> {
        match &self.side {
            Side::Service { .. } => self.made().map(|made| made.client.clone()),
            Side::Caller(client) => Ok(client.clone()),
        }
    }

    /// What connections are accepted with now: `mutual`, or also from who shows nothing.
    fn server(&self, mutual: bool) -> Result<Arc<ServerConfig>> {
        let made = self.made()?;
        Ok(if mutual { made.mutual.clone() } else { made.open.clone() })
    }

    /// What is made of the pair that is current, made anew when that changed.
    fn made(&self) -> Result<Arc<Made>> {
        let Side::Service { current, made, .. } = &self.side else {
            return Err(bad(&"a caller has no certificate to serve with"));
        };
        let pair = current.pair();
        if let Some(made) = made.load_full()
            && Arc::ptr_eq(&made.pair, &pair)
        {
            return Ok(made);
        }
        let new = Arc::new(Made::of(pair)?);
        made.store(Some(new.clone()));
        Ok(new)
    }

    /// The services that a certificate names, in this process's domain.
    fn peers(&self, certificate: Option<&CertificateDer<'_>>) -> Peers {
        let named = certificate.map(|certificate| named(certificate, &self.config.domain));
        Peers(named.unwrap_or_default().into())
    }
}

/// The services of a domain that a certificate names.
fn named(certificate: &CertificateDer<'_>, domain: &str) -> Vec<Peer> {
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return Vec::new() };
    let is_named = |peer: &Peer| {
        let name = ServerName::try_from(peer.name(domain));
        name.is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
    };
    Peer::ALL.into_iter().filter(is_named).collect()
}

impl Made {
    fn of(pair: Arc<Pair>) -> Result<Self> {
        let roots = pair.authorities.clone().ok_or_else(|| bad(&"authority_file: is missing"))?;
        let own = pair.certified.clone();
        let client = client_config(roots.clone(), Some(&own))?;
        let mutual = server_config(&own, roots.clone(), true)?;
        let open = server_config(&own, roots, false)?;
        Ok(Self { pair, client, mutual, open })
    }
}

fn client_config(
    roots: Arc<RootCertStore>,
    own: Option<&CertifiedKey>,
) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| bad(&error))?
        .with_root_certificates(roots);
    let mut config = match own {
        Some(own) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own.clone())))
        }
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

fn server_config(
    own: &CertifiedKey,
    roots: Arc<RootCertStore>,
    mutual: bool,
) -> Result<Arc<ServerConfig>> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let verifier = if mutual { verifier } else { verifier.allow_unauthenticated() };
    let verifier = verifier.build().map_err(|error| bad(&error))?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| bad(&error))?;
    let mut config = builder
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own.clone())));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

fn bad(why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorReason::InvalidArgument, format!("rpc.tls: {why}"))
}
