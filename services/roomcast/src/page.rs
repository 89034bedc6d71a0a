//! The page, embedded: what `web/dist` held when this binary was built, and its settings.
//!
//! A build without the page still serves chat to SDKs, and says in plain text how to get one.
//! A debug build reads the folder each time, so that a page built later shows without a rebuild.
use std::borrow::Cow;

use gateway::http::{Page, PageFile};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde_json::json;

/// Where the page asks for its settings.
const SETTINGS_PATH: &str = "/config.json";
const INDEX_PATH: &str = "/index.html";
/// What stands where the page would.
const WITHOUT_PAGE: &str = "roomcast is running, but this build has no page in it.\n\
    Build the page and the binary by `cargo xtask up`, or connect an SDK to /ws.\n";

#[derive(RustEmbed)]
#[folder = "../../web/dist/"]
#[allow_missing = true]
struct Dist;

/// The page of one installation.
pub struct EmbeddedPage {
    settings: Vec<u8>,
    policy: String,
}

impl EmbeddedPage {
    /// The page for users of an issuer, whose client at the issuer is `client_id`.
    pub fn new(issuer: &str, client_id: &str, version: &str) -> Self {
        let settings = json!({ "issuer": issuer, "client_id": client_id, "version": version });
        let origin = reqwest::Url::parse(issuer).map(|url| url.origin().ascii_serialization());
        let origin = origin.unwrap_or_default();
        // The page talks to its own server and to the issuer, and takes nothing from elsewhere.
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             font-src 'self'; manifest-src 'self'; connect-src 'self' {origin}; \
             frame-src 'self' {origin}; form-action 'self' {origin}; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        Self { settings: settings.to_string().into_bytes(), policy }
    }
}

impl Page for EmbeddedPage {
    fn file(&self, path: &str) -> Option<PageFile> {
        if path == SETTINGS_PATH {
            let bytes = Cow::Owned(self.settings.clone());
            return Some(made(bytes, "application/json"));
        }
        match Dist::get(path.strip_prefix('/')?) {
            Some(file) => Some(embedded(file)),
            None if path == INDEX_PATH => {
                Some(made(Cow::Borrowed(WITHOUT_PAGE.as_bytes()), "text/plain; charset=utf-8"))
            }
            None => None,
        }
    }

    fn content_security_policy(&self) -> String {
        self.policy.clone()
    }
}

fn embedded(file: EmbeddedFile) -> PageFile {
    let kind = file.metadata.mimetype();
    let content_type =
        if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() };
    let hash = file.metadata.sha256_hash();
    PageFile { bytes: file.data, content_type, etag: tag(&hash) }
}

fn made(bytes: Cow<'static, [u8]>, kind: &str) -> PageFile {
    use sha2::Digest;
    let etag = tag(&sha2::Sha256::digest(&bytes));
    PageFile { bytes, content_type: kind.to_owned(), etag }
}

/// An entity tag of a content's hash.
fn tag(hash: &[u8]) -> String {
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_name_the_issuer_and_the_policy_lets_it_be_asked() {
        let page = EmbeddedPage::new("https://id.example.com/realms/chat", "frontend", "1.2.3");
        let file = page.file("/config.json").unwrap();
        let settings: serde_json::Value = serde_json::from_slice(&file.bytes).unwrap();
        assert_eq!(settings["issuer"], "https://id.example.com/realms/chat");
        assert_eq!(settings["client_id"], "frontend");
        assert!(
            page.content_security_policy().contains("connect-src 'self' https://id.example.com;")
        );
        assert_eq!(file.etag.len(), 34);
    }

    #[test]
    fn there_is_always_something_at_the_root_and_nothing_above_it() {
        let page = EmbeddedPage::new("http://localhost:8080/dev-issuer", "frontend", "1");
        assert!(page.file("/index.html").is_some());
        for path in ["/../Cargo.toml", "/../../Cargo.toml", "//etc/passwd", "/no-such-file"] {
            assert!(page.file(path).is_none(), "{path}");
        }
    }
}
