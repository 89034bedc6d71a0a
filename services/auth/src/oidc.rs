//! Where an issuer's keys come from: discovery and the key set, over HTTP, by openidconnect.
//!
//! The HTTP client follows no redirect, waits a bounded time, reads at most 1 MiB and talks
//! HTTPS only, loopback excepted, so that neither a configuration nor an issuer's document
//! can send it elsewhere. It holds no cache: `jwks` does.
use std::time::Duration;

use openidconnect::core::{CoreJsonWebKeySet, CoreProviderMetadata};
use openidconnect::{HttpRequest, HttpResponse, IssuerUrl, JsonWebKeySetUrl};
use reqwest::Url;

use crate::config::IssuerConfig;

/// Most bytes that an answer of an issuer may have.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Why an issuer's keys could not be had. Never holds an answer's body.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL may not be asked.
    #[error("{0} is not asked: only https is, or http on loopback")]
    Forbidden(String),
    /// The request failed on its way.
    #[error("{0}")]
    Transport(String),
    /// The answer is too large.
    #[error("the answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    /// The issuer answered, but not with what was asked for.
    #[error("{0}")]
    Answer(String),
}

/// Fetches the key set of one issuer.
#[derive(Debug)]
pub struct KeySource {
    client: reqwest::Client,
    issuer: IssuerUrl,
    jwks_url: Option<JsonWebKeySetUrl>,
    plain_http: bool,
}

impl KeySource {
    /// Prepares the client for `issuer`; no request is made. `timeout` bounds each request.
    pub fn new(issuer: &IssuerConfig, timeout: Duration) -> anyhow::Result<Self> {
        let url = IssuerUrl::new(issuer.url.clone())?;
        let jwks_url = match issuer.jwks_url.as_str() {
            "" => None,
            text => Some(JsonWebKeySetUrl::new(text.to_owned())?),
        };
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(timeout)
            .timeout(timeout)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("roomcast-auth/", env!("CARGO_PKG_VERSION")));
        // A proxy of the environment would be asked to reach its own loopback, not ours.
        if is_loopback(jwks_url.as_ref().map_or_else(|| url.url(), |jwks| jwks.url())) {
            builder = builder.no_proxy();
        }
        if let Some(path) = &issuer.ca_file {
            let pem = std::fs::read(path)
                .map_err(|error| anyhow::anyhow!("ca_file {}: {error}", path.display()))?;
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem)?);
        }
        Ok(Self { client: builder.build()?, issuer: url, jwks_url, plain_http: issuer.plain_http })
    }

    /// Asks for the current key set: at its configured URL, else at the one that the issuer's
    /// discovery document names.
    pub async fn fetch(&self) -> Result<CoreJsonWebKeySet, FetchError> {
        let http = |request: HttpRequest| send(self.client.clone(), self.plain_http, request);
        if let Some(url) = &self.jwks_url {
            return CoreJsonWebKeySet::fetch_async(url, &http).await.map_err(plain);
        }
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &http)
            .await
            .map_err(plain)?;
        Ok(metadata.jwks().clone())
    }
}

/// Whether `url` may be asked for keys.
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

async fn send(
    client: reqwest::Client,
    plain_http: bool,
    request: HttpRequest,
) -> Result<HttpResponse, FetchError> {
    let request = reqwest::Request::try_from(request)
        .map_err(|error| FetchError::Transport(with_causes(&error)))?;
    if !is_allowed(request.url(), plain_http) {
        return Err(FetchError::Forbidden(origin(request.url())));
    }
    let mut response = client
        .execute(request)
        .await
        .map_err(|error| FetchError::Transport(with_causes(&error)))?;
    let mut answer = http::Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        headers.clone_from(response.headers());
    }
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| FetchError::Transport(with_causes(&error)))?
    {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    answer.body(body).map_err(|error| FetchError::Answer(error.to_string()))
}

/// The library's error without the answer's body.
fn plain(error: openidconnect::DiscoveryError<FetchError>) -> FetchError {
    use openidconnect::DiscoveryError as Error;
    match error {
        Error::Request(inner) => inner,
        Error::Response(status, _, message) => {
            FetchError::Answer(format!("answered {}: {message}", status.as_u16()))
        }
        Error::Parse(inner) => FetchError::Answer(format!("unreadable at {}", inner.path())),
        other => FetchError::Answer(other.to_string()),
    }
}

fn origin(url: &Url) -> String {
    format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())
}

fn with_causes(error: &dyn std::error::Error) -> String {
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
