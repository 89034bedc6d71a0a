//! What the server sends unasked.
use std::collections::BTreeMap;

use bytes::Bytes;

/// One push.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// The room's name, or a server-side channel; empty for `message`.
    pub channel: String,
    /// What it says.
    pub body: PushBody,
}

/// What a push says.
#[derive(Debug, Clone, PartialEq)]
pub enum PushBody {
    /// A publication.
    Pub(Publication),
    /// Somebody came.
    Join(ClientInfo),
    /// Somebody went.
    Leave(ClientInfo),
    /// A subscription was ended by the server.
    Unsubscribe {
        /// 2000 to 2999; never 0.
        code: u32,
        /// Never empty.
        reason: String,
    },
    /// A message of the application, on no channel.
    Message(Bytes),
}

/// A publication.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Publication {
    /// The payload.
    pub data: Bytes,
    /// Who published; only for client-side publishes.
    pub info: Option<ClientInfo>,
    /// 0 if unpositioned.
    pub offset: u64,
    /// `{"gateway": …}`.
    pub tags: BTreeMap<String, String>,
    /// Unix milliseconds.
    pub time: i64,
}

/// A connection as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientInfo {
    /// The subject.
    pub user: String,
    /// The connection's id.
    pub client: String,
    /// `{"name": …}`.
    pub conn_info: Bytes,
    /// Unused by us; passed through.
    pub chan_info: Bytes,
}

impl Push {
    /// Bytes of its payload.
    pub(crate) fn payload_bytes(&self) -> usize {
        match &self.body {
            PushBody::Pub(publication) => publication.data.len(),
            PushBody::Message(data) => data.len(),
            PushBody::Join(_) | PushBody::Leave(_) | PushBody::Unsubscribe { .. } => 0,
        }
    }
}
