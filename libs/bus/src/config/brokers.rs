//! The brokers that a config names, and how a connection to one of them is asked for.
use amqprs::connection::OpenConnectionArguments;
use amqprs::tls::TlsAdaptor;
use secrecy::ExposeSecret;
use tokio_rustls::TlsConnector;

use super::{Address, BusConfig, Target};

/// See the file's head.
pub(crate) struct Brokers {
    /// In the order of the config.
    pub(crate) targets: Vec<Target>,
    /// Whom those at `amqps://` have to be known by.
    tls: Option<TlsConnector>,
}

impl Brokers {
    /// Every address of both keys, checked, and the authorities. The error begins with the key.
    pub(super) fn of(config: &BusConfig) -> Result<Self, String> {
        let targets = targets(config)?;
        let authority = config.authority_file.as_deref();
        let needed = authority.is_some() || targets.iter().any(|target| target.tls);
        let tls = needed.then(|| certificates::client(authority)).transpose();
        let tls = tls.map_err(|problem| problem.to_string())?.map(TlsConnector::from);
        Ok(Self { targets, tls })
    }

    /// What the client library is to be told for a connection that the broker lists as `name`.
    ///
    /// Over TLS the library writes without a flush: what a full socket did not take goes out with
    /// the next frame, which is a heartbeat or a probe at the latest.
    pub(crate) fn arguments(&self, target: &Target, name: &str) -> OpenConnectionArguments {
        let password = target.password.expose_secret();
        let mut args =
            OpenConnectionArguments::new(&target.host, target.port, &target.user, password);
        args.virtual_host(&target.vhost).connection_name(name);
        if let Some(connector) = self.tls.as_ref().filter(|_| target.tls) {
            args.tls_adaptor(TlsAdaptor::new(connector.clone(), target.name().to_owned()));
        }
        args
    }
}

fn targets(config: &BusConfig) -> Result<Vec<Target>, String> {
    let mut targets = Vec::new();
    for address in &config.addresses {
        targets.push(address.target().map_err(|error| format!("addresses: {error}"))?);
    }
    if let Some(file) = &config.addresses_file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("addresses_file: {}: {error}", file.display()))?;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let target = Address::new(line).target();
            targets.push(target.map_err(|error| format!("addresses_file: {error}"))?);
        }
    }
    Ok(targets)
}
