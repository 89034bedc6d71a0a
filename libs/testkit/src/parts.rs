//! Real parts for tests: PostgreSQL, Redis, RabbitMQ and Keycloak, each on free ports with data of its own.
//!
//! Every part ends when its value is dropped, also while a test panics; what a killed test process
//! leaves is ended and removed by a janitor process that waits for that death. Only what was started
//! here is ever signalled. Starting and asking are async and run on the runtime's blocking threads
//! (a tokio runtime is needed); signals are plain functions and take milliseconds. A missing program
//! is an error that names the Debian package to install.
//!
//! RabbitMQ, PostgreSQL and Keycloak boot slowly: tests that do not kill them share one with
//! [`shared_rabbit`], [`shared_postgres`] and [`shared_keycloak`] and take a vhost, a database or people each.
mod encrypted;
mod keycloak;
mod place;
mod postgres;
mod process;
mod program;
mod rabbit;
mod redis;

pub use encrypted::Encrypted;
pub use keycloak::{Keycloak, Person, Tokens, shared_keycloak};
pub use place::free_port;
pub use postgres::{Postgres, shared_postgres};
pub use process::Process;
pub use program::Program;
pub use rabbit::{Binding, Queue, Rabbit, Vhost, shared_rabbit};
pub use redis::Redis;

/// Runs slow, blocking work away from the runtime's own threads.
async fn blocking<T, F>(work: F) -> anyhow::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> anyhow::Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await?
}
