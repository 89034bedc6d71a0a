//! Configs: whatever the file and the environment hold, every problem names its key and shows no
//! secret, and a config without a problem is read again as it was.
//!
//! The input is the file and, each after a zero byte, variables of the environment.
use std::path::Path;

use auth::AuthConfig;
use bus::BusConfig;
use gateway::GatewayConfig;
use presence::PresenceConfig;
use rooms::RoomsConfig;
use rpc::RpcConfig;
use runtime::config::{Loader, SECTIONS};
use runtime::ops::OpsConfig;
use runtime::telemetry::TelemetryConfig;
use toml::{Table, Value};

use crate::take::Take;

/// Stands in secrets, and nowhere in any text of ours.
const MARK: &str = "hunter2";
/// Keys whose values are secrets.
const SECRETS: [&[&str]; 5] = [
    &["auth", "database"],
    &["auth", "tokens", "hmac_secret"],
    &["rooms", "database"],
    &["presence", "store"],
    &["bus", "addresses"],
];

/// Runs one input.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // An operator may name any file; here that would be the tester's own machine.
    if text.contains('/') && ["_file", "ca_", "dev", "proc"].iter().any(|word| text.contains(word))
    {
        return;
    }
    let mut input = Take(input);
    let file = std::str::from_utf8(input.until_zero()).unwrap_or_default();
    let mut variables = Vec::new();
    while !input.0.is_empty() {
        let line = std::str::from_utf8(input.until_zero()).unwrap_or_default();
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        variables.push((name.to_owned(), value.to_owned()));
    }
    let Ok(mut loader) = Loader::from_sources(file, Path::new("f.toml"), variables.clone()) else {
        return;
    };
    let gateway = load(&mut loader);
    let Err(problems) = loader.finish() else { return reads_again(&gateway) };
    // The loader's parser takes some files that this one refuses, as numbers beyond any float: their
    // keys are not known here.
    let Ok(table) = file.parse::<Table>() else { return };
    let sections = sections(&table, &variables);
    for problem in problems.iter() {
        let named = sections.iter().any(|section| {
            let rest = problem.strip_prefix(section.as_str());
            rest.is_some_and(|rest| rest.starts_with([':', '.', '[']))
        });
        assert!(named, "a problem without its key: {problem}");
    }
    let marked = SECRETS.iter().any(|path| secret(&table, path).is_some_and(|s| s.contains(MARK)));
    let elsewhere = file.matches(MARK).count() > 1;
    if marked && !elsewhere && !variables.iter().any(|(name, _)| name.contains(MARK)) {
        assert!(!problems.to_string().contains(MARK), "a secret is shown: {problems}");
    }
}

/// Takes every section that a service takes.
fn load(loader: &mut Loader) -> GatewayConfig {
    let gateway = loader.section("gateway", GatewayConfig::problems);
    let _auth: AuthConfig = loader.section("auth", AuthConfig::problems);
    let _rooms: RoomsConfig = loader.section("rooms", RoomsConfig::problems);
    let _presence: PresenceConfig = loader.section("presence", PresenceConfig::problems);
    let _bus: BusConfig = loader.section("bus", BusConfig::problems);
    let _rpc: RpcConfig = loader.section("rpc", RpcConfig::problems);
    let _ops: OpsConfig = loader.section("ops", OpsConfig::problems);
    let _telemetry: TelemetryConfig = loader.section("telemetry", TelemetryConfig::problems);
    gateway
}

/// A section without a secret, written and read again, is the same.
fn reads_again(gateway: &GatewayConfig) {
    let mut table = Table::new();
    let Ok(section) = Value::try_from(gateway) else { return };
    table.insert("gateway".to_owned(), section);
    let loader = Loader::from_sources(&table.to_string(), Path::new("f.toml"), []);
    let mut loader = loader.expect("what was written is TOML");
    assert_eq!(&load(&mut loader), gateway);
    assert_eq!(loader.finish(), Ok(()));
}

/// The names that a problem may begin with.
fn sections(table: &Table, variables: &[(String, String)]) -> Vec<String> {
    let mut sections: Vec<String> = SECTIONS.map(str::to_owned).into();
    sections.extend(table.keys().cloned());
    sections.extend(variables.iter().filter_map(|(name, _)| {
        let name = name.strip_prefix("ROOMCAST_")?.to_lowercase().replace("__", ".");
        Some(name.split('.').next().unwrap_or_default().to_owned())
    }));
    sections
}

fn secret<'a>(table: &'a Table, path: &[&str]) -> Option<&'a str> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    match (rest, value) {
        ([], Value::String(text)) => Some(text),
        ([], Value::Array(items)) => items.first()?.as_str(),
        (rest, Value::Table(table)) => secret(table, rest),
        _ => None,
    }
}
