//! `roomcast doctor`: asks each part that a config names, as this process would use it.
//!
//! One line a part: what answered, or what failed and what to do about it. Everything is asked,
//! whatever fails before; exit code 1 if anything does. Each crate asks its own part, and all
//! questions have their own time limits.
use std::process::ExitCode;
use std::time::Duration;

use runtime::args::ServiceArgs;
use runtime::config::{ConfigProblems, Loader};

use crate::{config, output};

/// How long one part may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What became of one question.
struct Finding {
    part: String,
    key: &'static str,
    outcome: Result<String, String>,
    advice: &'static str,
}

/// Asks everything.
pub fn run(args: ServiceArgs) -> ExitCode {
    let (config, bus, configured) = match read(args) {
        Ok(read) => read,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(ConfigProblems::EXIT_CODE);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("roomcast doctor: no threads to run on: {error}");
            return ExitCode::FAILURE;
        }
    };
    let findings = runtime.block_on(Box::pin(ask(&config, &bus, &configured)));
    runtime.shutdown_timeout(Duration::from_secs(1));
    let failed = findings.iter().filter(|finding| finding.outcome.is_err()).count();
    for finding in &findings {
        output::print(&line(finding));
    }
    if failed == 0 {
        output::print("\nall parts answered\n");
        return ExitCode::SUCCESS;
    }
    output::print(&format!("\n{failed} of {} parts failed\n", findings.len()));
    ExitCode::FAILURE
}

/// What the config really gives, beyond what one machine supposes.
struct Configured {
    bus: bool,
    rpc: bool,
}

fn read(args: ServiceArgs) -> Result<(config::Config, bus::BusConfig, Configured), ConfigProblems> {
    let mut loader = Loader::open(args.config)?;
    let configured = Configured { bus: loader.has("bus"), rpc: loader.has("rpc") };
    let config = config::load(&mut loader);
    let bus = loader.section("bus", bus::BusConfig::problems);
    loader.finish()?;
    Ok((config, bus, configured))
}

async fn ask(
    config: &config::Config,
    bus: &bus::BusConfig,
    configured: &Configured,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(Finding {
        part: "log".to_owned(),
        key: "rooms.database",
        outcome: in_time(rooms::doctor::check(&config.rooms)).await,
        advice: "start PostgreSQL, or correct rooms.database; its user needs CREATE on the database",
    });
    for (part, outcome) in auth::doctor::check(&config.auth).await {
        findings.push(Finding {
            part,
            key: "auth",
            outcome,
            advice: "start what does not answer, or correct its address under [auth]",
        });
    }
    findings.push(Finding {
        part: "presence".to_owned(),
        key: "presence.store",
        outcome: in_time(presence::doctor::check(&config.presence)).await,
        advice: "start Redis, or correct presence.store",
    });
    if configured.bus {
        findings.push(Finding {
            part: "broker".to_owned(),
            key: "bus.addresses",
            outcome: in_time(bus::doctor::check(bus)).await,
            advice: "start RabbitMQ, or correct bus.addresses; chat goes on without it, up to 2 s late",
        });
    }
    if configured.rpc {
        for (part, outcome) in services(&config.rpc).await {
            findings.push(Finding {
                part,
                key: "rpc",
                outcome,
                advice: "look at that service's log and /readyz, or correct its addresses under [rpc]",
            });
        }
    }
    findings
}

/// Each address of the other services.
async fn services(config: &rpc::RpcConfig) -> Vec<(String, Result<String, String>)> {
    match rpc::Rpc::open(config.clone()) {
        Ok(rpc) => rpc::doctor::check(&rpc).await,
        Err(error) => vec![("the other services".to_owned(), Err(error.message))],
    }
}

async fn in_time(asking: impl Future<Output = Result<String, String>>) -> Result<String, String> {
    match tokio::time::timeout(ANSWER_WITHIN, asking).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
    }
}

fn line(finding: &Finding) -> String {
    let Finding { part, key, outcome, advice } = finding;
    match outcome {
        Ok(text) => format!("ok    {part} ({key}): {text}\n"),
        Err(text) => format!("FAIL  {part} ({key}): {text}\n      {advice}\n"),
    }
}
