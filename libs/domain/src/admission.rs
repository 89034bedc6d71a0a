//! What a connection shows when it wants in, and what somebody who decides says to it.
//!
//! Whoever decides may be the operator's own backend: then a refusal carries words that are its
//! own, and no error of ours stands for them.
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;

use crate::{Credential, PrincipalId, Verified};

/// A connection that asks to be let in, by what its client sent first.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// The token; empty for none.
    pub token: String,
    /// The application's own bytes; may be empty.
    pub data: Bytes,
    /// Name of the client's library.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Header fields that the client named in the connect itself; they prove nothing.
    pub headers: BTreeMap<String, String>,
    /// The caller's address, if it is known.
    pub address: Option<IpAddr>,
    /// Who is connected already and only wants to stay.
    pub refresh: Option<PrincipalId>,
}

/// A connection that is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Who it is.
    pub verified: Verified,
    /// Kinds of rooms that a subscribe without a token needs a further word for.
    pub guarded_kinds: Vec<String>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<T> {
    /// Yes.
    Granted(T),
    /// No, in these words.
    Refused(Refusal),
}

/// A no in the words of whoever decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The command is answered with an error.
    Error {
        /// One of the operator's own codes, 400 to 1999.
        code: u32,
        /// What the client is told; at most [`REFUSAL_BYTES_MAX`].
        message: String,
        /// Whether to try again later.
        temporary: bool,
    },
    /// The connection ends.
    Disconnect {
        /// What the client is told; at most [`REFUSAL_BYTES_MAX`].
        reason: String,
        /// Whether it may come back.
        reconnect: bool,
    },
}

/// Longest text of a refusal, in bytes: it must fit a close frame.
pub const REFUSAL_BYTES_MAX: usize = 120;

impl Admission {
    /// What the client shows to prove who it is.
    pub fn credential(&self) -> Credential {
        match self.token.as_str() {
            "" => Credential::Anonymous,
            token => Credential::Bearer(token.to_owned()),
        }
    }
}

/// Never shows what may be secret.
impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (token, data, headers) = (self.token.len(), self.data.len(), self.headers.len());
        f.debug_struct("Admission")
            .field("token_bytes", &token)
            .field("data_bytes", &data)
            .field("name", &self.name)
            .field("version", &self.version)
            .field("headers", &headers)
            .field("address", &self.address)
            .field("refresh", &self.refresh)
            .finish()
    }
}
