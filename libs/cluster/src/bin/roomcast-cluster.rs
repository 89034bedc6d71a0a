//! Starts a whole system on this machine for work by hand and for the bench, and holds it until its
//! standard input ends.
//!
//! Prints one JSON line: socket URLs, HTTP URLs, the admin port, each service's ops port, access
//! tokens, and the processes with their ids. As `keycloak` it is the all-in-one with a real Keycloak
//! for sign-ins in a browser, and the line holds the page's URL, the issuer and two people with
//! their passwords. Everything it started ends with it.
use std::io::Read;
use std::time::Duration;

use anyhow::{Context, bail};
use cluster::service::Ports;
use cluster::{House, Service, Shape, System};
use serde_json::json;
use testkit::parts::Keycloak;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(hold())
}

async fn hold() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: roomcast-cluster all-in-one|processes GATEWAYS TOKENS
       roomcast-cluster keycloak TOKEN_SECONDS";
    let shape = arguments.next().context(usage)?;
    if shape == "keycloak" {
        let seconds = arguments.next().context(usage)?.parse().context(usage)?;
        return hold_keycloak(seconds).await;
    }
    let gateways: usize = arguments.next().context(usage)?.parse().context(usage)?;
    let tokens: usize = arguments.next().context(usage)?.parse().context(usage)?;
    let system = match shape.as_str() {
        "all-in-one" => Shape::all_in_one().start().await?,
        "processes" => {
            let one_each = Shape { gateways, rooms: 1, presence: 1, auth: 1, ..Shape::processes() };
            one_each.start().await?
        }
        _ => bail!(usage),
    };
    println!("{}", describe(&system, tokens)?);
    told_to_end().await
}

/// The page and Keycloak, whose access tokens hold for so long.
async fn hold_keycloak(token_seconds: u32) -> anyhow::Result<()> {
    let ports = Ports::choose()?;
    let page = format!("http://127.0.0.1:{}", ports.main);
    let keycloak = Keycloak::start(&page).await?;
    keycloak.token_lifetime_s(token_seconds).await?;
    let mut people = Vec::new();
    for word in ["ann", "ben"] {
        let person = keycloak.new_person(word, &["user"]).await?;
        people.push(json!({ "name": person.name, "password": person.password }));
    }
    // As it is by default: the page renews when a token has ended.
    let _house = House::open(&keycloak, ports, &["frontend"], Duration::from_secs(25)).await?;
    println!("{}", json!({ "page": page, "issuer": keycloak.issuer(), "people": people }));
    told_to_end().await
}

async fn told_to_end() -> anyhow::Result<()> {
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

fn describe(system: &System, tokens: usize) -> anyhow::Result<serde_json::Value> {
    let services = [&system.gateways, &system.rooms, &system.presence, &system.auth];
    let named = |service: &Service| (service.name.clone(), service.program.process().pid());
    let mut processes: Vec<_> = services.into_iter().flatten().map(named).collect();
    let ops = services.into_iter().flatten().map(|service| {
        let address = format!("127.0.0.1:{}", service.ops_port);
        (service.name.clone(), address)
    });
    let ops: std::collections::BTreeMap<_, _> = ops.collect();
    if let Some(outside) = &system.outside {
        processes.push(("rabbitmq".into(), outside.rabbit.process().pid()));
        processes.push(("postgresql".into(), outside.postgres.process().pid()));
        processes.push(("redis".into(), outside.redis.process().pid()));
    }
    let http: Vec<_> = (0..system.gateways.len()).map(|index| system.http_url(index)).collect();
    let people: anyhow::Result<Vec<_>> =
        (0..tokens).map(|index| system.token(&format!("person-{index}"), &[])).collect();
    let admin = system.rooms.first().unwrap_or(&system.gateways[0]).admin_port;
    Ok(json!({
        "urls": system.urls(),
        "http": http,
        "admin": format!("http://127.0.0.1:{admin}"),
        "ops": ops,
        "admin_token": system.token("root", &["admin"])?,
        "tokens": people?,
        "processes": processes.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    }))
}
