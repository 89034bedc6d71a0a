//! `roomcast token`: an access token of the development issuer, without a running server.
//!
//! Signs with the key in the data directory, so whoever can read that file may give any role.
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use runtime::args::ServiceArgs;
use runtime::config::ConfigProblems;

use crate::config;
use crate::issuer::{DevIssuer, Identity};

/// Arguments of `roomcast token`.
#[derive(Debug, Clone, clap::Args)]
pub struct TokenArgs {
    /// Who it is for: the same name is the same person as at the sign-in page.
    pub name: String,
    /// A role beside `user`; may stand several times.
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// How long it holds; a negative figure makes one that has ended.
    #[arg(
        long = "ttl",
        value_name = "SECONDS",
        default_value_t = 3600,
        allow_negative_numbers = true
    )]
    pub ttl_s: i64,
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Prints the token for the server with the same config.
pub fn run(args: TokenArgs) -> ExitCode {
    let config = match config::read(args.service.config.clone()) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(ConfigProblems::EXIT_CODE);
        }
    };
    let made = if config.has_dev_issuer() {
        make(&args, &config.public_url(), &config.roomcast.data_dir)
    } else {
        Err(anyhow::anyhow!(
            "the development issuer is off: tokens come from auth.issuers or auth.tokens"
        ))
    };
    match made {
        Ok(token) => {
            println!("{token}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("roomcast token: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The token. `public_url` and `data_dir` are those of the server that is to accept it.
pub fn make(args: &TokenArgs, public_url: &str, data_dir: &Path) -> anyhow::Result<String> {
    let identity = Identity::new(&args.name, &args.roles)
        .context("a name has 1 to 64 characters, none a control character")?;
    DevIssuer::open(public_url, data_dir)?.access_token(&identity, args.ttl_s)
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn parse(line: &[&str]) -> TokenArgs {
        let command = <TokenArgs as clap::Args>::augment_args(clap::Command::new("token"));
        TokenArgs::from_arg_matches(&command.try_get_matches_from(line).unwrap()).unwrap()
    }

    #[test]
    fn the_command_line_is_read() {
        let args = parse(&["token", "ann", "--role", "admin", "--role", "bot", "--ttl", "-5"]);
        assert_eq!((args.name.as_str(), args.ttl_s), ("ann", -5));
        assert_eq!(args.roles, ["admin", "bot"]);
        assert_eq!(parse(&["token", "ann"]).ttl_s, 3600);
    }
}
