//! Requests that this service makes: to issuers, and to the operator's own backend.
//!
//! No redirect is followed, every wait and every answer is bounded, and only HTTPS is spoken,
//! loopback excepted, so that neither a configuration nor an answer can send a request elsewhere.
use std::path::Path;
use std::time::Duration;

use reqwest::Url;

/// A client for requests to `url`, each of which may take `timeout`; `ca_file` names more
/// authorities to believe. No request is made.
pub fn client(
    url: &Url,
    timeout: Duration,
    ca_file: Option<&Path>,
    idle_max: usize,
) -> anyhow::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(timeout)
        .timeout(timeout)
        .pool_max_idle_per_host(idle_max)
        .user_agent(concat!("roomcast-auth/", env!("CARGO_PKG_VERSION")));
    // A proxy of the environment would be asked to reach its own loopback, not ours.
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    if let Some(path) = ca_file {
        let pem = std::fs::read(path)
            .map_err(|error| anyhow::anyhow!("ca_file {}: {error}", path.display()))?;
        builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem)?);
    }
    Ok(builder.build()?)
}

/// Whether `url` may be asked.
pub fn is_allowed(url: &Url, plain_http: bool) -> bool {
    match url.scheme() {
        "https" => url.host_str().is_some(),
        "http" => plain_http || is_loopback(url),
        _ => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An answer's body; `None` if it has more than `bytes_max`.
pub async fn body(
    response: &mut reqwest::Response,
    bytes_max: usize,
) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > bytes_max {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// An error with everything behind it.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str) -> bool {
        is_allowed(&Url::parse(text).unwrap(), false)
    }

    #[test]
    fn only_https_and_loopback_are_asked() {
        for good in [
            "https://id.example/realms/chat",
            "http://127.0.0.1:8080/x",
            "http://127.9.9.9/x",
            "http://[::1]:1/x",
            "http://localhost/x",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in [
            "http://id.example/x",
            "http://169.254.169.254/latest",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "http://evil.example/#localhost",
            "http://localhost@evil.example/",
            "file:///etc/passwd",
            "ftp://127.0.0.1/x",
            "data:application/json,{}",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
        assert!(is_allowed(&Url::parse("http://keycloak:8080/x").unwrap(), true));
        assert!(!is_allowed(&Url::parse("file:///etc/passwd").unwrap(), true));
    }
}
