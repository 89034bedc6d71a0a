//! Auth's remote door.
use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Admission, Admitted, Credential, Decision, Grant, Principal, PrincipalId, Result, RoomName,
    Verified,
};
use proto::auth::v1;
use proto::auth::v1::auth_service_client::AuthServiceClient;
use tonic::transport::Channel;

use super::{Auth, CreatedKey, KeyInfo, NewKey};
use crate::channel::Preference;
use crate::convert::{IntoDomain, IntoProto, required};
use crate::door::{Door, MESSAGE_BYTES_MAX, answered};
use crate::method::Method;
use crate::tls::{Expected, Peer};
use crate::{Call, Rpc};

const SERVICE: &str = "auth";

/// Calls auth over gRPC.
#[derive(Debug)]
pub struct RemoteAuth {
    door: Door,
}

impl RemoteAuth {
    /// Begins to look up `rpc.auth`. To be called on the runtime that lives as long as the process.
    ///
    /// `InvalidArgument` for addresses that `config.problems()` would have refused.
    pub fn open(rpc: &Rpc) -> Result<Self> {
        Ok(Self { door: Door::open(SERVICE, &rpc.config().auth, Expected::Peer(Peer::Auth), rpc)? })
    }
}

fn client(channel: Channel) -> AuthServiceClient<Channel> {
    AuthServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

#[async_trait]
impl Auth for RemoteAuth {
    async fn verify(&self, call: Call, credential: Credential) -> Result<Verified> {
        let method = Method::idempotent(SERVICE, "verify");
        let request = credential.into_proto();
        answered(
            self.door
                .call(method, call, Preference::Any, request, |channel, request| async move {
                    client(channel).verify(request).await
                })
                .await?
                .into_domain(),
        )
    }

    async fn verify_subscription(
        &self,
        call: Call,
        principal: PrincipalId,
        room: RoomName,
        token: String,
    ) -> Result<Grant> {
        let method = Method::idempotent(SERVICE, "verify_subscription");
        let principal = Some(principal.into_proto());
        let request = v1::VerifySubscriptionRequest { principal, room: room.to_string(), token };
        let answer = self
            .door
            .call(method, call, Preference::Any, request, |channel, request| async move {
                client(channel).verify_subscription(request).await
            })
            .await?;
        answered(required(answer.grant, "grant"))
    }

    async fn admit(&self, call: Call, admission: Admission) -> Result<Decision<Admitted>> {
        let method = Method::patient(SERVICE, "admit");
        let request = admission.into_proto();
        answered(
            self.door
                .call(method, call, Preference::Any, request, |channel, request| async move {
                    client(channel).admit(request).await
                })
                .await?
                .into_domain(),
        )
    }

    async fn authorise(
        &self,
        call: Call,
        principal: Principal,
        room: RoomName,
        data: Bytes,
    ) -> Result<Decision<Grant>> {
        let method = Method::patient(SERVICE, "authorise");
        let principal = Some(principal.into_proto());
        let request = v1::AuthoriseRequest { principal, room: room.to_string(), data };
        answered(
            self.door
                .call(method, call, Preference::Any, request, |channel, request| async move {
                    client(channel).authorise(request).await
                })
                .await?
                .into_domain(),
        )
    }

    async fn create_key(&self, call: Call, by: Principal, new: NewKey) -> Result<CreatedKey> {
        let method = Method::once(SERVICE, "create_key");
        let by = Some(by.into_proto());
        let request =
            v1::CreateKeyRequest { by, name: new.name, roles: new.roles, ttl_ms: new.ttl_ms };
        answered(
            self.door
                .call(method, call, Preference::Any, request, |channel, request| async move {
                    client(channel).create_key(request).await
                })
                .await?
                .into_domain(),
        )
    }

    async fn list_keys(&self, call: Call, by: Principal) -> Result<Vec<KeyInfo>> {
        let method = Method::idempotent(SERVICE, "list_keys");
        let request = v1::ListKeysRequest { by: Some(by.into_proto()) };
        answered(
            self.door
                .call(method, call, Preference::Any, request, |channel, request| async move {
                    client(channel).list_keys(request).await
                })
                .await?
                .keys
                .into_domain(),
        )
    }

    async fn revoke_key(&self, call: Call, by: Principal, key_id: String) -> Result<()> {
        let method = Method::idempotent(SERVICE, "revoke_key");
        let request = v1::RevokeKeyRequest { by: Some(by.into_proto()), key_id };
        self.door
            .call(method, call, Preference::Any, request, |channel, request| async move {
                client(channel).revoke_key(request).await
            })
            .await
            .map(|_| ())
    }
}
