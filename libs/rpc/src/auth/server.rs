//! Auth's server side: gRPC in front of any implementation of the trait.
use std::sync::Arc;

use proto::auth::v1;
use proto::auth::v1::auth_service_server::{AuthService, AuthServiceServer};
use tonic::{Request, Response, Status};

use super::{Auth, convert};
use crate::answer::answer;
use crate::convert::{IntoDomain, IntoProto, required, room};
use crate::door::MESSAGE_BYTES_MAX;
use crate::server::Service;

const SERVICE: &str = "auth";

struct Served(Arc<dyn Auth>);

/// Serves `auth`. Who reaches the port is believed: only other services may.
pub fn server(auth: Arc<dyn Auth>) -> Service {
    let server = AuthServiceServer::new(Served(auth))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    Service::new(server)
}

#[tonic::async_trait]
impl AuthService for Served {
    async fn verify(
        &self,
        request: Request<v1::VerifyRequest>,
    ) -> Result<Response<v1::VerifyResponse>, Status> {
        answer(SERVICE, "verify", request, async |call, message| {
            let credential = message.into_domain()?;
            Ok(self.0.verify(call, credential).await?.into_proto())
        })
        .await
    }

    async fn verify_subscription(
        &self,
        request: Request<v1::VerifySubscriptionRequest>,
    ) -> Result<Response<v1::VerifySubscriptionResponse>, Status> {
        answer(SERVICE, "verify_subscription", request, async |call, message| {
            let principal = required(message.principal, "principal")?;
            let (room, token) = (room(&message.room)?, message.token);
            let grant = self.0.verify_subscription(call, principal, room, token).await?;
            Ok(v1::VerifySubscriptionResponse { grant: Some(grant.into_proto()) })
        })
        .await
    }

    async fn admit(
        &self,
        request: Request<v1::AdmitRequest>,
    ) -> Result<Response<v1::AdmitResponse>, Status> {
        answer(SERVICE, "admit", request, async |call, message| {
            Ok(self.0.admit(call, message.into_domain()?).await?.into_proto())
        })
        .await
    }

    async fn authorise(
        &self,
        request: Request<v1::AuthoriseRequest>,
    ) -> Result<Response<v1::AuthoriseResponse>, Status> {
        answer(SERVICE, "authorise", request, async |call, message| {
            let principal = required(message.principal, "principal")?;
            let room = room(&message.room)?;
            Ok(self.0.authorise(call, principal, room, message.data).await?.into_proto())
        })
        .await
    }

    async fn create_key(
        &self,
        request: Request<v1::CreateKeyRequest>,
    ) -> Result<Response<v1::CreateKeyResponse>, Status> {
        answer(SERVICE, "create_key", request, async |call, mut message| {
            let by = required(message.by.take(), "by")?;
            Ok(self.0.create_key(call, by, convert::new_key(message)).await?.into_proto())
        })
        .await
    }

    async fn list_keys(
        &self,
        request: Request<v1::ListKeysRequest>,
    ) -> Result<Response<v1::ListKeysResponse>, Status> {
        answer(SERVICE, "list_keys", request, async |call, message| {
            let keys = self.0.list_keys(call, required(message.by, "by")?).await?;
            Ok(v1::ListKeysResponse { keys: keys.into_proto() })
        })
        .await
    }

    async fn revoke_key(
        &self,
        request: Request<v1::RevokeKeyRequest>,
    ) -> Result<Response<v1::RevokeKeyResponse>, Status> {
        answer(SERVICE, "revoke_key", request, async |call, message| {
            self.0.revoke_key(call, required(message.by, "by")?, message.key_id).await?;
            Ok(v1::RevokeKeyResponse {})
        })
        .await
    }
}
