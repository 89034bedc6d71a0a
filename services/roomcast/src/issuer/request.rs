//! An authorization request: read, checked, and answered by a redirect.
//!
//! Who asks and where the answer goes is checked first: while that is not right nobody is
//! redirected, so that the issuer cannot be used to send people elsewhere.
use reqwest::Url;
use serde::Deserialize;

use super::grant::is_verifier;
use super::{CLIENT_ID, DevIssuer};

/// Longest value of a parameter in bytes.
const VALUE_BYTES_MAX: usize = 2_048;

/// The parameters as they came; the form sends them back.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct AuthorizeRequest {
    response_type: String,
    client_id: String,
    pub(super) redirect_uri: String,
    scope: String,
    state: String,
    pub(super) nonce: String,
    pub(super) code_challenge: String,
    code_challenge_method: String,
    prompt: String,
    pub(super) login_hint: String,
    /// What was typed into the form.
    pub(super) name: Option<String>,
}

/// Why a request is not followed.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Told to the person: the client or its address is not known.
    Page(&'static str),
    /// Told to the client, by a redirect to it.
    Redirect(Url),
}

impl AuthorizeRequest {
    /// Checks the request; the URL is where the answer goes.
    pub(super) fn check(&self, issuer: &DevIssuer) -> Result<Url, Refusal> {
        if self.fields().iter().any(|(_, value)| value.len() > VALUE_BYTES_MAX) {
            return Err(Refusal::Page("A parameter of the request is too long."));
        }
        if self.client_id != CLIENT_ID {
            return Err(Refusal::Page("The client is not known here."));
        }
        let back = issuer
            .own_url(&self.redirect_uri)
            .ok_or(Refusal::Page("The client's address does not belong to this server."))?;
        let problem = if self.response_type != "code" {
            Some(("unsupported_response_type", "only the response type code"))
        } else if self.code_challenge_method != "S256" || !is_verifier(&self.code_challenge) {
            Some(("invalid_request", "PKCE with S256 is compulsory"))
        } else if !self.scope.split(' ').any(|scope| scope == "openid") {
            Some(("invalid_scope", "the scope openid is needed"))
        } else if self.prompt == "none" {
            Some(("login_required", "nobody stays signed in here"))
        } else {
            None
        };
        match problem {
            None => Ok(back),
            Some((error, text)) => {
                let answer = [("error", error), ("error_description", text)];
                Err(Refusal::Redirect(self.answer(back, issuer, &answer)))
            }
        }
    }

    /// `back` with the parameters of an answer.
    pub(super) fn answer(&self, mut back: Url, issuer: &DevIssuer, answer: &[(&str, &str)]) -> Url {
        {
            let mut query = back.query_pairs_mut();
            query.extend_pairs(answer).append_pair("iss", issuer.url());
            if !self.state.is_empty() {
                query.append_pair("state", &self.state);
            }
        }
        back
    }

    /// What the form has to send back.
    pub(super) fn fields(&self) -> [(&'static str, &str); 8] {
        [
            ("response_type", &self.response_type),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", &self.scope),
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("code_challenge", &self.code_challenge),
            ("code_challenge_method", &self.code_challenge_method),
        ]
    }
}
