//! The all-in-one that believes a real Keycloak, and reads its key set again after a second.
use std::time::Duration;

use anyhow::Result;
use testkit::parts::Keycloak;

use crate::binaries;
use crate::service::{Ports, Service};

/// A running one. Ends when it is dropped.
#[derive(Debug)]
pub struct House {
    /// The process.
    pub service: Service,
}

impl House {
    /// Starts it on these ports, for tokens of the clients of the realm with these names. Who has not renewed
    /// so long after its token's end is closed.
    pub async fn open(
        keycloak: &Keycloak,
        ports: Ports,
        clients: &[&str],
        grace: Duration,
    ) -> Result<Self> {
        let config = format!(
            "[gateway]\nlisten = \"127.0.0.1:{main}\"\ngateway_id = \"gateway-0\"\n\
             [gateway.connection]\nexpiry_grace_ms = {grace}\n\
             [rooms]\nadmin_listen = \"127.0.0.1:{admin}\"\n[ops]\nlisten = \"127.0.0.1:{ops}\"\n\
             [roomcast]\ndata_dir = \"data\"\n\
             [auth]\nleeway_ms = 1000\njwks_floor_ms = 1000\n\
             [[auth.issuers]]\nurl = \"{issuer}\"\nclient_ids = {clients:?}\n",
            main = ports.main,
            admin = ports.admin,
            ops = ports.ops,
            grace = grace.as_millis(),
            issuer = keycloak.issuer(),
        );
        let binary = binaries::find("roomcast")?;
        let arguments = ["serve", "--config", "roomcast.toml"];
        let files = [("roomcast.toml", config)];
        let service = Service::start("gateway-0", &binary, &arguments, &files, &[], ports).await?;
        service.ready().await?;
        Ok(Self { service })
    }

    /// Where sockets are opened.
    pub fn socket_url(&self) -> String {
        format!("ws://127.0.0.1:{}/ws", self.service.port)
    }
}
