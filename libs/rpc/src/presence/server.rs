//! Presence's server side: gRPC in front of any implementation of the trait.
use std::sync::Arc;

use proto::presence::v1;
use proto::presence::v1::presence_service_server::{PresenceService, PresenceServiceServer};
use tonic::{Request, Response, Status};

use super::Presence;
use crate::answer::answer;
use crate::convert::{self, IntoDomain, IntoProto, required};
use crate::door::MESSAGE_BYTES_MAX;
use crate::server::Service;

const SERVICE: &str = "presence";

struct Served(Arc<dyn Presence>);

/// Serves `presence`. Who reaches the port is believed: only other services may.
pub fn server(presence: Arc<dyn Presence>) -> Service {
    let server = PresenceServiceServer::new(Served(presence))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    Service::new(server)
}

#[tonic::async_trait]
impl PresenceService for Served {
    async fn open_lease(
        &self,
        request: Request<v1::OpenLeaseRequest>,
    ) -> Result<Response<v1::OpenLeaseResponse>, Status> {
        answer(SERVICE, "open_lease", request, async |call, message| {
            let gateway = convert::gateway(&message.gateway_id)?;
            let incarnation = convert::incarnation(&message.incarnation)?;
            let peer_url = convert::peer_url(message.peer_url)?;
            Ok(self.0.open_lease(call, gateway, incarnation, peer_url).await?.into_proto())
        })
        .await
    }

    async fn renew_lease(
        &self,
        request: Request<v1::RenewLeaseRequest>,
    ) -> Result<Response<v1::RenewLeaseResponse>, Status> {
        answer(SERVICE, "renew_lease", request, async |call, message| {
            let state = self.0.renew_lease(call, convert::lease(&message.lease_id)?).await?;
            Ok(v1::RenewLeaseResponse { state: state.into_proto().into() })
        })
        .await
    }

    async fn close_lease(
        &self,
        request: Request<v1::CloseLeaseRequest>,
    ) -> Result<Response<v1::CloseLeaseResponse>, Status> {
        answer(SERVICE, "close_lease", request, async |call, message| {
            self.0.close_lease(call, convert::lease(&message.lease_id)?).await?;
            Ok(v1::CloseLeaseResponse {})
        })
        .await
    }

    async fn apply(
        &self,
        request: Request<v1::ApplyRequest>,
    ) -> Result<Response<v1::ApplyResponse>, Status> {
        answer(SERVICE, "apply", request, async |call, message| {
            let lease = convert::lease(&message.lease_id)?;
            let state = self.0.apply(call, lease, message.into_domain()?).await?;
            Ok(v1::ApplyResponse { state: state.into_proto().into() })
        })
        .await
    }

    async fn room(
        &self,
        request: Request<v1::RoomRequest>,
    ) -> Result<Response<v1::RoomResponse>, Status> {
        answer(SERVICE, "room", request, async |call, message| {
            let entries = self.0.room(call, convert::room(&message.room)?, message.limit).await?;
            Ok(v1::RoomResponse { entries: entries.into_proto() })
        })
        .await
    }

    async fn room_counts(
        &self,
        request: Request<v1::RoomCountsRequest>,
    ) -> Result<Response<v1::RoomCountsResponse>, Status> {
        answer(SERVICE, "room_counts", request, async |call, message| {
            let counts = self.0.room_counts(call, convert::room(&message.room)?).await?;
            Ok(v1::RoomCountsResponse { counts: Some(counts.into_proto()) })
        })
        .await
    }

    async fn totals(
        &self,
        request: Request<v1::TotalsRequest>,
    ) -> Result<Response<v1::TotalsResponse>, Status> {
        answer(SERVICE, "totals", request, async |call, _| {
            let totals = self.0.totals(call).await?;
            Ok(v1::TotalsResponse { totals: Some(totals.into_proto()) })
        })
        .await
    }

    async fn gateways(
        &self,
        request: Request<v1::GatewaysRequest>,
    ) -> Result<Response<v1::GatewaysResponse>, Status> {
        answer(SERVICE, "gateways", request, async |call, _| {
            let gateways = self.0.gateways(call).await?;
            Ok(v1::GatewaysResponse { gateways: gateways.into_proto() })
        })
        .await
    }

    async fn connections(
        &self,
        request: Request<v1::ConnectionsRequest>,
    ) -> Result<Response<v1::ConnectionsResponse>, Status> {
        answer(SERVICE, "connections", request, async |call, message| {
            let principal = required(message.principal, "principal")?;
            let entries = self.0.connections(call, principal).await?;
            Ok(v1::ConnectionsResponse { entries: entries.into_proto() })
        })
        .await
    }
}
