//! Headers that decide: `Origin`, `X-Forwarded-For`, credentials; and the entries of the lists that
//! they are compared with.
use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use gateway::http::HttpConfig;
use gateway::http::address::{Network, caller};
use gateway::http::auth::{API_KEY, credential};
use gateway::http::origin::{Origins, check_entry};

/// A page that is let in.
const PAGE: &str = "https://chat.example.com";
/// Networks of proxies that are believed.
const PROXIES: [&str; 3] = ["10.0.0.0/8", "fd00::/8", "127.0.0.1"];
/// Addresses that are looked at, at most.
const HOPS_MAX: usize = 16;

/// Lines of headers; the first letter says which.
pub fn judge(lines: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some((first, value)) = line.split_first() else { continue };
        let name: HeaderName = match first {
            b'o' => header::ORIGIN,
            b'h' => header::HOST,
            b'x' => header::X_FORWARDED_FOR,
            b'a' => header::AUTHORIZATION,
            _ => API_KEY,
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    origin(&headers);
    address(&headers);
    if credential(&headers).is_ok() {
        let count = |name: HeaderName| headers.get_all(name).count();
        assert_eq!(count(header::AUTHORIZATION) + count(API_KEY), 1, "one credential");
    }
}

fn origin(headers: &HeaderMap) {
    let values = |name: HeaderName| -> Vec<&[u8]> {
        headers.get_all(name).map(HeaderValue::as_bytes).collect()
    };
    let (origins, hosts) = (values(header::ORIGIN), values(header::HOST));
    let listed = Origins::new(&HttpConfig {
        allowed_origins: vec![PAGE.to_owned()],
        ..HttpConfig::default()
    });
    let expected = origins.is_empty() || origins == [PAGE.as_bytes()];
    assert_eq!(listed.admit(headers), expected, "{origins:?}");
    let same = Origins::new(&HttpConfig::default());
    let of_host = |scheme: &str| match (&origins[..], &hosts[..]) {
        ([origin], [host]) => {
            !host.is_empty() && *origin == [scheme.as_bytes(), host].concat().as_slice()
        }
        _ => false,
    };
    let fits = origins.is_empty() || of_host("https://") || of_host("http://");
    // Bytes beyond ASCII are no origin of any browser: refusing them is always fine.
    assert!(same.admit(headers) == fits || fits && !origins.concat().is_ascii(), "{headers:?}");
}

fn address(headers: &HeaderMap) {
    let networks = PROXIES.map(|text| Network::parse(text).expect("a network"));
    let is_proxy = |address: IpAddr| networks.iter().any(|network| network.contains(address));
    let chain: Vec<&str> = headers
        .get_all(header::X_FORWARDED_FOR)
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .collect();
    let hops = chain.iter().rev().take(HOPS_MAX).map_while(|hop| hop.trim().parse().ok());
    for peer in ["10.1.2.3", "203.0.113.9", "fd00::1"] {
        let peer: IpAddr = peer.parse().expect("an address");
        let named = hops.clone().map(|hop: IpAddr| hop.to_canonical());
        let all: Vec<IpAddr> = std::iter::once(peer).chain(named).collect();
        let stranger = all.iter().find(|address| !is_proxy(**address));
        let expected = stranger.or(all.last()).copied();
        assert_eq!(caller(Some(peer), headers, &networks), expected, "{peer} {chain:?}");
    }
    assert_eq!(caller(None, headers, &networks), None);
}

/// A text as an entry of the list of origins, and of the list of proxies.
pub fn entries(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Some(network) = Network::parse(text) {
        let (base, prefix) = text.split_once('/').unwrap_or((text, ""));
        let base: IpAddr = base.parse().expect("a network begins with an address");
        assert!(network.contains(base));
        let far: IpAddr = if base.is_ipv4() { [255; 4].into() } else { [255_u8; 16].into() };
        let whole = base == far || prefix.parse() == Ok(0_u32);
        assert!(!whole || network.contains(far));
        let other: IpAddr = if base.is_ipv4() { [0; 16].into() } else { [0; 4].into() };
        assert!(!network.contains(other), "another family");
    }
    if check_entry(text).is_err() {
        return;
    }
    let config = HttpConfig { allowed_origins: vec![text.to_owned()], ..HttpConfig::default() };
    assert_eq!(config.problems(), Vec::<String>::new());
    let origins = Origins::new(&config);
    let admits = |origin: String| {
        let value = HeaderValue::from_str(&origin).expect("an origin is a header's value");
        origins.allows(&value, &HeaderMap::new())
    };
    assert!(admits(text.to_owned()), "{text}");
    for foreign in [format!("{text}x"), format!("x{text}"), format!("{text}/"), "null".to_owned()] {
        assert!(!admits(foreign.clone()), "{foreign} beside {text}");
    }
}
