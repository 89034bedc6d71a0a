//! Asks every address of the other services whether a service is ready there.
//!
//! For `roomcast doctor`. It uses the health service that each gRPC port has, on each address
//! that a host's name stands for, so that one bad pod among many is seen.
use std::time::Duration;

use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::Rpc;
use crate::channel::{Host, Replica};
use crate::tls::{Expected, Peer};

/// How long a service may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Looks at every configured address: what was asked, and what became of it.
pub async fn check(rpc: &Rpc) -> Vec<(String, Result<String, String>)> {
    let mut found = Vec::new();
    let config = rpc.config();
    let services = [
        (Peer::Auth, &config.auth),
        (Peer::Rooms, &config.rooms),
        (Peer::Presence, &config.presence),
    ];
    for (service, addresses) in services {
        for address in addresses {
            let asked = format!("{} at {address}", service.word());
            found.push((asked, host(address, &Expected::Peer(service), rpc).await));
        }
    }
    found
}

/// Asks all addresses of one host; one that is not ready is enough to tell.
async fn host(address: &str, expected: &Expected, rpc: &Rpc) -> Result<String, String> {
    let host = Host::parse(address).map_err(str::to_owned)?;
    let looking = tokio::time::timeout(ANSWER_WITHIN, tokio::net::lookup_host(&host.authority));
    let resolved: Vec<_> = match looking.await {
        Ok(Ok(resolved)) => resolved.collect(),
        Ok(Err(error)) => return Err(format!("the name cannot be looked up: {error}")),
        Err(_) => return Err("the name server does not answer".to_owned()),
    };
    if resolved.is_empty() {
        return Err("the name stands for no address".to_owned());
    }
    let mut wrong = Vec::new();
    for address in &resolved {
        let Some(replica) = Replica::new(*address, &host, expected, rpc) else { continue };
        if let Err(why) = health(replica.channel).await {
            wrong.push(format!("{address}: {why}"));
        }
    }
    if wrong.is_empty() { Ok(format!("{} ready", resolved.len())) } else { Err(wrong.join("; ")) }
}

async fn health(channel: Channel) -> Result<(), String> {
    let mut client = HealthClient::new(channel);
    let asking = client.check(HealthCheckRequest { service: String::new() });
    let status = match tokio::time::timeout(ANSWER_WITHIN, asking).await {
        Ok(Ok(answer)) => answer.into_inner().status(),
        Ok(Err(status)) => return Err(innermost(&status)),
        Err(_) => return Err("no answer".to_owned()),
    };
    match status {
        ServingStatus::Serving => Ok(()),
        other => Err(format!("not ready ({})", other.as_str_name())),
    }
}

/// Why a call failed: the status says of a broken way no more than that it is broken.
fn innermost(status: &tonic::Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RpcConfig;
    use crate::server::{Routes, serve};
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn a_service_is_told_to_be_away_unready_or_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = format!("http://{}", listener.local_addr().unwrap());
        let config = RpcConfig {
            auth: vec![here],
            rooms: vec!["http://127.0.0.1:1".to_owned()],
            presence: vec![],
            ..RpcConfig::default()
        };
        let rpc = Rpc::open(config).unwrap();
        let routes = Routes::new();
        let ready = routes.health();
        let shutdown = CancellationToken::new();
        let (serving, stop) = (rpc.clone(), shutdown.clone());
        let serving = tokio::spawn(async move { serve(listener, routes, &serving, stop).await });
        let found = check(&rpc).await;
        assert!(found[0].1.as_ref().unwrap_err().contains("not ready"), "{found:?}");
        assert!(found[1].1.is_err(), "{found:?}");
        ready.set(true).await;
        assert_eq!(check(&rpc).await[0].1, Ok("1 ready".to_owned()));
        shutdown.cancel();
        serving.await.unwrap().unwrap();
    }
}
