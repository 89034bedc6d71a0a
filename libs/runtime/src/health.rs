//! The word `health`: asks this machine's own service whether it is ready, for images without a shell.
//!
//! It reads the same config as the service and asks `/readyz` at the ops port, on loopback where
//! that listens everywhere. One question, at most two seconds; code 0 if the answer is 200, 64 if the config
//! is bad, else 1 with the reason on standard error.
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::args::ServiceArgs;
use crate::config::{ConfigProblems, Loader};
use crate::ops::OpsConfig;
use crate::process::program;

/// How long connecting, and then each part of the answer, may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Most of an answer that is looked at: its first line says all.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Asks the service `name`, and says why if it is not ready. `suppose` gives the loader what the
/// service's own start would.
pub fn run(name: &'static str, args: &ServiceArgs, suppose: impl FnOnce(&mut Loader)) -> ExitCode {
    let ops = match ops(args, suppose) {
        Ok(ops) => ops,
        Err(problems) => {
            eprintln!("{}: {problems}", program(name));
            return ExitCode::from(ConfigProblems::EXIT_CODE);
        }
    };
    match ask(&ops) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", program(name));
            ExitCode::FAILURE
        }
    }
}

fn ops(args: &ServiceArgs, suppose: impl FnOnce(&mut Loader)) -> Result<OpsConfig, ConfigProblems> {
    let mut loader = Loader::open(args.config.clone())?;
    suppose(&mut loader);
    let ops = loader.section("ops", OpsConfig::problems);
    loader.finish()?;
    Ok(ops)
}

fn ask(ops: &OpsConfig) -> anyhow::Result<()> {
    let listen: SocketAddr = ops.listen.parse().context("ops.listen")?;
    let address = SocketAddr::new(reached_by(listen.ip()), listen.port());
    let asked = || format!("the ops port {address}");
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE).with_context(asked)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).with_context(asked)?;
    let mut answer = Vec::new();
    socket.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).with_context(asked)?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let body = answer.split_once("\r\n\r\n").map_or("no answer", |(_, body)| body.trim());
    bail!("not ready: {body}");
}

/// Who listens everywhere is asked on loopback.
fn reached_by(listens: IpAddr) -> IpAddr {
    match listens {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        given => given,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prometheus::Recorder;
    use crate::ready::Readiness;
    use tokio_util::sync::CancellationToken;

    async fn asked(ops: &OpsConfig) -> anyhow::Result<()> {
        let ops = ops.clone();
        tokio::task::spawn_blocking(move || ask(&ops)).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_well_only_while_the_service_is_ready() {
        let any = OpsConfig { listen: "0.0.0.0:0".to_owned(), ..OpsConfig::default() };
        let readiness = Readiness::new(CancellationToken::new());
        let flag = readiness.flag("rooms");
        let port = crate::ops::start(&any, readiness, Recorder::detached("test")).unwrap();
        let ops = OpsConfig { listen: port.address.to_string(), ..any };
        let unready = asked(&ops).await.unwrap_err().to_string();
        assert!(unready.contains(r#""rooms":false"#), "{unready}");
        flag.set(true);
        asked(&ops).await.unwrap();
        port.stop().await;
        asked(&ops).await.unwrap_err();
    }

    #[test]
    fn a_port_that_listens_everywhere_is_asked_on_loopback() {
        let by = |text: &str| reached_by(text.parse().unwrap()).to_string();
        assert_eq!(by("0.0.0.0"), "127.0.0.1");
        assert_eq!(by("::"), "::1");
        assert_eq!(by("10.0.0.7"), "10.0.0.7");
    }
}
