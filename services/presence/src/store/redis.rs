//! Presence in Redis, for many pods: every step is one Lua script, atomic in the server.
//!
//! Needs one Redis 7 (or Valkey) primary with `maxmemory-policy noeviction`; sentinel or a fixed
//! name may move it. All keys share one hash slot, and Redis Cluster is not supported. Liveness is
//! the TTL of a lease's key, judged by Redis. A pooled connection that broke is replaced at the
//! next use; a frozen or absent Redis is `Unavailable` within a few time-outs.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use deadpool_redis::{Manager, Pool, Runtime};
use domain::{
    Error, GatewayId, GatewayInfo, Incarnation, LeaseId, PresenceBatch, PresenceCounts,
    PresenceEntry, PresenceTotals, PrincipalId, Result, RoomName,
};
use redis::{AsyncConnectionConfig, FromRedisValue, Script};
use rpc::presence::LeaseState;

use super::{Applied, Store, Swept, Terms};
use crate::config::PresenceConfig;
use crate::metrics;

mod client;
mod scripts;
mod value;

pub(crate) use client::client;

use scripts::Scripts;

/// Changes that one script call takes at most. Measured on a busy core: 50 µs a change, so 10 ms of
/// Redis' only thread.
const PART_CHANGES: usize = 200;

/// What scripts say instead of an answer that could be wrong.
const REFUSALS: [&str; 2] = ["EMPTY", "UNSETTLED"];

/// The store of many pods.
pub struct RedisStore {
    pool: Pool,
    /// First of all keys; its braces make all of them one hash slot.
    root: String,
    terms: Terms,
    /// One call of the store ends within this, whatever Redis does.
    call_limit: Duration,
    scripts: Scripts,
    /// Whether the last call was answered: a store that is away is told once, not with every call.
    answers: AtomicBool,
}

impl RedisStore {
    /// A store at `url`. Connects at first use.
    ///
    /// # Errors
    /// `url` is not the address of a Redis, or the config's authorities cannot be read.
    pub fn new(url: &str, config: &PresenceConfig) -> anyhow::Result<Self> {
        let timeout = Duration::from_millis(config.redis_timeout_ms);
        let connections = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        let info = client(url, config)?.get_connection_info().clone();
        let manager = Manager::new_with_config(info, connections).context("store")?;
        let pool = Pool::builder(manager)
            .max_size(config.redis_connections_max)
            .wait_timeout(Some(timeout))
            .create_timeout(Some(timeout))
            .recycle_timeout(Some(timeout))
            .runtime(Runtime::Tokio1)
            .build()?;
        Ok(Self {
            pool,
            root: format!("{{{}}}:", config.key_prefix),
            terms: config.terms(),
            call_limit: timeout * 3,
            scripts: Scripts::new(),
            answers: AtomicBool::new(true),
        })
    }

    /// Tells the log when the store goes away and when it is back. What is wrong stays in the log:
    /// it may name hosts, and errors may go out to clients.
    fn note_health(&self, call: &'static str, failure: Option<&str>) {
        let answered = self.answers.swap(failure.is_none(), Ordering::Relaxed);
        match failure {
            Some(error) if answered => {
                tracing::warn!(call, error, "the presence store cannot be asked");
            }
            None if !answered => tracing::info!("the presence store answers again"),
            _ => {}
        }
    }

    /// Runs one script.
    ///
    /// A wait that is given up leaves the connection sound: it is multiplexed, and drops the answer
    /// of whoever has gone.
    async fn run<T: FromRedisValue>(
        &self,
        name: &'static str,
        script: &Script,
        args: &[String],
    ) -> Result<T> {
        let began = std::time::Instant::now();
        let call = async {
            let mut connection = self.pool.get().await.map_err(|error| error.to_string())?;
            let answer = script.key(&self.root).arg(args).invoke_async(&mut connection).await;
            match answer {
                Ok(value) => Ok(Ok(value)),
                // Redis is well, and a script says why it cannot tell.
                Err(error) if error.code().is_some_and(|code| REFUSALS.contains(&code)) => {
                    Ok(Err(Error::unavailable("it is not known yet who is here")))
                }
                Err(error) => Err(error.to_string()),
            }
        };
        let late = || Err("no answer in time".to_owned());
        let answer = tokio::time::timeout(self.call_limit, call).await.unwrap_or_else(|_| late());
        self.note_health(name, answer.as_ref().err().map(String::as_str));
        let away = |_| Err(Error::unavailable("the presence store cannot be asked"));
        let outcome = answer.unwrap_or_else(away);
        metrics::store_call(name, began, &outcome);
        outcome
    }
}

fn ms(duration: Duration) -> String {
    duration.as_millis().to_string()
}

fn state(held: i64) -> LeaseState {
    if held == 1 { LeaseState::Held } else { LeaseState::Lost }
}

#[async_trait]
impl Store for RedisStore {
    async fn open(
        &self,
        gateway: GatewayId,
        incarnation: Incarnation,
        lease: LeaseId,
        peer_url: Option<String>,
    ) -> Result<()> {
        let args = [
            lease.to_string(),
            gateway.to_string(),
            incarnation.to_string(),
            ms(self.terms.ttl),
            uuid::Uuid::new_v4().simple().to_string(),
            peer_url.unwrap_or_default(),
        ];
        self.run::<i64>("open", &self.scripts.open, &args).await.map(|_| ())
    }

    async fn renew(&self, lease: LeaseId) -> Result<LeaseState> {
        let args = [lease.to_string(), ms(self.terms.ttl)];
        self.run("renew", &self.scripts.renew, &args).await.map(state)
    }

    async fn close(&self, lease: LeaseId) -> Result<()> {
        self.run::<i64>("close", &self.scripts.close, &[lease.to_string()]).await.map(|_| ())
    }

    /// Parts of a batch are numbered too, so a batch that broke off goes on where it was.
    async fn apply(&self, lease: LeaseId, batch: &PresenceBatch) -> Result<Applied> {
        let mut applied = Applied { state: LeaseState::Held, told: Vec::new() };
        let parts = batch.changes.len().div_ceil(PART_CHANGES).max(1);
        for part in 1..=parts {
            let from = (part - 1) * PART_CHANGES;
            let to = batch.changes.len().min(part * PART_CHANGES);
            let mut args = vec![
                lease.to_string(),
                batch.number.to_string(),
                part.to_string(),
                u8::from(part == parts).to_string(),
                u8::from(batch.announce).to_string(),
                ms(self.terms.hold),
            ];
            for change in &batch.changes[from..to] {
                value::push_change(&mut args, change);
            }
            let (held, told): (i64, Vec<String>) =
                self.run("apply", &self.scripts.apply, &args).await?;
            applied.told.extend(value::told(&told)?);
            applied.state = state(held);
            if applied.state == LeaseState::Lost {
                break;
            }
        }
        Ok(applied)
    }

    async fn room(&self, room: &RoomName, limit: u32) -> Result<Vec<PresenceEntry>> {
        let args = [room.to_string(), limit.to_string()];
        let flat: Vec<String> = self.run("room", &self.scripts.room, &args).await?;
        value::entries(&flat)
    }

    async fn room_counts(&self, room: &RoomName) -> Result<PresenceCounts> {
        let args = [room.to_string()];
        let (connections, principals) =
            self.run("room_counts", &self.scripts.room_counts, &args).await?;
        Ok(PresenceCounts { connections, principals })
    }

    async fn totals(&self) -> Result<PresenceTotals> {
        let (connections, principals, gateways) =
            self.run("totals", &self.scripts.totals, &[]).await?;
        Ok(PresenceTotals { connections, principals, gateways })
    }

    async fn gateways(&self) -> Result<Vec<GatewayInfo>> {
        let flat: Vec<String> = self.run("gateways", &self.scripts.gateways, &[]).await?;
        value::gateways(&flat)
    }

    async fn connections(&self, principal: &PrincipalId, limit: u32) -> Result<Vec<PresenceEntry>> {
        let args = [principal.hash(), limit.to_string()];
        let flat: Vec<String> = self.run("connections", &self.scripts.connections, &args).await?;
        value::entries(&flat)
    }

    async fn sweep(&self, only: Option<LeaseId>, limit: u32) -> Result<Swept> {
        let args = [
            limit.to_string(),
            only.map(|lease| lease.to_string()).unwrap_or_default(),
            ms(self.terms.ttl),
            ms(self.terms.absence()),
            ms(self.terms.remembrance()),
        ];
        let (taken, more, told): (u64, i64, Vec<String>) =
            self.run("sweep", &self.scripts.sweep, &args).await?;
        Ok(Swept { told: value::told(&told)?, taken, more: more == 1 })
    }
}
