//! The digest by which a retry is told from another payload under the same message id.
use domain::Body;
use sha2::{Digest as _, Sha256};

use crate::store::{event_bytes, tags_bytes};

/// SHA-256 of what an item says; not of who says it, which the scope of the id holds already.
/// Tags count if there are any: a message without is told as it was before there were tags.
pub(crate) fn digest_of(body: &Body) -> [u8; 32] {
    match body {
        Body::Message { tags, data, .. } if tags.is_empty() => Sha256::digest(data).into(),
        Body::Message { tags, data, .. } => {
            let tags = tags_bytes(tags);
            Sha256::new().chain_update(Sha256::digest(data)).chain_update(tags).finalize().into()
        }
        Body::Event(event) => Sha256::digest(event_bytes(event)).into(),
    }
}
