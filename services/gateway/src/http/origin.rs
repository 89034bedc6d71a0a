//! Which pages may open sockets and call the API.
//!
//! Exact comparison with a list, or with the request's own host when the list is empty: no
//! substrings, no patterns. A request without an `Origin` comes from no page and is let in; `null`
//! never is. No cookie is read anywhere, so this is the second fence against foreign pages.
use std::collections::HashSet;

use actix_web::http::header::{self, HeaderMap, HeaderValue};

use super::HttpConfig;

/// The list.
#[derive(Debug, Clone)]
pub struct Origins {
    allowed: HashSet<String>,
    any: bool,
}

impl Origins {
    /// The list of a config.
    pub fn new(config: &HttpConfig) -> Self {
        Self {
            allowed: config.allowed_origins.iter().cloned().collect(),
            any: config.dev_allow_any_origin,
        }
    }

    /// Whether a request with these headers may go on.
    pub fn admit(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN);
        match (origins.next(), origins.next()) {
            (None, _) => true,
            (Some(origin), None) => self.allows(origin, headers),
            // Two of them: whoever sends that hopes that we look at the other one.
            (Some(_), Some(_)) => false,
        }
    }

    /// Whether pages of `origin` may talk to the host that the headers name.
    pub fn allows(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        if origin == "null" {
            return false;
        }
        if self.any {
            return true;
        }
        if self.allowed.is_empty() {
            same_origin(origin, headers)
        } else {
            self.allowed.contains(origin)
        }
    }
}

/// Whether the page was served by the host that is called. The scheme is not compared: a proxy in
/// front may have ended TLS.
fn same_origin(origin: &str, headers: &HeaderMap) -> bool {
    let of_page = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let mut hosts = headers.get_all(header::HOST);
    match (of_page, hosts.next().map(HeaderValue::to_str), hosts.next()) {
        (Some(of_page), Some(Ok(host)), None) => !host.is_empty() && of_page == host,
        _ => false,
    }
}

/// Whether an entry of the list is an origin in the form in which browsers send it.
pub fn check_entry(text: &str) -> Result<(), &'static str> {
    if text == "*" {
        return Err("`*` is not taken; dev_allow_any_origin lets every page in, for development");
    }
    if text == "null" {
        return Err("`null` is the origin of any sandboxed page and is never taken");
    }
    let Some((scheme, host)) = text.split_once("://") else {
        return Err("not an origin, as https://chat.example.com");
    };
    let plain = |text: &str, more: &str| {
        !text.is_empty()
            && text.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || more.as_bytes().contains(&b)
            })
    };
    if !plain(scheme, "+.-") || !plain(host, ".-_:[]") {
        return Err("an origin is scheme://host[:port] in lower case, without a path or a pattern");
    }
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return Ok(()),
    };
    if host.ends_with(default_port) { Err("browsers leave the default port out") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: &[u8], host: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        headers.append(header::ORIGIN, HeaderValue::from_bytes(origin).unwrap());
        headers
    }

    fn listed(list: &[&str]) -> Origins {
        let allowed_origins = list.iter().map(|&text| text.to_owned()).collect();
        Origins::new(&HttpConfig { allowed_origins, ..HttpConfig::default() })
    }

    /// None of these is `https://chat.example.com` or `http://localhost:5173`.
    const FOREIGN: [&str; 30] = [
        "null",
        "",
        "*",
        "https://",
        "chat.example.com",
        "//chat.example.com",
        "http://chat.example.com",
        "HTTPS://chat.example.com",
        "https://Chat.example.com",
        "https://CHAT.EXAMPLE.COM",
        "https://chat.example.com:443",
        "https://chat.example.com:8443",
        "https://chat.example.com/",
        "https://chat.example.com/path",
        "https://chat.example.com.",
        "https://chat.example.com.evil.com",
        "https://chat.example.comevil.com",
        "https://evil.com/https://chat.example.com",
        "https://evil-chat.example.com",
        "https://evilchat.example.com",
        "https://a.chat.example.com",
        "https://example.com",
        "https://chat.example.co",
        "https://chat.example.com@evil.com",
        "https://chat.example.com%2eevil.com",
        "https://chat.example.com https://evil.com",
        "https://xn--cht-5na.example.com",
        "https://ch\u{0430}t.example.com",
        "http://localhost",
        "http://localhost:51730",
    ];

    #[test]
    fn only_what_is_listed_is_let_in() {
        let origins = listed(&["https://chat.example.com", "http://localhost:5173"]);
        for foreign in FOREIGN {
            let headers = headers(foreign.as_bytes(), "chat.example.com");
            assert!(!origins.admit(&headers), "{foreign:?} was let in");
        }
        for good in ["https://chat.example.com", "http://localhost:5173"] {
            assert!(origins.admit(&headers(good.as_bytes(), "gateway:8080")), "{good}");
        }
    }

    #[test]
    fn an_empty_list_means_the_same_host() {
        let origins = listed(&[]);
        for (origin, host, same) in [
            ("https://chat.example.com", "chat.example.com", true),
            ("http://localhost:8080", "localhost:8080", true),
            ("http://[::1]:8080", "[::1]:8080", true),
            ("http://localhost:5173", "localhost:8080", false),
            ("http://localhost", "localhost:8080", false),
            ("https://evil.com", "chat.example.com", false),
            ("null", "null", false),
            ("null", "chat.example.com", false),
            ("https://", "", false),
            ("ftp://chat.example.com", "chat.example.com", false),
        ] {
            assert_eq!(
                origins.admit(&headers(origin.as_bytes(), host)),
                same,
                "{origin} at {host}"
            );
        }
    }

    #[test]
    fn a_second_origin_or_host_is_refused() {
        let mut twice = headers(b"https://chat.example.com", "chat.example.com");
        twice.append(header::ORIGIN, HeaderValue::from_static("https://chat.example.com"));
        assert!(!listed(&["https://chat.example.com"]).admit(&twice));
        assert!(!listed(&[]).admit(&twice));
        let mut hosts = headers(b"https://chat.example.com", "chat.example.com");
        hosts.append(header::HOST, HeaderValue::from_static("chat.example.com"));
        assert!(!listed(&[]).admit(&hosts));
    }

    #[test]
    fn who_comes_from_no_page_is_let_in() {
        assert!(listed(&[]).admit(&HeaderMap::new()));
        assert!(listed(&["https://chat.example.com"]).admit(&HeaderMap::new()));
    }

    #[test]
    fn the_development_flag_lets_all_in_but_null() {
        let origins =
            Origins::new(&HttpConfig { dev_allow_any_origin: true, ..HttpConfig::default() });
        assert!(origins.admit(&headers(b"https://anything.example", "gateway")));
        assert!(!origins.admit(&headers(b"null", "gateway")));
        assert!(!origins.admit(&headers(b"https://\xff.example", "gateway")));
    }

    #[test]
    fn entries_that_no_browser_would_send_are_problems() {
        for bad in [
            "*",
            "null",
            "",
            "chat.example.com",
            "https://*.example.com",
            "https://Chat.example.com",
            "https://chat.example.com/",
            "https://chat.example.com:443",
            "http://a:80",
            "https://a b",
            "https://ü.example",
            "https://",
        ] {
            assert!(check_entry(bad).is_err(), "{bad:?} was taken");
        }
        for good in [
            "https://chat.example.com",
            "http://localhost:5173",
            "http://[::1]:8080",
            "capacitor://localhost",
            "https://chat.example.com:8443",
            "http://a:443",
        ] {
            assert_eq!(check_entry(good), Ok(()), "{good:?}");
        }
    }
}
