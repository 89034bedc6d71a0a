//! Auth's own messages, there and back.
use domain::{Credential, Error, Grant, Overrides, Result, Verified};
use proto::auth::v1;

use super::{CreatedKey, KeyInfo, NewKey};
use crate::convert::{IntoDomain, IntoProto, required, room};

impl IntoProto for Credential {
    type Proto = v1::VerifyRequest;
    fn into_proto(self) -> v1::VerifyRequest {
        let credential = match self {
            Self::Bearer(token) => v1::verify_request::Credential::Bearer(token),
            Self::ApiKey(key) => v1::verify_request::Credential::ApiKey(key),
            Self::Anonymous => v1::verify_request::Credential::Anonymous(v1::Anonymous {}),
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
            Some(v1::verify_request::Credential::Anonymous(_)) => Ok(Credential::Anonymous),
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
            rooms: self.rooms.into_proto(),
        }
    }
}

impl IntoDomain for v1::VerifyResponse {
    type Domain = Verified;
    fn into_domain(self) -> Result<Verified> {
        let principal = required(self.principal, "principal")?;
        let rooms = self.rooms.into_domain()?;
        Ok(Verified { principal, expires_at_ms: self.expires_at_ms, rooms })
    }
}

impl IntoProto for Grant {
    type Proto = v1::Grant;
    fn into_proto(self) -> v1::Grant {
        let Self { room, until_ms, info, data, overrides } = self;
        let Overrides { presence, join_leave, push_join_leave } = overrides;
        let room = room.to_string();
        v1::Grant { room, until_ms, info, data, presence, join_leave, push_join_leave }
    }
}

impl IntoDomain for v1::Grant {
    type Domain = Grant;
    fn into_domain(self) -> Result<Grant> {
        let Self { room: name, until_ms, info, data, presence, join_leave, push_join_leave } = self;
        let overrides = Overrides { presence, join_leave, push_join_leave };
        Ok(Grant { room: room(&name)?, until_ms, info, data, overrides })
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
