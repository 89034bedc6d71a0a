//! Asks each broker of the config whether it lets us in, and changes nothing.
//!
//! For `roomcast doctor`. A sentence says what is there, or what is wrong; it never holds a password.
use std::time::Duration;

use amqprs::connection::Connection;
use tokio::time::timeout;

use crate::BusConfig;
use crate::config::{Brokers, Target};

/// How long a broker may take to let us go.
const GOODBYE: Duration = Duration::from_secs(1);

/// Looks at every configured broker. One that answers is enough for the bus to work, so only
/// brokers that are all away are an error; those that are away are named either way.
pub async fn check(config: &BusConfig) -> Result<String, String> {
    let brokers = config.brokers()?;
    if brokers.targets.is_empty() {
        return Ok("no address: the bus is inside the process".to_owned());
    }
    let (mut answered, mut away) = (Vec::new(), Vec::new());
    for target in &brokers.targets {
        match ask(&brokers, target, config).await {
            Ok(()) => answered.push(target.place()),
            Err(why) => away.push(format!("{}: {why}", target.place())),
        }
    }
    match (answered.is_empty(), away.is_empty()) {
        (true, _) => Err(away.join("; ")),
        (false, true) => Ok(format!("RabbitMQ at {}", answered.join(", "))),
        (false, false) => {
            Ok(format!("RabbitMQ at {}; away: {}", answered.join(", "), away.join("; ")))
        }
    }
}

async fn ask(brokers: &Brokers, target: &Target, config: &BusConfig) -> Result<(), String> {
    let args = brokers.arguments(target, "roomcast-doctor");
    let opening = timeout(config.connect_timeout(), Connection::open(&args));
    let connection = match opening.await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err("no answer".to_owned()),
    };
    let asking = timeout(config.answer_timeout(), connection.open_channel(None));
    let channel = match asking.await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it lets us in, and then says nothing".to_owned()),
    };
    let said = channel.map(drop);
    // Whether it says goodbye is of no interest; without the wait the library would on its own.
    let _ = timeout(GOODBYE, connection.close()).await;
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;

    #[tokio::test]
    async fn a_broker_that_is_away_is_told_without_its_password() {
        let addresses = vec![Address::new("amqp://user:hunter2@127.0.0.1:1/chat")];
        let config = BusConfig { addresses, ..BusConfig::default() };
        let text = check(&config).await.unwrap_err();
        assert!(text.starts_with("127.0.0.1:1: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(check(&BusConfig::default()).await.unwrap().starts_with("no address"));
    }
}
