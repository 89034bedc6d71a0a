//! `roomcast admin`: every call of the admin service, from a terminal or a script.
//!
//! It speaks gRPC to the admin port of the rooms service (or of the all-in-one process) and is
//! an API key's or a token's holder there: what it may do is decided on that side, and written
//! into the audit log. Prints a table, or JSON with `--json`. Exit code 1 if the call fails.
mod answer;
mod verb;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use domain::Credential;
use rpc::admin::RemoteAdmin;
use rpc::{Rpc, RpcConfig};
use runtime::config::{Secret, resolve};
use secrecy::ExposeSecret;

use crate::output;
use verb::Verb;

/// Where the admin service is, who asks, and what.
#[derive(Debug, Args)]
pub struct AdminArgs {
    /// The admin port.
    #[arg(
        long,
        global = true,
        env = "ROOMCAST_ADMIN_ADDRESS",
        default_value = "http://127.0.0.1:50052"
    )]
    address: String,
    /// A PEM file with the authority of the admin port's certificate: calls go by TLS then.
    #[arg(long, global = true, env = "ROOMCAST_ADMIN_AUTHORITY_FILE", value_name = "FILE")]
    authority_file: Option<PathBuf>,
    /// An API key with the role admin. Better given by the variable: arguments can be seen by others.
    #[arg(long, global = true, env = "ROOMCAST_ADMIN_KEY", hide_env_values = true, value_parser = secret)]
    key: Option<Secret>,
    /// A file with the API key.
    #[arg(long, global = true, env = "ROOMCAST_ADMIN_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// An access token with the role admin, instead of an API key.
    #[arg(long, global = true, env = "ROOMCAST_ADMIN_TOKEN", hide_env_values = true, value_parser = secret)]
    token: Option<Secret>,
    /// How long to wait for the answer, milliseconds.
    #[arg(long, global = true, value_name = "MS", default_value_t = 10_000)]
    timeout_ms: u64,
    /// Prints JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// Makes the call and prints the answer.
pub fn run(args: AdminArgs) -> ExitCode {
    let json = args.json;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime
        .context("no thread to run on")
        .and_then(|runtime| runtime.block_on(Box::pin(call(args))));
    match answer {
        Ok(answer) => {
            output::print(&if json { answer.json() } else { answer.table() });
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("roomcast admin: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn call(args: AdminArgs) -> Result<answer::Answer> {
    let credential = credential(&args)?;
    let addresses = [args.address.clone()];
    if args.address.starts_with("https:") && args.authority_file.is_none() {
        bail!("{}: which authority is to be believed? Give --authority-file", args.address);
    }
    let rpc = Rpc::of_caller(RpcConfig::default(), args.authority_file.as_deref())?;
    let admin = RemoteAdmin::open(&addresses, &credential, &rpc)?;
    let wait = Duration::from_millis(args.timeout_ms);
    verb::apply(&admin, args.verb, wait).await.with_context(|| format!("asked {}", args.address))
}

fn credential(args: &AdminArgs) -> Result<Credential> {
    let key = resolve(&args.key, &args.key_file).context("the API key")?;
    match (key, &args.token) {
        (Some(_), Some(_)) => bail!("give an API key or a token, not both"),
        (Some(key), None) => Ok(Credential::ApiKey(key.expose_secret().to_owned())),
        (None, Some(token)) => Ok(Credential::Bearer(token.expose().to_owned())),
        (None, None) => bail!(
            "no credential: set ROOMCAST_ADMIN_KEY, --key-file or ROOMCAST_ADMIN_TOKEN \
             (the development issuer's: `roomcast token --role admin`)"
        ),
    }
}
