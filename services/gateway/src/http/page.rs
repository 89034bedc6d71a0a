//! The chat page, in processes that serve it themselves; and the answer to every other path.
//!
//! Where the page comes from is not known here: who has it gives it as a [`Page`]. Files under
//! `/assets/` have their hash in the name and may be kept for ever, the rest is asked for again.
use std::borrow::Cow;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};

use super::{ApiError, HttpState};

/// One file.
#[derive(Debug, Clone)]
pub struct PageFile {
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Its `Content-Type`.
    pub content_type: String,
    /// Its entity tag, quotes included.
    pub etag: String,
}

/// A page's files.
pub trait Page: Send + Sync + 'static {
    /// The file at a path such as `/assets/index-4f2a.js`; `/` is not asked for, `/index.html` is.
    fn file(&self, path: &str) -> Option<PageFile>;

    /// The page's own Content-Security-Policy.
    fn content_security_policy(&self) -> String;
}

/// Answers every path that no route has.
pub async fn fallback(
    request: HttpRequest,
    http: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let path = match request.path() {
        "/" => "/index.html",
        path => path,
    };
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let page = http.page.as_ref().filter(|_| reading);
    if let Some((page, file)) = page.and_then(|page| page.file(path).map(|file| (page, file))) {
        return Ok(answer(&request, page.as_ref(), path, file));
    }
    if path == "/favicon.ico" && reading {
        let forever = (header::CACHE_CONTROL, "public, max-age=86400");
        return Ok(HttpResponse::NoContent().insert_header(forever).finish());
    }
    Err(ApiError::not_found())
}

fn answer(request: &HttpRequest, page: &dyn Page, path: &str, file: PageFile) -> HttpResponse {
    let caching = if path.starts_with("/assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = request.headers().get(header::IF_NONE_MATCH);
    let known = known.is_some_and(|tag| tag.as_bytes() == file.etag.as_bytes());
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header((header::ETAG, file.etag))
        .insert_header((header::CONTENT_SECURITY_POLICY, page.content_security_policy()));
    if known {
        return response.finish();
    }
    response.insert_header((header::CONTENT_TYPE, file.content_type));
    match file.bytes {
        Cow::Borrowed(bytes) => response.body(bytes),
        Cow::Owned(bytes) => response.body(bytes),
    }
}
