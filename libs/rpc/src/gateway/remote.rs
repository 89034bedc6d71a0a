//! A gateway's remote door.
use async_trait::async_trait;
use bytes::Bytes;
use domain::{Result, Session};
use proto::gateway::v1;
use proto::gateway::v1::gateway_service_client::GatewayServiceClient;
use tonic::Request;

use super::Gateway;
use crate::channel::Preference;
use crate::door::{Door, MESSAGE_BYTES_MAX};
use crate::method::Method;
use crate::tls::{Expected, Peer};
use crate::{Call, Rpc};

const SERVICE: &str = "gateway";

/// Calls one gateway over gRPC.
#[derive(Debug)]
pub struct RemoteGateway {
    door: Door,
}

impl RemoteGateway {
    /// Begins to look up the host of `url`. To be called on the runtime that lives as long as the
    /// process.
    ///
    /// `InvalidArgument` for what is no address like `http://host:port`.
    pub fn open(url: &str, rpc: &Rpc) -> Result<Self> {
        let expected = Expected::Peer(Peer::Gateway);
        Ok(Self { door: Door::open(SERVICE, &[url.to_owned()], expected, rpc)? })
    }
}

#[async_trait]
impl Gateway for RemoteGateway {
    async fn emulate(&self, call: Call, session: Session, frame: Bytes) -> Result<()> {
        let method = Method::once(SERVICE, "emulate");
        let session = Bytes::copy_from_slice(session.bytes());
        let request = v1::EmulateRequest { session, frame };
        let send = |channel, request: Request<v1::EmulateRequest>| async move {
            let client = GatewayServiceClient::new(channel);
            client.max_decoding_message_size(MESSAGE_BYTES_MAX).emulate(request).await
        };
        self.door.call(method, call, Preference::Any, request, send).await.map(|_| ())
    }
}
