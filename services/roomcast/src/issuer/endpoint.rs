//! The issuer's HTTP endpoints, on the gateway's server under [`super::PATH`].
//!
//! Documents for machines, a form for people, tokens for the page. Answers with tokens are never
//! stored; errors are those of RFC 6749. The token endpoint takes forms from our own origin alone,
//! since no other origin gets a CORS header.
use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{self, Data, Form, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::claims::{Identity, TokenKind};
use super::grant::{CodeGrant, Session};
use super::request::{AuthorizeRequest, Refusal};
use super::{ACCESS_TTL_S, CLIENT_ID, DevIssuer, PATH};

const FORM_BYTES_MAX: usize = 32 * 1024;

/// Adds the issuer to a server.
pub fn configure(cfg: &mut web::ServiceConfig, issuer: Arc<DevIssuer>) {
    cfg.service(
        web::scope(PATH)
            .app_data(Data::from(issuer))
            .app_data(web::FormConfig::default().limit(FORM_BYTES_MAX))
            .route("/.well-known/openid-configuration", web::get().to(discovery))
            .route("/jwks", web::get().to(jwks))
            .route("/authorize", web::get().to(ask))
            .route("/authorize", web::post().to(sign_in))
            .route("/token", web::post().to(token))
            .route("/logout", web::get().to(log_out))
            .route("/logout", web::post().to(log_out_by_form)),
    );
}

async fn discovery(issuer: Data<DevIssuer>) -> HttpResponse {
    HttpResponse::Ok().json(issuer.discovery())
}

async fn jwks(issuer: Data<DevIssuer>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(issuer.jwks())
}

async fn ask(issuer: Data<DevIssuer>, request: Query<AuthorizeRequest>) -> HttpResponse {
    match request.check(&issuer) {
        Ok(_) => form(&issuer, &request, &request.login_hint, None),
        Err(refusal) => refuse(&issuer, refusal),
    }
}

async fn sign_in(
    issuer: Data<DevIssuer>,
    http: HttpRequest,
    request: Form<AuthorizeRequest>,
) -> HttpResponse {
    if !comes_from_us(&issuer, &http) {
        let page = issuer.pages.sentence("Not signed in", "The form was sent from another place.");
        return html(&issuer, HttpResponse::Forbidden(), page);
    }
    let back = match request.check(&issuer) {
        Ok(back) => back,
        Err(refusal) => return refuse(&issuer, refusal),
    };
    let typed = request.name.as_deref().unwrap_or_default();
    let Some(identity) = Identity::new(typed, &[]) else {
        return form(&issuer, &request, typed, Some("A name has 1 to 64 characters."));
    };
    let grant = CodeGrant {
        identity,
        redirect_uri: request.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        nonce: (!request.nonce.is_empty()).then(|| request.nonce.clone()),
    };
    let issued = issuer.grants.lock().issue_code(grant, Instant::now());
    match issued {
        Ok(code) => see_other(request.answer(back, &issuer, &[("code", &code)]).as_str()),
        Err(error) => failed(&error),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TokenRequest {
    grant_type: String,
    client_id: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
    refresh_token: String,
}

async fn token(issuer: Data<DevIssuer>, request: Form<TokenRequest>) -> HttpResponse {
    if request.client_id != CLIENT_ID {
        return oauth_error("invalid_client", "the client is not known here");
    }
    let now = Instant::now();
    let granted = match request.grant_type.as_str() {
        "authorization_code" => {
            let TokenRequest { code, redirect_uri, code_verifier, .. } = &*request;
            issuer.grants.lock().redeem_code(code, redirect_uri, code_verifier, now)
        }
        "refresh_token" => issuer.grants.lock().refresh(&request.refresh_token, now),
        _ => return oauth_error("unsupported_grant_type", "authorization_code or refresh_token"),
    };
    match granted {
        Ok(Some((session, refresh_token))) => match tokens(&issuer, &session, &refresh_token) {
            Ok(body) => {
                HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
            }
            Err(error) => failed(&error),
        },
        Ok(None) => oauth_error("invalid_grant", "it is wrong, was used, or has ended"),
        Err(error) => failed(&error),
    }
}

fn tokens(issuer: &DevIssuer, session: &Session, refresh_token: &str) -> anyhow::Result<Value> {
    let Session { identity, sid, nonce } = session;
    let nonce = nonce.as_deref().map_or(Value::Null, Value::from);
    let sign = |kind, nonce| issuer.sign(kind, identity, sid, ACCESS_TTL_S, nonce);
    Ok(json!({
        "access_token": sign(TokenKind::Access, Value::Null)?,
        "id_token": sign(TokenKind::Id, nonce)?,
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "expires_in": ACCESS_TTL_S,
        "scope": "openid profile",
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LogOutRequest {
    id_token_hint: String,
    post_logout_redirect_uri: String,
    state: String,
}

async fn log_out(issuer: Data<DevIssuer>, request: Query<LogOutRequest>) -> HttpResponse {
    end_session(&issuer, &request)
}

async fn log_out_by_form(issuer: Data<DevIssuer>, request: Form<LogOutRequest>) -> HttpResponse {
    end_session(&issuer, &request)
}

fn end_session(issuer: &DevIssuer, request: &LogOutRequest) -> HttpResponse {
    // Only who holds a token of the session may end it; without one there is nothing to end here.
    let claims = issuer.key.read(&request.id_token_hint, issuer.url(), CLIENT_ID);
    if let Some(sid) = claims.as_ref().and_then(|claims| claims["sid"].as_str()) {
        issuer.grants.lock().end(sid);
    }
    if request.post_logout_redirect_uri.is_empty() {
        let page = issuer.pages.sentence("Signed out", "You may close this page.");
        return html(issuer, HttpResponse::Ok(), page);
    }
    match issuer.own_url(&request.post_logout_redirect_uri) {
        Some(mut back) => {
            if !request.state.is_empty() {
                back.query_pairs_mut().append_pair("state", &request.state);
            }
            see_other(back.as_str())
        }
        None => {
            let text = "The address to go back to does not belong to this server.";
            html(issuer, HttpResponse::BadRequest(), issuer.pages.sentence("Signed out", text))
        }
    }
}

/// A browser says where a form was sent from; other clients say nothing.
fn comes_from_us(issuer: &DevIssuer, http: &HttpRequest) -> bool {
    let mut origins = http.headers().get_all(header::ORIGIN);
    origins.all(|origin| origin.as_bytes() == issuer.origin.as_bytes())
}

fn form(
    issuer: &DevIssuer,
    request: &AuthorizeRequest,
    name: &str,
    problem: Option<&str>,
) -> HttpResponse {
    let answer = if problem.is_some() { HttpResponse::BadRequest() } else { HttpResponse::Ok() };
    html(issuer, answer, issuer.pages.sign_in(&request.fields(), name, problem))
}

fn refuse(issuer: &DevIssuer, refusal: Refusal) -> HttpResponse {
    match refusal {
        Refusal::Redirect(back) => see_other(back.as_str()),
        Refusal::Page(text) => {
            let page = issuer.pages.sentence("Not signed in", text);
            html(issuer, HttpResponse::BadRequest(), page)
        }
    }
}

fn html(
    issuer: &DevIssuer,
    mut answer: actix_web::HttpResponseBuilder,
    page: String,
) -> HttpResponse {
    answer
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, issuer.pages.policy()))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        // Not `no-referrer`: with it browsers would hide the form's own origin.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(page)
}

fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

fn oauth_error(error: &str, description: &str) -> HttpResponse {
    HttpResponse::BadRequest()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({ "error": error, "error_description": description }))
}

fn failed(error: &anyhow::Error) -> HttpResponse {
    tracing::error!(%error, "the development issuer failed");
    HttpResponse::InternalServerError().json(json!({ "error": "server_error" }))
}
