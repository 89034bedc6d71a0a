//! Whose address a request has, when proxies stand in front.
//!
//! `X-Forwarded-For` is believed from right to left, as long as the hop that wrote an entry is a
//! configured proxy: the first address that is none is the caller's. Whatever stands left of it
//! the caller may have made up.
use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap};

/// Longest chain that is looked at.
const HOPS_MAX: usize = 16;

/// A block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads `10.0.0.0/8`, or a single address.
    pub fn parse(text: &str) -> Option<Self> {
        let (base, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((base, prefix)) => (base, Some(prefix)),
        };
        let base: IpAddr = base.parse().ok()?;
        let whole = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => whole,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        (prefix <= whole).then_some(Self { base, prefix })
    }

    /// Whether an address lies in it.
    pub fn contains(self, address: IpAddr) -> bool {
        let (base, address, whole) = match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits().into(), address.to_bits().into(), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => (base.to_bits(), address.to_bits(), 128),
            _ => return false,
        };
        let differ: u128 = base ^ address;
        self.prefix == 0 || differ >> (whole - self.prefix) == 0
    }
}

/// The address of whoever made the request; `None` if the socket has none.
pub fn caller(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[Network]) -> Option<IpAddr> {
    let is_proxy = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = peer?.to_canonical();
    let forwarded = headers.get_all(header::X_FORWARDED_FOR).collect::<Vec<_>>();
    let hops = forwarded
        .iter()
        .rev()
        .flat_map(|value| value.to_str().unwrap_or_default().rsplit(','))
        .take(HOPS_MAX);
    for hop in hops {
        if !is_proxy(address) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(named) => address = named.to_canonical(),
            // A proxy that is believed wrote no address: it stays the last one known.
            Err(_) => break,
        }
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn ask(peer: &str, chain: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in chain {
            headers.append(header::X_FORWARDED_FOR, HeaderValue::from_static(value));
        }
        let trusted =
            ["10.0.0.0/8", "fd00::/8", "127.0.0.1"].map(|text| Network::parse(text).unwrap());
        caller(Some(peer.parse().unwrap()), &headers, &trusted).unwrap().to_string()
    }

    #[test]
    fn only_a_proxy_is_believed() {
        assert_eq!(ask("203.0.113.9", &["1.2.3.4"]), "203.0.113.9");
        assert_eq!(ask("10.1.2.3", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(ask("::ffff:10.1.2.3", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(ask("fd00::1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn a_made_up_chain_stops_at_the_first_stranger() {
        assert_eq!(ask("10.1.2.3", &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(ask("10.1.2.3", &["6.6.6.6, 1.2.3.4, 10.9.9.9"]), "1.2.3.4");
        assert_eq!(ask("10.1.2.3", &["6.6.6.6", "1.2.3.4"]), "1.2.3.4");
        assert_eq!(ask("10.1.2.3", &["127.0.0.1, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(ask("10.1.2.3", &["1.2.3.4, nonsense"]), "10.1.2.3");
        assert_eq!(ask("10.1.2.3", &[""]), "10.1.2.3");
        assert_eq!(ask("10.1.2.3", &[]), "10.1.2.3");
    }

    #[test]
    fn networks_have_edges() {
        let network = |text: &str| Network::parse(text).unwrap();
        let inside = |text: &str, address: &str| network(text).contains(address.parse().unwrap());
        assert!(inside("10.0.0.0/8", "10.255.255.255") && !inside("10.0.0.0/8", "11.0.0.0"));
        assert!(inside("0.0.0.0/0", "255.1.1.1") && !inside("0.0.0.0/0", "::1"));
        assert!(
            inside("::/0", "::1") && inside("1.2.3.4", "1.2.3.4") && !inside("1.2.3.4", "1.2.3.5")
        );
        for bad in ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "10/8", "a/8"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
