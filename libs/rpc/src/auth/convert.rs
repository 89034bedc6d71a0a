//! Auth's own messages, there and back.
use domain::{Credential, Error, Result, Verified};
use proto::auth::v1;

use super::{CreatedKey, KeyInfo, NewKey};
use crate::convert::{IntoDomain, IntoProto, required};

impl IntoProto for Credential {
    type Proto = v1::VerifyRequest;
    fn into_proto(self) -> v1::VerifyRequest {
        let credential = match self {
            Self::Bearer(token) => v1::verify_request::Credential::Bearer(token),
            Self::ApiKey(key) => v1::verify_request::Credential::ApiKey(key),
        };
        v1::VerifyRequest { credential: Some(credential) }
    }
}

impl IntoDomain for v1::VerifyRequest {
    type Domain = Credential;
    fn into_domain(self) -> Result<Credential> {
        match self.credential {
            Some(v1::verify_request::Credential::Bearer(token)) => Ok(Credential::Bearer(token)),
            Some(v1::verify_request::Credential::ApiKey(key)) => Ok(Credential::ApiKey(key)),
            None => Err(Error::invalid("a credential of an unknown kind")),
        }
    }
}

impl IntoProto for Verified {
    type Proto = v1::VerifyResponse;
    fn into_proto(self) -> v1::VerifyResponse {
        v1::VerifyResponse {
            principal: Some(self.principal.into_proto()),
            expires_at_ms: self.expires_at_ms,
        }
    }
}

impl IntoDomain for v1::VerifyResponse {
    type Domain = Verified;
    fn into_domain(self) -> Result<Verified> {
        let principal = required(self.principal, "principal")?;
        Ok(Verified { principal, expires_at_ms: self.expires_at_ms })
    }
}

impl IntoProto for KeyInfo {
    type Proto = v1::Key;
    fn into_proto(self) -> v1::Key {
        let Self { key_id, name, roles, created_at_ms, expires_at_ms, revoked_at_ms } = self;
        v1::Key { key_id, name, roles, created_at_ms, expires_at_ms, revoked_at_ms }
    }
}

impl IntoDomain for v1::Key {
    type Domain = KeyInfo;
    fn into_domain(self) -> Result<KeyInfo> {
        let Self { key_id, name, roles, created_at_ms, expires_at_ms, revoked_at_ms } = self;
        Ok(KeyInfo { key_id, name, roles, created_at_ms, expires_at_ms, revoked_at_ms })
    }
}

impl IntoProto for CreatedKey {
    type Proto = v1::CreateKeyResponse;
    fn into_proto(self) -> v1::CreateKeyResponse {
        v1::CreateKeyResponse { key: Some(self.info.into_proto()), secret: self.secret }
    }
}

impl IntoDomain for v1::CreateKeyResponse {
    type Domain = CreatedKey;
    fn into_domain(self) -> Result<CreatedKey> {
        Ok(CreatedKey { info: required(self.key, "key")?, secret: self.secret })
    }
}

/// The key that a request asks for.
pub(super) fn new_key(request: v1::CreateKeyRequest) -> NewKey {
    NewKey { name: request.name, roles: request.roles, ttl_ms: request.ttl_ms }
}
