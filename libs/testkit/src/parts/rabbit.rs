//! A RabbitMQ node for tests, with a name server (epmd), node name, cookie and ports of its own.
//!
//! It boots in five seconds or more: share one by [`shared_rabbit`] and take a vhost each, unless
//! the test kills it. What an operator would do to it is in the second half, in `rabbit/admin`.
mod admin;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Result, anyhow};
use rustix::process::Signal;

pub use admin::{Binding, Queue, Vhost};

use super::blocking;
use super::place::{PartDir, free_port};
use super::process::{Process, Recipe, accepts, find_program, wait_until};

const PACKAGE: &str = "rabbitmq-server";
const START: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(20);

/// A running RabbitMQ node. Ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Rabbit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    process: Process,
    _epmd: Process,
    ctl: Recipe,
    erl_call: PathBuf,
    port: u16,
    dist_port: u16,
    cookie: String,
    _dir: PartDir,
}

/// One RabbitMQ for all tests of a process that do not kill it: take a vhost each.
pub async fn shared_rabbit() -> Result<&'static Rabbit> {
    static SHARED: OnceLock<std::result::Result<Rabbit, String>> = OnceLock::new();
    blocking(|| match SHARED.get_or_init(|| start("").map_err(|error| format!("{error:#}"))) {
        Ok(rabbit) => Ok(rabbit),
        Err(error) => Err(anyhow!("{error}")),
    })
    .await
}

impl Rabbit {
    /// Starts one.
    pub async fn start() -> Result<Self> {
        Self::start_with("").await
    }

    /// Starts one with lines of `rabbitmq.conf` beside the usual ones.
    pub async fn start_with(conf: &str) -> Result<Self> {
        let conf = conf.to_owned();
        blocking(move || start(&conf)).await
    }

    /// The url of the vhost `/`: `amqp://guest:guest@127.0.0.1:<port>/%2F`.
    pub fn url(&self) -> String {
        self.0.url("%2F")
    }

    /// The AMQP port on 127.0.0.1; the same after a restart.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// The node's process, to be killed, frozen and thawed.
    pub fn process(&self) -> &Process {
        &self.0.process
    }

    /// Kills it at once.
    pub fn kill9(&self) {
        self.0.process.kill9();
    }

    /// Stops it where it is; clients see silence.
    pub fn freeze(&self) {
        self.0.process.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.0.process.thaw();
    }

    /// Ends it, if it runs, and starts it again on the same ports and data (vhosts stay).
    pub async fn restart(&self) -> Result<()> {
        let inner = self.0.clone();
        blocking(move || {
            inner.process.stop(Signal::TERM, STOP);
            inner.process.start_again()?;
            inner.wait()
        })
        .await
    }
}

fn start(conf: &str) -> Result<Rabbit> {
    let bin = [PathBuf::from("/usr/lib/rabbitmq/bin")];
    let erlang = [PathBuf::from("/usr/lib/erlang/bin")];
    let server = find_program("rabbitmq-server", PACKAGE, &bin)?;
    let ctl = find_program("rabbitmqctl", PACKAGE, &bin)?;
    let epmd = find_program("epmd", "erlang-base", &erlang)?;
    let erl_call = find_program("erl_call", "erlang-base", &erlang)?;

    let dir = PartDir::new("rabbit")?;
    let (port, dist_port, epmd_port) = (free_port()?, free_port()?, free_port()?);
    let cookie = uuid::Uuid::new_v4().simple().to_string();
    lay_out(dir.path(), &cookie, port, conf)?;

    let env = environment(dir.path(), port, dist_port, epmd_port);
    let recipe = |program: PathBuf, log: &str, args: Vec<OsString>| Recipe {
        program,
        args,
        env: env.clone(),
        dir: dir.path().to_owned(),
        log: dir.path().join(log),
        user: None,
    };
    // A name server of our own: else the node would start a daemon that outlives it.
    let args = ["-address", "127.0.0.1", "-port", &epmd_port.to_string()].map(OsString::from);
    let epmd = Process::start(recipe(epmd, "epmd.log", args.to_vec()))?;
    wait_until("epmd", START, || Ok(accepts(epmd_port)))?;
    let process = Process::start(recipe(server, "out.log", Vec::new()))?;
    let ctl = recipe(ctl, "ctl.log", Vec::new());
    let inner = Inner { process, _epmd: epmd, ctl, erl_call, port, dist_port, cookie, _dir: dir };
    inner.wait()?;
    Ok(Rabbit(Arc::new(inner)))
}

fn lay_out(dir: &Path, cookie: &str, port: u16, conf: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let file = dir.join(".erlang.cookie");
    std::fs::write(&file, cookie)?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400))?;
    std::fs::write(dir.join("plugins"), "[].")?;
    let text = format!("listeners.tcp.1 = 127.0.0.1:{port}\nlog.file.level = info\n{conf}\n");
    std::fs::write(dir.join("rabbitmq.conf"), text)?;
    Ok(())
}

fn environment(dir: &Path, port: u16, dist: u16, epmd: u16) -> Vec<(&'static str, OsString)> {
    let file = |name: &str| dir.join(name).into_os_string();
    vec![
        ("HOME", dir.as_os_str().to_owned()),
        ("RABBITMQ_NODENAME", format!("test{port}@localhost").into()),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".into()),
        ("RABBITMQ_NODE_PORT", port.to_string().into()),
        ("RABBITMQ_DIST_PORT", dist.to_string().into()),
        ("RABBITMQ_MNESIA_BASE", file("db")),
        ("RABBITMQ_LOG_BASE", file("log")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins")),
        ("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf")),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
        ("ERL_EPMD_PORT", epmd.to_string().into()),
        ("ERL_CRASH_DUMP_BYTES", "0".into()),
        // Makes the start script become the node, so that our signals reach the node itself.
        ("RUNNING_UNDER_SYSTEMD", "true".into()),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none".into(),
        ),
    ]
}

impl Inner {
    fn url(&self, vhost: &str) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/{vhost}", self.port)
    }

    fn wait(&self) -> Result<()> {
        self.process.wait_ready(START, || {
            Ok(accepts(self.port)
                && self.eval("rabbit:is_running().").is_ok_and(|answer| answer == "{ok, true}"))
        })
    }
}
