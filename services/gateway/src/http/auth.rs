//! Credentials of API calls: `Authorization: Bearer` or `X-API-Key`, never the query.
use std::future::{Ready, ready};

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev};
use domain::{Credential, Error, ErrorReason, Principal, Verified};

use super::ApiError;

/// The header of an API key.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Longest credential that auth is asked about.
const CREDENTIAL_BYTES_MAX: usize = 8 * 1024;

/// Who makes a call. Only handlers behind the gate can take it.
#[derive(Debug, Clone)]
pub struct Caller(pub Verified);

impl Caller {
    /// The principal.
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(request.extensions().get::<Verified>().cloned().map(Self).ok_or_else(missing))
    }
}

/// The one credential of a request.
pub fn credential(headers: &HeaderMap) -> Result<Credential, ApiError> {
    let token = one(headers, &header::AUTHORIZATION)?;
    let key = one(headers, &API_KEY)?;
    match (token, key) {
        (Some(value), None) => {
            let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
            let token = token.trim();
            if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
                return Err(bad("the Authorization header holds no bearer token"));
            }
            Ok(Credential::Bearer(token.to_owned()))
        }
        (None, Some(key)) => Ok(Credential::ApiKey(key.to_owned())),
        (None, None) => Err(missing()),
        (Some(_), Some(_)) => Err(bad("either a bearer token or an API key, not both")),
    }
}

/// A header's value, if it is there; more than one is an error.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name);
    let value = values.next().map(HeaderValue::to_str);
    match (value, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) if !value.is_empty() && value.len() <= CREDENTIAL_BYTES_MAX => {
            Ok(Some(value))
        }
        _ => Err(bad("malformed credential")),
    }
}

fn missing() -> ApiError {
    bad("a bearer token or an API key is needed")
}

fn bad(message: &str) -> ApiError {
    Error::new(ErrorReason::InvalidCredential, message).into()
}
