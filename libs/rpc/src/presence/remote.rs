//! Presence's remote door.
use async_trait::async_trait;
use domain::{
    GatewayId, GatewayInfo, Incarnation, LeaseId, PresenceBatch, PresenceCounts, PresenceEntry,
    PresenceTotals, PrincipalId, Result, RoomName,
};
use proto::presence::v1;
use proto::presence::v1::presence_service_client::PresenceServiceClient;
use tonic::Request;
use tonic::transport::Channel;

use super::{Lease, LeaseState, Presence};
use crate::channel::Preference;
use crate::convert::{self, IntoDomain, IntoProto, required};
use crate::door::{Door, MESSAGE_BYTES_MAX, answered};
use crate::method::Method;
use crate::tls::{Expected, Peer};
use crate::{Call, Rpc};

const SERVICE: &str = "presence";

/// Calls presence over gRPC.
#[derive(Debug)]
pub struct RemotePresence {
    door: Door,
}

impl RemotePresence {
    /// Begins to look up `rpc.presence`. To be called on the runtime that lives as long as the process.
    ///
    /// `InvalidArgument` for addresses that `config.problems()` would have refused.
    pub fn open(rpc: &Rpc) -> Result<Self> {
        Ok(Self {
            door: Door::open(SERVICE, &rpc.config().presence, Expected::Peer(Peer::Presence), rpc)?,
        })
    }
}

fn client(channel: Channel) -> PresenceServiceClient<Channel> {
    PresenceServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

#[async_trait]
impl Presence for RemotePresence {
    async fn open_lease(
        &self,
        call: Call,
        gateway: GatewayId,
        incarnation: Incarnation,
        peer_url: Option<String>,
    ) -> Result<Lease> {
        let method = Method::idempotent(SERVICE, "open_lease");
        let request = v1::OpenLeaseRequest {
            gateway_id: gateway.to_string(),
            incarnation: convert::incarnation_bytes(incarnation),
            peer_url: peer_url.unwrap_or_default(),
        };
        let send = |channel, request: Request<v1::OpenLeaseRequest>| async move {
            client(channel).open_lease(request).await
        };
        answered(self.door.call(method, call, Preference::Any, request, send).await?.into_domain())
    }

    async fn renew_lease(&self, call: Call, lease: LeaseId) -> Result<LeaseState> {
        let method = Method::idempotent(SERVICE, "renew_lease");
        let request = v1::RenewLeaseRequest { lease_id: convert::lease_bytes(lease) };
        let send = |channel, request: Request<v1::RenewLeaseRequest>| async move {
            client(channel).renew_lease(request).await
        };
        answered(
            self.door
                .call(method, call, Preference::Any, request, send)
                .await?
                .state()
                .into_domain(),
        )
    }

    async fn close_lease(&self, call: Call, lease: LeaseId) -> Result<()> {
        let method = Method::idempotent(SERVICE, "close_lease");
        let request = v1::CloseLeaseRequest { lease_id: convert::lease_bytes(lease) };
        let send = |channel, request: Request<v1::CloseLeaseRequest>| async move {
            client(channel).close_lease(request).await
        };
        self.door.call(method, call, Preference::Any, request, send).await.map(|_| ())
    }

    async fn apply(&self, call: Call, lease: LeaseId, batch: PresenceBatch) -> Result<LeaseState> {
        let method = Method::idempotent(SERVICE, "apply");
        let request = v1::ApplyRequest {
            lease_id: convert::lease_bytes(lease),
            number: batch.number,
            announce: batch.announce,
            changes: batch.changes.into_proto(),
        };
        let send = |channel, request: Request<v1::ApplyRequest>| async move {
            client(channel).apply(request).await
        };
        answered(
            self.door
                .call(method, call, Preference::Any, request, send)
                .await?
                .state()
                .into_domain(),
        )
    }

    async fn room(&self, call: Call, room: RoomName, limit: u32) -> Result<Vec<PresenceEntry>> {
        let method = Method::idempotent(SERVICE, "room");
        let request = v1::RoomRequest { room: room.to_string(), limit };
        let send = |channel, request: Request<v1::RoomRequest>| async move {
            client(channel).room(request).await
        };
        answered(
            self.door
                .call(method, call, Preference::Any, request, send)
                .await?
                .entries
                .into_domain(),
        )
    }

    async fn room_counts(&self, call: Call, room: RoomName) -> Result<PresenceCounts> {
        let method = Method::idempotent(SERVICE, "room_counts");
        let request = v1::RoomCountsRequest { room: room.to_string() };
        let send = |channel, request: Request<v1::RoomCountsRequest>| async move {
            client(channel).room_counts(request).await
        };
        answered(required(
            self.door.call(method, call, Preference::Any, request, send).await?.counts,
            "counts",
        ))
    }

    async fn totals(&self, call: Call) -> Result<PresenceTotals> {
        let method = Method::idempotent(SERVICE, "totals");
        let request = v1::TotalsRequest {};
        let send = |channel, request: Request<v1::TotalsRequest>| async move {
            client(channel).totals(request).await
        };
        answered(required(
            self.door.call(method, call, Preference::Any, request, send).await?.totals,
            "totals",
        ))
    }

    async fn gateways(&self, call: Call) -> Result<Vec<GatewayInfo>> {
        let method = Method::idempotent(SERVICE, "gateways");
        let request = v1::GatewaysRequest {};
        let send = |channel, request: Request<v1::GatewaysRequest>| async move {
            client(channel).gateways(request).await
        };
        answered(
            self.door
                .call(method, call, Preference::Any, request, send)
                .await?
                .gateways
                .into_domain(),
        )
    }

    async fn connections(&self, call: Call, principal: PrincipalId) -> Result<Vec<PresenceEntry>> {
        let method = Method::idempotent(SERVICE, "connections");
        let request = v1::ConnectionsRequest { principal: Some(principal.into_proto()) };
        let send = |channel, request: Request<v1::ConnectionsRequest>| async move {
            client(channel).connections(request).await
        };
        answered(
            self.door
                .call(method, call, Preference::Any, request, send)
                .await?
                .entries
                .into_domain(),
        )
    }
}
