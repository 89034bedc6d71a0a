//! The profiles of compose.yaml: what is started, with which settings, and what has to hold then.
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use super::System;
use crate::docker::{Docker, stand_in, wait};
use crate::report::Report;
use crate::shell::{self, Shell};

/// Which profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// More of what keeps data: each of RabbitMQ, Redis and Keycloak may lose one.
    Ha,
    /// Figures, rules and traces.
    Observe,
    /// HTTPS by Traefik, with a certificate that an ACME authority of the test's own signs.
    Tls,
}

/// Killed one after the other. The first of each is the one that the others joined.
const HA_VICTIMS: [&str; 3] = ["redis-1", "rabbitmq-1", "keycloak-1"];
/// A name that leads to this machine without a name server, and is no address.
const TLS_HOST: &str = "chat.localhost";
const TLS_URL: &str = "https://chat.localhost:8443";
const ACME: &str = "https://pebble:14000/dir";
/// Processes of ours, each with an ops port.
const OURS: usize = 9;
/// How long an authority on the same machine may take.
const SIGNED_MAX: Duration = Duration::from_secs(60);
/// Spans leave every 5 s.
const TRACED_MAX: Duration = Duration::from_secs(60);
/// Scrapes come every 15 s.
const SCRAPED_MAX: Duration = Duration::from_secs(60);

impl Profile {
    /// The services that are named to be started, with all that they need; an image that is nowhere to
    /// be had leaves its service out, which is said.
    pub(super) fn services(self, shell: &Shell, docker: &Docker) -> Result<Vec<&'static str>> {
        let mut services = vec!["nginx"];
        match self {
            Self::Ha => {
                stand_in::need(shell, docker, &["haproxy:3.0"])?;
                services.extend(["rabbitmq-1", "rabbitmq-2", "redis-primary", "keycloak-1"]);
            }
            Self::Observe => {
                let images = ["prom/prometheus:v3.7.3", "jaegertracing/jaeger:2.13.0"];
                stand_in::need(shell, docker, &images)?;
                services.extend(["prometheus", "jaeger"]);
                let grafana = "grafana/grafana:12.2.0";
                if docker.has(grafana) || docker.output(&["pull", "--quiet", grafana]).is_ok() {
                    services.push("grafana");
                } else {
                    println!("compose: without grafana: {grafana} cannot be had here");
                }
            }
            Self::Tls => {
                stand_in::need(shell, docker, &["traefik:v3.6", "roomcast-test/pebble"])?;
                services.push("traefik");
            }
        }
        Ok(services)
    }

    /// Adds its settings to a file of secrets, as .env.example names them.
    pub(super) fn settings(self, file: &Path) -> Result<()> {
        let mut text = std::fs::read_to_string(file)?;
        match self {
            Self::Ha => {
                let password = secret(&text, "RABBITMQ_PASSWORD")?;
                let node = |host| format!("amqp://roomcast:{password}@{host}:5672/%2F");
                let nodes = ["rabbitmq", "rabbitmq-1", "rabbitmq-2"].map(node).join(",");
                writeln!(text, "ROOMCAST_BUS_ADDRESSES={nodes}")?;
                writeln!(text, "REDIS_HOST=redis-primary\nKEYCLOAK_CACHE=ispn")?;
            }
            Self::Observe => {
                writeln!(text, "ROOMCAST_TELEMETRY__OTLP_ENDPOINT=http://jaeger:4317")?;
            }
            Self::Tls => {
                writeln!(text, "ROOMCAST_HOST={TLS_HOST}\nROOMCAST_PUBLIC_URL={TLS_URL}")?;
                writeln!(text, "ROOMCAST_HTTP_PORT=8081\nROOMCAST_HTTPS_PORT=8443")?;
                writeln!(text, "ACME_EMAIL=test@example.com\nACME_SERVER={ACME}")?;
            }
        }
        std::fs::write(file, text).context("the file of secrets")
    }

    /// How long it may take from the images being there to all being well, seconds: the second
    /// Keycloak waits for the first.
    pub(super) fn up_s_max(self) -> &'static str {
        match self {
            Self::Ha => "300",
            Self::Observe | Self::Tls => super::UP_S_MAX,
        }
    }

    /// What browsers open.
    pub(super) fn url(self) -> &'static str {
        match self {
            Self::Ha | Self::Observe => super::URL,
            Self::Tls => TLS_URL,
        }
    }

    /// What is laid over compose.yaml for the test.
    pub(super) fn overlay(self) -> Option<&'static str> {
        (self == Self::Tls).then_some("libs/xtask/images/pebble.yaml")
    }

    /// What has to hold while it runs.
    pub(super) fn steps(self, system: &System, report: &mut Report) {
        if self == Self::Tls {
            report.step("certificate", || certificate(system));
        }
        report.step("browser", || system.browser());
        match self {
            Self::Tls => {
                let victim = "gateway-1-1";
                report.step(&format!("browser without {victim}"), || system.without(victim));
                report.step("plain HTTP", || redirected(system.shell));
            }
            Self::Ha => {
                report.step("nodes of RabbitMQ", || nodes(system));
                for victim in HA_VICTIMS {
                    report.step(&format!("browser without {victim}"), || system.without(victim));
                }
            }
            Self::Observe => {
                let up = format!("count(up{{job=\"roomcast\"}} == 1) == {OURS}");
                report.step("scraped", || query(system, &up));
                report.step("broker scraped", || query(system, "up{job=\"rabbitmq\"} == 1"));
                let opened = "sum(roomcast_gateway_connections_opened_total) > 0";
                report.step("figures", || query(system, opened));
                report.step("rules", || query(system, "prometheus_rule_group_rules > 0"));
                report.step("traces", || traced(system.shell));
            }
        }
    }
}

/// Waits until the authority has signed and Traefik shows what it got.
fn certificate(system: &System) -> Result<()> {
    let shown = || {
        let words = ["--insecure", "--silent", "--verbose", "--output", "/dev/null", TLS_URL];
        let answer = system.shell.command("", "curl", &words).output();
        answer.map(|answer| String::from_utf8_lossy(&answer.stderr).into_owned())
    };
    wait(SIGNED_MAX, "a certificate by ACME", || Ok(shown()?.contains("issuer: CN=Pebble")))
}

/// Plain HTTP leads to HTTPS, and nowhere else.
fn redirected(shell: &Shell) -> Result<()> {
    let words =
        ["--silent", "--output", "/dev/null", "--write-out", "%{http_code} %{redirect_url}"];
    let url = format!("http://{TLS_HOST}:8081/room/general");
    let answer = shell::output(shell.command("", "curl", &[&words[..], &[&url]].concat()))?;
    ensure!(answer.starts_with("308 https://") || answer.starts_with("301 https://"), "{answer}");
    Ok(())
}

fn secret<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines.rev().find(|(key, _)| *key == name).map(|(_, value)| value).context(name.to_owned())
}

/// All three have to be members of one cluster, and to run.
fn nodes(system: &System) -> Result<()> {
    let words =
        ["exec", "--no-TTY", "rabbitmq", "rabbitmqctl", "cluster_status", "--formatter", "json"];
    let status = system.docker.output(&system.words(&words)?)?;
    let start = status.find('{').context("no status")?;
    let status: serde_json::Value = serde_json::from_str(&status[start..])?;
    let running = status["running_nodes"].as_array().context("no running_nodes")?;
    ensure!(running.len() == 3, "{running:?}");
    Ok(())
}

/// Waits until Jaeger shows a message's way: by a gateway to rooms, and to somebody's socket.
fn traced(shell: &Shell) -> Result<()> {
    let url = "http://localhost:16686/api/traces?service=roomcast-rooms&limit=100";
    wait(TRACED_MAX, "the trace of a message", || {
        let command = shell.command("", "curl", &["--silent", "--fail", url]);
        let Ok(answer) = shell::output(command) else { return Ok(false) };
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        let traces = answer["data"].as_array().context("Jaeger gave no list")?;
        let whole = |trace: &serde_json::Value| {
            let spans = trace["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
            let has = |name: &&str| spans.iter().any(|span| span["operationName"] == *name);
            ["publish", "rooms.publish", "deliver"].iter().all(has)
        };
        Ok(traces.iter().any(whole))
    })
}

/// Waits until a query of Prometheus has an answer.
fn query(system: &System, expression: &str) -> Result<()> {
    let words = ["exec", "--no-TTY", "prometheus", "promtool", "query", "instant"];
    let words = [&words[..], &["http://localhost:9090", expression]].concat();
    let words = system.words(&words)?;
    let waited = wait(SCRAPED_MAX, expression, || {
        Ok(system.docker.output(&words).is_ok_and(|answer| !answer.trim().is_empty()))
    });
    if waited.is_err() {
        bail!("{expression}: no answer, {}", system.docker.output(&words)?);
    }
    Ok(())
}
