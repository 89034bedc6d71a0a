//! `/docs` (Swagger UI) and `/redoc` (ReDoc): the HTTP side to read and to try, without a network.
//!
//! The two programs lie in `web/dist-docs`, put there by the web build, and are embedded in release
//! builds. A gateway that was built without them says so. Each page has a policy of its own that
//! lets in its own script and nothing from elsewhere.
use std::borrow::Cow;

use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use rust_embed::RustEmbed;

use super::{ApiError, HttpState, resource};

#[derive(RustEmbed)]
#[folder = "../../web/dist-docs/"]
#[allow_missing = true]
struct Embedded;

/// Where the files come from: a name such as `swagger-ui.css` to its bytes.
#[derive(Debug, Clone, Copy)]
pub struct DocsFiles(pub fn(&str) -> Option<Cow<'static, [u8]>>);

impl DocsFiles {
    /// Those of this binary; in debug builds those that lie in the folder now.
    pub fn embedded() -> Self {
        Self(|name| Embedded::get(name).map(|file| file.data))
    }

    fn get(self, name: &str) -> Option<Cow<'static, [u8]>> {
        (self.0)(name)
    }
}

const SWAGGER_CSS: &str = "swagger-ui.css";
const SWAGGER_SCRIPT: &str = "swagger-ui-bundle.js";
const REDOC_SCRIPT: &str = "redoc.standalone.js";

/// Files that are served, with their types.
const SERVED: [(&str, &str); 3] = [
    (SWAGGER_CSS, "text/css; charset=utf-8"),
    (SWAGGER_SCRIPT, "text/javascript; charset=utf-8"),
    (REDOC_SCRIPT, "text/javascript; charset=utf-8"),
];

/// Starts Swagger UI. A file of its own, because the policy takes no script from within the page.
const SWAGGER_START: &str = "SwaggerUIBundle({ url: '/openapi.json', dom_id: '#page', \
    deepLinking: true, validatorUrl: null, persistAuthorization: false });\n";
/// Starts ReDoc.
const REDOC_START: &str = "Redoc.init('/openapi.json', { disableSearch: false, hideLoading: true }, \
    document.getElementById('page'));\n";

const SWAGGER_PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>roomcast HTTP API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"#;

const REDOC_PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>roomcast HTTP API</title>
</head>
<body>
<div id="page"></div>
<script src="/redoc/redoc.standalone.js"></script>
<script src="/redoc/start.js"></script>
</body>
</html>
"#;

/// Both programs set styles from their scripts; calls go to this gateway alone.
const SWAGGER_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// ReDoc searches in a worker that it makes of its own text.
const REDOC_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src blob:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

const MISSING: &str = "This gateway was built without its documentation pages.\n\
    The description itself is at /openapi.json.\n\
    To have the pages, run `npm ci && npm run build` in web/ before building.\n";

pub(super) fn routes(services: &mut ServiceConfig) {
    services
        .service(resource("/docs", web::get().to(swagger)))
        .service(resource("/docs/start.js", web::get().to(swagger_start)))
        .service(resource("/docs/{file}", web::get().to(file)))
        .service(resource("/redoc", web::get().to(redoc)))
        .service(resource("/redoc/start.js", web::get().to(redoc_start)))
        .service(resource("/redoc/{file}", web::get().to(file)));
}

async fn swagger(http: web::Data<HttpState>) -> impl Responder {
    page(http.docs, &[SWAGGER_SCRIPT, SWAGGER_CSS], SWAGGER_PAGE, SWAGGER_POLICY)
}

async fn redoc(http: web::Data<HttpState>) -> impl Responder {
    page(http.docs, &[REDOC_SCRIPT], REDOC_PAGE, REDOC_POLICY)
}

async fn swagger_start() -> impl Responder {
    script(SWAGGER_START)
}

async fn redoc_start() -> impl Responder {
    script(REDOC_START)
}

async fn file(
    name: web::Path<String>,
    http: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let served = SERVED.iter().find(|(served, _)| *served == name.as_str());
    let (name, content_type) = served.ok_or_else(ApiError::not_found)?;
    let bytes = http.docs.get(name).ok_or_else(ApiError::not_found)?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, *content_type))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"));
    Ok(match bytes {
        Cow::Borrowed(bytes) => response.body(bytes),
        Cow::Owned(bytes) => response.body(bytes),
    })
}

fn page(docs: DocsFiles, needs: &[&str], html: &'static str, policy: &'static str) -> HttpResponse {
    if needs.iter().any(|name| docs.get(name).is_none()) {
        let plain = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
        return HttpResponse::ServiceUnavailable().insert_header(plain).body(MISSING);
    }
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(html)
}

fn script(text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/javascript; charset=utf-8"))
        .body(text)
}
