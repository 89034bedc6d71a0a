//! `roomcast-page`: starts nginx for the page's files, in an image that has no shell to do it.
//!
//! It takes the page's settings from the environment (`ROOMCAST_PAGE_ISSUER`, `ROOMCAST_PAGE_CLIENT_ID`),
//! writes `config.json` and the Content-Security-Policy into a folder that may be written, and gives its
//! place to nginx, which then gets the signals. `roomcast-page health` asks that nginx for the settings.
mod health;
mod settings;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use settings::Settings;

/// Where nginx.conf includes the policy from and finds the settings; on a tmpfs where the root is read-only.
const FOLDER: &str = "/tmp/roomcast";
const NGINX: &str = "/usr/sbin/nginx";
/// Bad settings, as the services say it.
const EXIT_CONFIG: u8 = 64;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (ended, code) = match words.as_slice() {
        [] => match Settings::read(variable) {
            Ok(settings) => (serve(&settings), 1),
            Err(error) => (Err(error), EXIT_CONFIG),
        },
        ["health"] => (health::ask(), 1),
        _ => (usage(), 2),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("roomcast-page: {error:#}");
            ExitCode::from(code)
        }
    }
}

fn usage() -> anyhow::Result<()> {
    bail!("usage: roomcast-page [health]")
}

#[expect(clippy::disallowed_methods, reason = "its few settings come from nowhere else")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn serve(settings: &Settings) -> anyhow::Result<()> {
    settings.write(Path::new(FOLDER))?;
    // The log is standard error until nginx has read its config.
    let error = Command::new(NGINX).args(["-e", "stderr"]).exec();
    Err(error).context(NGINX)
}
