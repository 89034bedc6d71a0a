//! The digest by which a retry is told from another payload under the same message id.
use domain::Body;
use sha2::{Digest as _, Sha256};

use crate::store::event_bytes;

/// SHA-256 of what an item says; not of who says it, which the scope of the id holds already.
pub(crate) fn digest_of(body: &Body) -> [u8; 32] {
    match body {
        Body::Message { data, .. } => Sha256::digest(data).into(),
        Body::Event(event) => Sha256::digest(event_bytes(event)).into(),
    }
}
