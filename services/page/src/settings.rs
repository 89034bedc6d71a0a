//! What the page must be told, and what its browser may do: out of two variables.
//!
//! Both end up in files that nginx reads, so the issuer must be a plain URL and nothing in it may
//! mean anything to nginx or to a policy.
use std::path::Path;

use anyhow::{Context, bail, ensure};
use http::Uri;
use serde_json::json;

/// The page's settings, checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    issuer: String,
    client_id: String,
    /// The issuer's origin: whom the page may ask besides its own server.
    origin: String,
}

impl Settings {
    /// Takes them from variables.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let given = |name: &str| {
            let text = variable(name).filter(|text| !text.is_empty());
            text.with_context(|| format!("{name} is not set"))
        };
        let issuer = given("ROOMCAST_PAGE_ISSUER")?;
        let client_id = given("ROOMCAST_PAGE_CLIENT_ID")?;
        let origin = origin(&issuer).context("ROOMCAST_PAGE_ISSUER")?;
        Ok(Self { issuer, client_id, origin })
    }

    /// Writes `config.json` and `policy.conf` into a folder, which is made if it is not there.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        let settings =
            json!({ "issuer": self.issuer, "client_id": self.client_id, "version": version });
        let policy = self.policy();
        let header = format!("add_header Content-Security-Policy \"{policy}\" always;\n");
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        for (name, text) in [("config.json", settings.to_string()), ("policy.conf", header)] {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// The page talks to its own server and to the issuer, and takes nothing from elsewhere.
    fn policy(&self) -> String {
        let origin = &self.origin;
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             font-src 'self'; manifest-src 'self'; connect-src 'self' {origin}; \
             frame-src 'self' {origin}; form-action 'self' {origin}; base-uri 'none'; \
             frame-ancestors 'none'"
        )
    }
}

/// `https://id.example.com:8443/realms/chat` -> `https://id.example.com:8443`.
fn origin(issuer: &str) -> anyhow::Result<String> {
    let uri: Uri = issuer.parse().context("no URL")?;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority())
    else {
        bail!("not a URL as https://id.example.com/realms/chat");
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    ensure!(authority.as_str().chars().all(plain), "its host has other characters than a host's");
    Ok(format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(issuer: &str) -> anyhow::Result<Settings> {
        Settings::read(|name| match name {
            "ROOMCAST_PAGE_ISSUER" => Some(issuer.to_owned()),
            _ => Some("frontend".to_owned()),
        })
    }

    #[test]
    fn the_page_is_told_its_issuer_and_may_ask_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = of("https://id.example.com:8443/realms/chat").unwrap();
        settings.write(&folder.path().join("new")).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join("new").join(name));
        let config: serde_json::Value =
            serde_json::from_str(&read("config.json").unwrap()).unwrap();
        assert_eq!(config["issuer"], "https://id.example.com:8443/realms/chat");
        assert_eq!(config["client_id"], "frontend");
        let policy = read("policy.conf").unwrap();
        assert!(policy.contains("connect-src 'self' https://id.example.com:8443;"), "{policy}");
    }

    #[test]
    fn what_is_no_plain_url_is_refused() {
        for bad in ["", "id.example.com", "ftp://id", "https://a\";b/", "https://u:p@id/", "/x"] {
            assert!(of(bad).is_err(), "{bad}");
        }
        assert!(Settings::read(|_| None).is_err());
    }
}
