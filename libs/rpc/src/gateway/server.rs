//! A gateway's server side: gRPC in front of any implementation of the trait.
use std::sync::Arc;

use domain::{Error, Session};
use proto::gateway::v1;
use proto::gateway::v1::gateway_service_server::{GatewayService, GatewayServiceServer};
use tonic::{Request, Response, Status};

use super::Gateway;
use crate::answer::answer;
use crate::door::MESSAGE_BYTES_MAX;
use crate::server::Service;

const SERVICE: &str = "gateway";

struct Served(Arc<dyn Gateway>);

/// Serves `gateway`. Who reaches the port is believed: only other gateways may.
pub fn server(gateway: Arc<dyn Gateway>) -> Service {
    let server = GatewayServiceServer::new(Served(gateway))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    Service::new(server)
}

#[tonic::async_trait]
impl GatewayService for Served {
    async fn emulate(
        &self,
        request: Request<v1::EmulateRequest>,
    ) -> Result<Response<v1::EmulateResponse>, Status> {
        answer(SERVICE, "emulate", request, async |call, message| {
            let session = <[u8; 16]>::try_from(&message.session[..]);
            let session = session.map_err(|_| Error::invalid("a session has 16 bytes"))?;
            self.0.emulate(call, Session::from_bytes(session), message.frame).await?;
            Ok(v1::EmulateResponse {})
        })
        .await
    }
}
