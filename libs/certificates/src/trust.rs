//! Whom this process believes when it is the client: brokers, stores.
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use crate::files::Problem;
use crate::{authorities, provider};

/// What connections to servers of others are made with: TLS 1.2 or 1.3, no certificate of our own.
/// Believed are the authorities of a file or, without one, those of the system.
pub fn client(authority: Option<&Path>) -> Result<Arc<ClientConfig>, Problem> {
    let roots = match authority {
        Some(path) => authorities(path)?,
        None => system()?,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem::of_authority(error.to_string()))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// For libraries that take the process's crypto library and can be given none: makes ours the
/// process's. Called twice it changes nothing.
pub fn install() {
    // An error says that there is one already, and only this one is linked.
    let _already = aws_lc_rs::default_provider().install_default();
}

/// The system's authorities; those that cannot be read are as good as absent.
fn system() -> Result<RootCertStore, Problem> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "an authority of the system cannot be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = "is missing, and the system believes nobody";
        return Err(Problem::of_authority(why.to_owned()));
    }
    Ok(roots)
}
