//! Where an issuer's keys come from: discovery and the key set, over HTTP, by openidconnect.
//!
//! Requests are bounded as `outgoing` says, and an answer has 1 MiB at most. It holds no cache:
//! `jwks` does.
use std::time::Duration;

use openidconnect::core::{CoreJsonWebKeySet, CoreProviderMetadata};
use openidconnect::{HttpRequest, HttpResponse, IssuerUrl, JsonWebKeySetUrl};
use reqwest::Url;

use crate::config::IssuerConfig;
use crate::outgoing::{self, is_allowed, with_causes};

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
        let asked = jwks_url.as_ref().map_or_else(|| url.url(), |jwks| jwks.url());
        let client = outgoing::client(asked, timeout, issuer.ca_file.as_deref(), 1)?;
        Ok(Self { client, issuer: url, jwks_url, plain_http: issuer.plain_http })
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
    let body = outgoing::body(&mut response, ANSWER_BYTES_MAX)
        .await
        .map_err(|error| FetchError::Transport(with_causes(&error)))?
        .ok_or(FetchError::TooLarge)?;
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
