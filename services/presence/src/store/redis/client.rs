//! The client library's view of an address: where Redis is, and whom a TLS connection believes.
use anyhow::Context as _;
use redis::{Client, ConnectionAddr, TlsCertificates};

use crate::config::PresenceConfig;

/// A client for `url`; connects to nothing. Errors name the config's key, and never the address.
pub(crate) fn client(url: &str, config: &PresenceConfig) -> anyhow::Result<Client> {
    // The library takes the process's crypto library.
    certificates::install();
    // Its errors may quote the address.
    let client =
        Client::open(url).map_err(|_| anyhow::anyhow!("store: not the address of a Redis"))?;
    let info = client.get_connection_info();
    let Some(file) = &config.authority_file else { return Ok(client) };
    if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        return Ok(client);
    }
    let authority = std::fs::read(file);
    let authority = authority.with_context(|| format!("authority_file: {}", file.display()))?;
    let believed = TlsCertificates { client_tls: None, root_cert: Some(authority) };
    Client::build_with_tls(info.clone(), believed).context("authority_file")
}
