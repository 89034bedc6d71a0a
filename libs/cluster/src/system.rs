//! The system under test in one of its two shapes, behind one face.
//!
//! `Shape::processes` is what a cluster runs: gateways, auth, rooms and presence as processes of
//! their own on RabbitMQ, PostgreSQL, Redis and an OIDC issuer. `Shape::all_in_one` is what
//! `roomcast serve` starts on one machine.
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use testkit::issuer::TestIssuer;
use testkit::parts::{Postgres, Rabbit, Redis, Vhost, shared_postgres, shared_rabbit};

use crate::binaries;
use crate::service::{Ports, Service};
use crate::service_tls::{self, ServiceTls};

/// Environment of a process.
pub type Env = Vec<(&'static str, String)>;

/// What to start.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Gateways; 0 for the all-in-one.
    pub gateways: usize,
    /// Rooms pods.
    pub rooms: usize,
    /// Presence pods.
    pub presence: usize,
    /// Auth pods.
    pub auth: usize,
    /// Settings over the usual ones, as `("ROOMCAST_GATEWAY__ROOM__LINGER_MS", "500")`.
    pub env: Env,
    /// A failpoint at which the first rooms pod dies, as `before_commit:20`: each 20th passage.
    pub rooms_dies_at: Option<String>,
    /// The folder of the services' binaries; `None`: those that were built with this test.
    pub binaries: Option<PathBuf>,
    /// Who signs the certificates that the services show each other; `None`: they show none.
    pub service_tls: Option<ServiceTls>,
    /// Whether the test breaks the parts, which then are its own.
    pub own_parts: bool,
}

/// What stands outside of the system.
pub struct Outside {
    /// The broker.
    pub rabbit: Rabbit,
    /// The system's vhost on it.
    pub vhost: Vhost,
    /// The presence store.
    pub redis: Redis,
    /// The database server.
    pub postgres: Postgres,
    /// The system's database on it.
    pub database_url: String,
    /// The issuer.
    pub issuer: TestIssuer,
}

/// A running system.
pub struct System {
    /// Gateways, or the all-in-one alone.
    pub gateways: Vec<Service>,
    /// Rooms pods.
    pub rooms: Vec<Service>,
    /// Presence pods.
    pub presence: Vec<Service>,
    /// Auth pods.
    pub auth: Vec<Service>,
    /// What stands outside; `None` for the all-in-one.
    pub outside: Option<Outside>,
}

impl Shape {
    /// The cluster of the promises: 3 gateways, and 2 of each service.
    pub fn processes() -> Self {
        Self {
            gateways: 3,
            rooms: 2,
            presence: 2,
            auth: 2,
            env: Vec::new(),
            rooms_dies_at: None,
            binaries: None,
            service_tls: None,
            own_parts: false,
        }
    }

    /// One process on embedded defaults.
    pub fn all_in_one() -> Self {
        Self { gateways: 0, ..Self::processes() }
    }

    /// With a setting over the usual one.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.env.push((key, value.to_string()));
        self
    }

    /// With certificates that the services show each other.
    #[must_use]
    pub fn with_service_tls(mut self, tls: ServiceTls) -> Self {
        self.service_tls = Some(tls);
        self
    }

    /// With binaries of another folder.
    #[must_use]
    pub fn with_binaries(mut self, folder: PathBuf) -> Self {
        self.binaries = Some(folder);
        self
    }

    /// With parts of its own, for tests that break them.
    #[must_use]
    pub fn breaking_parts(mut self) -> Self {
        self.own_parts = true;
        self
    }

    /// Which binary is the `index`th of its kind, and its environment.
    fn binary(&self, kind: &str, index: usize) -> Result<(PathBuf, Env)> {
        let mut env = self.env.clone();
        if let (Some(point), "rooms", 0) = (&self.rooms_dies_at, kind, index) {
            env.push(("ROOMCAST_FAILPOINT", point.clone()));
            return Ok((binaries::rooms_with_failpoints()?, env));
        }
        let name = format!("roomcast-{kind}");
        let binary = match &self.binaries {
            Some(folder) => folder.join(name),
            None => binaries::find(&name)?,
        };
        Ok((binary, env))
    }

    /// Starts it and waits until every process is ready.
    pub async fn start(self) -> Result<System> {
        if self.gateways == 0 {
            self.start_all_in_one().await
        } else {
            self.start_processes().await
        }
    }

    async fn start_all_in_one(self) -> Result<System> {
        let ports = Ports::choose()?;
        let config = format!(
            "[gateway]\nlisten = \"127.0.0.1:{}\"\ngateway_id = \"gateway-0\"\n\
             [rooms]\nadmin_listen = \"127.0.0.1:{}\"\n[ops]\nlisten = \"127.0.0.1:{}\"\n\
             [roomcast]\ndata_dir = \"data\"\n",
            ports.main, ports.admin, ports.ops
        );
        let binary = binaries::find("roomcast")?;
        let arguments = ["serve", "--config", "roomcast.toml"];
        let service =
            Service::start("gateway-0", &binary, &arguments, &[file(config)], &self.env, ports)
                .await?;
        service.ready().await?;
        Ok(System {
            gateways: vec![service],
            rooms: Vec::new(),
            presence: Vec::new(),
            auth: Vec::new(),
            outside: None,
        })
    }

    async fn start_processes(self) -> Result<System> {
        let outside = Outside::start(self.own_parts).await?;
        let choose = |count: usize| (0..count).map(|_| Ports::choose()).collect::<Result<Vec<_>>>();
        let plan = Plan {
            gateways: choose(self.gateways)?,
            rooms: choose(self.rooms)?,
            presence: choose(self.presence)?,
            auth: choose(self.auth)?,
        };
        let started = [
            plan.services(&self, "auth", &plan.auth, &outside).await?,
            plan.services(&self, "presence", &plan.presence, &outside).await?,
            plan.services(&self, "rooms", &plan.rooms, &outside).await?,
            plan.services(&self, "gateway", &plan.gateways, &outside).await?,
        ];
        try_join_all(started.iter().flatten().map(Service::ready)).await?;
        let [auth, presence, rooms, gateways] = started;
        Ok(System { gateways, rooms, presence, auth, outside: Some(outside) })
    }
}

fn file(config: String) -> (&'static str, String) {
    ("roomcast.toml", config)
}

/// Who listens where.
struct Plan {
    gateways: Vec<Ports>,
    rooms: Vec<Ports>,
    presence: Vec<Ports>,
    auth: Vec<Ports>,
}

impl Plan {
    async fn services(
        &self,
        shape: &Shape,
        kind: &'static str,
        ports: &[Ports],
        outside: &Outside,
    ) -> Result<Vec<Service>> {
        let mut services = Vec::new();
        for (index, own) in ports.iter().enumerate() {
            let name = format!("{kind}-{index}");
            let tls = shape.service_tls.as_ref();
            let mut config = self.config(&name, kind, *own, outside, tls.is_some());
            let mut files = Vec::new();
            if let Some(tls) = tls {
                config.push_str(service_tls::SECTION);
                files = tls.files(kind, tls.pem())?;
            }
            files.push(file(config));
            let (binary, env) = shape.binary(kind, index)?;
            let arguments = ["--config", "roomcast.toml"];
            let service = Service::start(&name, &binary, &arguments, &files, &env, *own).await?;
            services.push(service);
        }
        Ok(services)
    }

    /// One file, the same sections for every service, as an operator would write it.
    fn config(&self, name: &str, kind: &str, own: Ports, outside: &Outside, tls: bool) -> String {
        let scheme = if tls { "https" } else { "http" };
        let urls = |ports: &[Ports]| {
            let list = ports.iter().map(|ports| format!("\"{scheme}://127.0.0.1:{}\"", ports.main));
            list.collect::<Vec<_>>().join(", ")
        };
        let listen = |of: &str| if of == kind { own.main } else { 0 };
        format!(
            r#"
[ops]
listen = "127.0.0.1:{ops}"
[telemetry]
instance = "{name}"
[rpc]
auth = [{auth_urls}]
rooms = [{rooms_urls}]
presence = [{presence_urls}]
[bus]
addresses = ["{amqp}"]
[gateway]
listen = "127.0.0.1:{gateway}"
gateway_id = "{name}"
peer_listen = "127.0.0.1:{admin}"
peer_url = "{scheme}://127.0.0.1:{admin}"
[auth]
listen = "127.0.0.1:{auth}"
database = "{database}"
[[auth.issuers]]
url = "{issuer}"
[rooms]
listen = "127.0.0.1:{rooms}"
admin_listen = "127.0.0.1:{admin}"
database = "{database}"
[presence]
listen = "127.0.0.1:{presence}"
store = "{redis}"
key_prefix = "{prefix}"
"#,
            ops = own.ops,
            admin = own.admin,
            auth_urls = urls(&self.auth),
            rooms_urls = urls(&self.rooms),
            presence_urls = urls(&self.presence),
            amqp = outside.vhost.url,
            gateway = listen("gateway"),
            auth = listen("auth"),
            rooms = listen("rooms"),
            presence = listen("presence"),
            database = outside.database_url,
            issuer = outside.issuer.url(),
            redis = outside.redis.url(),
            prefix = outside.vhost.name,
        )
    }
}

impl Outside {
    async fn start(own: bool) -> Result<Self> {
        // A broker boots for seconds: only who breaks it gets one of its own.
        let (rabbit, postgres) = if own {
            tokio::try_join!(Rabbit::start(), Postgres::start())?
        } else {
            let (rabbit, postgres) = tokio::try_join!(shared_rabbit(), shared_postgres())?;
            (rabbit.clone(), postgres.clone())
        };
        let vhost = rabbit.new_vhost().await?;
        let database_url = postgres.new_database().await?;
        let redis = Redis::start().await?;
        let issuer = TestIssuer::start().await?;
        Ok(Self { rabbit, vhost, redis, postgres, database_url, issuer })
    }
}

impl System {
    /// Socket URLs of all gateways.
    pub fn urls(&self) -> Vec<String> {
        self.gateways.iter().map(|gateway| format!("ws://127.0.0.1:{}/ws", gateway.port)).collect()
    }

    /// HTTP URL of a gateway.
    pub fn http_url(&self, gateway: usize) -> String {
        format!("http://127.0.0.1:{}", self.gateways[gateway].port)
    }

    /// What stands outside; fails for the all-in-one.
    pub fn outside(&self) -> Result<&Outside> {
        self.outside.as_ref().context("the all-in-one has no parts outside")
    }

    /// An access token for somebody, with further roles, for an hour.
    pub fn token(&self, name: &str, roles: &[&str]) -> Result<String> {
        match &self.outside {
            Some(outside) => {
                let token = outside.issuer.token(name).ttl_s(3_600);
                Ok(roles.iter().fold(token, |token, role| token.role(role)).sign())
            }
            None => self.cli_token(name, roles),
        }
    }

    /// `roomcast token`, as a newcomer would call it.
    fn cli_token(&self, name: &str, roles: &[&str]) -> Result<String> {
        let mut command = Command::new(binaries::find("roomcast")?);
        command.current_dir(self.gateways[0].dir());
        command.args(["token", name, "--config", "roomcast.toml", "--ttl", "3600"]);
        for role in roles {
            command.args(["--role", role]);
        }
        let output = command.output()?;
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "roomcast token: {problem}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// A room name that no other test uses.
    pub fn fresh_room(&self, word: &str) -> Arc<str> {
        format!("{word}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]).into()
    }
}
