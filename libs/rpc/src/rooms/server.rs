//! The rooms service's server side: gRPC in front of any implementation of the trait.
use std::sync::Arc;

use futures_util::stream::BoxStream;
use proto::rooms::v1;
use proto::rooms::v1::rooms_service_server::{RoomsService, RoomsServiceServer};
use tonic::{Request, Response, Status, Streaming};

use super::{Rooms, watch};
use crate::answer::answer;
use crate::convert::{IntoDomain, IntoProto};
use crate::door::MESSAGE_BYTES_MAX;
use crate::server::{Draining, Service};

const SERVICE: &str = "rooms";

struct Served(Arc<dyn Rooms>);

/// Serves `rooms`. Who reaches the port is believed: only other services may.
pub fn server(rooms: Arc<dyn Rooms>) -> Service {
    let server = RoomsServiceServer::new(Served(rooms))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    Service::new(server)
}

#[tonic::async_trait]
impl RoomsService for Served {
    type WatchStream = BoxStream<'static, Result<v1::WatchResponse, Status>>;

    async fn join(
        &self,
        request: Request<v1::JoinRequest>,
    ) -> Result<Response<v1::JoinResponse>, Status> {
        answer(SERVICE, "join", request, async |call, message| {
            Ok(self.0.join(call, message.into_domain()?).await?.into_proto())
        })
        .await
    }

    async fn publish(
        &self,
        request: Request<v1::PublishRequest>,
    ) -> Result<Response<v1::PublishResponse>, Status> {
        answer(SERVICE, "publish", request, async |call, message| {
            Ok(self.0.publish(call, message.into_domain()?).await?.into_proto())
        })
        .await
    }

    async fn history(
        &self,
        request: Request<v1::HistoryRequest>,
    ) -> Result<Response<v1::HistoryResponse>, Status> {
        answer(SERVICE, "history", request, async |call, message| {
            Ok(self.0.history(call, message.into_domain()?).await?.into_proto())
        })
        .await
    }

    async fn fetch(
        &self,
        request: Request<v1::FetchRequest>,
    ) -> Result<Response<v1::FetchResponse>, Status> {
        answer(SERVICE, "fetch", request, async |call, message| {
            let fetched = self.0.fetch(call, message.ranges.into_domain()?).await?;
            Ok(v1::FetchResponse { fetched: fetched.into_proto() })
        })
        .await
    }

    async fn disconnect(
        &self,
        request: Request<v1::DisconnectRequest>,
    ) -> Result<Response<v1::DisconnectResponse>, Status> {
        answer(SERVICE, "disconnect", request, async |call, message| {
            self.0.disconnect(call, message.into_domain()?).await?;
            Ok(v1::DisconnectResponse {})
        })
        .await
    }

    async fn unsubscribe(
        &self,
        request: Request<v1::UnsubscribeRequest>,
    ) -> Result<Response<v1::UnsubscribeResponse>, Status> {
        answer(SERVICE, "unsubscribe", request, async |call, message| {
            self.0.unsubscribe(call, message.into_domain()?).await?;
            Ok(v1::UnsubscribeResponse {})
        })
        .await
    }

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<v1::SubscribeResponse>, Status> {
        answer(SERVICE, "subscribe", request, async |call, message| {
            self.0.subscribe(call, message.into_domain()?).await?;
            Ok(v1::SubscribeResponse {})
        })
        .await
    }

    async fn watch(
        &self,
        request: Request<Streaming<v1::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let draining = request.extensions().get::<Draining>().cloned();
        answer(SERVICE, "watch", request, async |_, requests| {
            watch::serve(self.0.as_ref(), requests, draining).await
        })
        .await
    }
}
