//! One installation on one machine, for tests: a folder, free ports, the real binary.
#![expect(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testkit::parts::{Program, free_port};

const BINARY: &str = env!("CARGO_BIN_EXE_roomcast");
/// How long a start or an end may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command did.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
}

/// A running `roomcast serve`.
pub struct Installation {
    /// The process.
    pub program: Program,
    /// Its public port.
    pub port: u16,
    /// Its ops port.
    pub ops_port: u16,
    admin_port: u16,
}

/// Runs `roomcast` to its end in a folder.
pub fn run(args: &[&str], environment: &[(&str, &str)], folder: &Path) -> Ended {
    let mut command = Command::new(BINARY);
    command.args(args).envs(environment.iter().copied()).current_dir(folder);
    let ended = command.output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: ended.status.code().unwrap_or(-1),
        out: text(&ended.stdout),
        err: text(&ended.stderr),
    }
}

impl Installation {
    /// Starts one with further lines of config, and waits until it is ready.
    pub async fn start(more: &str) -> Self {
        let ports = [free_port(), free_port(), free_port()].map(|port| port.expect("a free port"));
        let [port, ops_port, admin_port] = ports;
        let config = format!(
            "[gateway]\nlisten = \"127.0.0.1:{port}\"\n\
             [gateway.drain]\naccept_ms = 50\nwindow_ms = 100\n\
             [ops]\nlisten = \"127.0.0.1:{ops_port}\"\n\
             [rooms]\nadmin_listen = \"127.0.0.1:{admin_port}\"\n{more}"
        );
        let args = ["serve", "--config", "roomcast.toml"];
        let files = [("roomcast.toml", config)];
        let program = Program::start(Path::new(BINARY), &args, &[], &files).await.expect("a start");
        let one = Self { program, port, ops_port, admin_port };
        one.ready().await;
        one
    }

    /// Waits until it is ready.
    pub async fn ready(&self) {
        let log = || self.program.log();
        self.program
            .wait_port(self.ops_port, PATIENCE)
            .await
            .unwrap_or_else(|e| panic!("{e}: {}", log()));
        let ready = async || self.ops("/readyz").await.contains("\"ready\":true");
        let waited = testkit::poll::until(PATIENCE, "ready", ready).await;
        waited.unwrap_or_else(|error| panic!("{error}: {}", log()));
    }

    /// Asks it to stop and gives its exit code.
    pub async fn stop(&self) -> Option<i32> {
        self.program.terminate();
        self.program.exit_code(PATIENCE).await.expect("an end")
    }

    /// Where its sockets are.
    pub fn socket(&self) -> String {
        format!("ws://127.0.0.1:{}/connection/websocket", self.port)
    }

    /// Asks its public port.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(format!("http://localhost:{}{path}", self.port)).await.expect("an answer")
    }

    /// Asks its ops port; empty if it does not answer.
    pub async fn ops(&self, path: &str) -> String {
        let Ok(answer) = reqwest::get(format!("http://127.0.0.1:{}{path}", self.ops_port)).await
        else {
            return String::new();
        };
        answer.text().await.unwrap_or_default()
    }

    /// A token for it.
    pub fn token(&self, args: &[&str]) -> String {
        let args = [&["token", "--config", "roomcast.toml"], args].concat();
        let ended = run(&args, &[], self.program.dir());
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.out.trim().to_owned()
    }

    /// Administers it.
    pub fn admin(&self, args: &[&str], credential: (&str, &str)) -> Ended {
        let address = format!("http://127.0.0.1:{}", self.admin_port);
        let environment = [("ROOMCAST_ADMIN_ADDRESS", address.as_str()), credential];
        run(&[&["admin"], args].concat(), &environment, self.program.dir())
    }
}
