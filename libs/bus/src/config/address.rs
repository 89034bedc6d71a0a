//! A broker's address: a secret text, and what it says once it is taken apart.
//!
//! AMQP carries user, password and vhost in short strings, and the client library panics on longer
//! ones: so lengths are checked here, before a text can come near it.
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

const DEFAULT_PORT: u16 = 5672;
const DEFAULT_TLS_PORT: u16 = 5671;
/// AMQP's short string.
const SHORT_BYTES_MAX: usize = 255;

/// `amqp://user:password@host:port/vhost`, or `amqps://` for TLS. Shows as `***`.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Address(SecretString);

/// Why an address is none. Never quotes the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// It begins with neither.
    #[error("an address begins with amqp:// or amqps://")]
    Scheme,
    /// There is no host, or one with impossible characters.
    #[error("an address names a host")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("the port is no number from 1 to 65535")]
    Port,
    /// A `%` without two hexadecimal digits, or bytes that are no text.
    #[error("user, password and vhost are percent-encoded UTF-8")]
    Encoding,
    /// User, password or vhost is too long.
    #[error("user, password and vhost have at most 255 bytes")]
    Length,
    /// Something follows the vhost.
    #[error("nothing follows the vhost")]
    Rest,
}

/// An address taken apart.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: SecretString,
    pub(crate) vhost: String,
    /// By TLS.
    pub(crate) tls: bool,
}

impl Address {
    /// Takes any text; [`crate::BusConfig::problems`] tells whether it is an address.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    pub(crate) fn target(&self) -> Result<Target, InvalidAddress> {
        let text = self.0.expose_secret();
        let (tls, rest) = match (text.strip_prefix("amqp://"), text.strip_prefix("amqps://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(InvalidAddress::Scheme),
        };
        let (authority, vhost) = match rest.split_once('/') {
            // `amqp://host/` names the vhost with the empty name by the letter; nobody means that.
            None | Some((_, "")) => (rest.trim_end_matches('/'), "/".to_owned()),
            Some((authority, path)) => (authority, decoded(path)?),
        };
        let (login, place) = authority.rsplit_once('@').unwrap_or(("guest:guest", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = host_and_port(place)?;
        Ok(Target {
            host: host.to_owned(),
            port: port.unwrap_or(if tls { DEFAULT_TLS_PORT } else { DEFAULT_PORT }),
            user: decoded(user)?,
            password: SecretString::from(decoded(password)?),
            vhost,
            tls,
        })
    }
}

impl Target {
    /// What its certificate must name.
    pub(crate) fn name(&self) -> &str {
        let inner = self.host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inner.unwrap_or(&self.host)
    }

    /// What logs may show.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

fn host_and_port(place: &str) -> Result<(&str, Option<u16>), InvalidAddress> {
    // An IPv6 address stands in brackets and has colons of its own.
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fits = match inner {
        Some(inner) => inner.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')),
        None => host.bytes().all(plain),
    };
    if host.is_empty() || host.len() > SHORT_BYTES_MAX || !fits {
        return Err(InvalidAddress::Host);
    }
    match port {
        None => Ok((host, None)),
        Some(text) => match text.parse() {
            Ok(port) if port > 0 => Ok((host, Some(port))),
            _ => Err(InvalidAddress::Port),
        },
    }
}

fn decoded(text: &str) -> Result<String, InvalidAddress> {
    if text.contains(['/', '?', '#']) {
        return Err(InvalidAddress::Rest);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(InvalidAddress::Encoding);
        };
        bytes.push((high * 16 + low) as u8);
    }
    if bytes.len() > SHORT_BYTES_MAX {
        return Err(InvalidAddress::Length);
    }
    String::from_utf8(bytes).map_err(|_| InvalidAddress::Encoding)
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("***")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(text: &str) -> Result<Target, InvalidAddress> {
        Address::new(text).target()
    }

    #[test]
    fn an_address_is_taken_apart() {
        for (text, expected) in [
            ("amqp://u:p%40%2F@h:1/v", ("h", 1, "u", "p@/", "v")),
            ("amqp://h", ("h", 5672, "guest", "guest", "/")),
            ("amqp://h/", ("h", 5672, "guest", "guest", "/")),
            ("amqp://h/%2F", ("h", 5672, "guest", "guest", "/")),
            ("amqp://u@[::1]:7/a", ("[::1]", 7, "u", "", "a")),
            ("amqp://u:a:b@[::1]", ("[::1]", 5672, "u", "a:b", "/")),
            ("amqps://u:p@h/v", ("h", 5671, "u", "p", "v")),
            ("amqps://h:1", ("h", 1, "guest", "guest", "/")),
        ] {
            let got = target(text).unwrap();
            let password = got.password.expose_secret();
            assert_eq!((&*got.host, got.port, &*got.user, password, &*got.vhost), expected);
            assert_eq!(got.tls, text.starts_with("amqps:"));
        }
        assert_eq!(target("amqps://[::1]:7").unwrap().name(), "::1");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("amqp://h/{}", "v".repeat(256));
        for (text, error) in [
            ("http://h", InvalidAddress::Scheme),
            ("amqpss://h", InvalidAddress::Scheme),
            ("amqps:/h", InvalidAddress::Scheme),
            ("amqp://", InvalidAddress::Host),
            ("amqp://h h", InvalidAddress::Host),
            ("amqp://h:0", InvalidAddress::Port),
            ("amqp://h:70000", InvalidAddress::Port),
            ("amqp://h/%zz", InvalidAddress::Encoding),
            ("amqp://h/%ff", InvalidAddress::Encoding),
            ("amqp://h/v/w", InvalidAddress::Rest),
            ("amqp://h/v?heartbeat=1", InvalidAddress::Rest),
            (long.as_str(), InvalidAddress::Length),
        ] {
            assert_eq!(target(text).err(), Some(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            let _ = target(&text);
            let _ = target(&format!("amqp://{text}"));
        }
    }
}
