//! The contract of a presence store, on every store that there is: one process's memory and a
//! real Redis. Leases are short and everything that takes time is polled for.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]
use std::sync::Arc;
use std::time::Duration;

use gateway::Gateway;
use presence::PresenceConfig;
use presence::store::memory::MemoryStore;
use presence::store::redis::RedisStore;
use presence::store::{Store, Told};
use rpc::presence::LeaseState;
use testkit::parts::Redis;
use testkit::poll::found;

#[path = "../support/people.rs"]
mod people;

mod batches;
mod differential;
mod encrypted;
mod gateway;
mod leases;
mod reads;
mod signals;
mod silence;
mod sweeping;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store to be tried.
struct Bench {
    store: Arc<dyn Store>,
    _redis: Option<Redis>,
}

impl Bench {
    fn config() -> PresenceConfig {
        PresenceConfig {
            lease_ttl_ms: 800,
            lease_renew_ms: 200,
            hold_ms: 300,
            sweep_ms: 50,
            ..PresenceConfig::default()
        }
    }

    fn memory() -> Self {
        Self { store: Arc::new(MemoryStore::new(Self::config().terms())), _redis: None }
    }

    async fn redis() -> Self {
        let redis = Redis::start().await.unwrap();
        let store = RedisStore::new(&redis.url(), &Self::config()).unwrap();
        Self { store: Arc::new(store), _redis: Some(redis) }
    }

    /// Sweeps until `count` signals were told, then says which. Renews the leases of `alive`.
    async fn sweep_until(&self, count: usize, alive: &[&Gateway]) -> Vec<Told> {
        let told = parking_lot::Mutex::new(Vec::new());
        let turn = || async {
            for gateway in alive {
                assert_eq!(gateway.renew().await, LeaseState::Held);
            }
            let swept = self.store.sweep(None, 500).await.unwrap();
            let mut told = told.lock();
            told.extend(swept.told);
            (told.len() >= count).then(|| told.clone())
        };
        found(PATIENCE, "signals of the sweeper", turn).await.unwrap()
    }

    /// Sweeps until no gateway is live, nothing is left over, and says what was told.
    async fn sweep_to_the_end(&self) -> Vec<Told> {
        let told = parking_lot::Mutex::new(Vec::new());
        let quiet = parking_lot::Mutex::new(0);
        let turn = || async {
            let swept = self.store.sweep(None, 500).await.unwrap();
            let idle = swept.taken == 0 && self.store.gateways().await.unwrap().is_empty();
            told.lock().extend(swept.told);
            let mut quiet = quiet.lock();
            *quiet = if idle { *quiet + 1 } else { 0 };
            // 1.2 s of nothing: more than a lease and a hold last.
            (*quiet > 60).then(|| std::mem::take(&mut *told.lock()))
        };
        found(PATIENCE, "an end of sweeping", turn).await.unwrap()
    }
}

/// Runs each test of the contract on each store.
macro_rules! contract {
    ($($area:ident: $($name:ident),+;)+) => {
        mod memory {
            $($(#[tokio::test] async fn $name() {
                crate::$area::$name(crate::Bench::memory()).await;
            })+)+
        }
        mod redis {
            $($(#[tokio::test] async fn $name() {
                crate::$area::$name(crate::Bench::redis().await).await;
            })+)+
        }
    };
}

contract! {
    leases: a_lease_lapses_unless_it_is_renewed, a_younger_lease_ends_the_older_one,
        an_unknown_lease_is_lost, a_closed_lease_leaves_at_once,
        a_lease_tells_what_its_gateway_is_reached_by;
    batches: a_number_is_taken_once_and_none_out_of_order,
        a_late_batch_under_an_older_lease_brings_no_ghost,
        a_large_batch_is_applied_whole, entering_twice_is_entering_once;
    signals: every_connection_is_told_where_the_mode_is_connection,
        nothing_is_told_where_the_mode_is_off,
        the_first_and_the_last_connection_are_told_where_the_mode_is_user,
        a_lost_link_that_is_back_on_another_gateway_is_not_told,
        a_lost_link_is_told_once_when_its_time_is_up,
        a_registration_is_not_announced;
    reads: a_room_counts_connections_and_principals, totals_count_everything_once,
        connections_of_a_principal_are_found_on_all_gateways, a_room_is_read_up_to_the_limit;
    sweeping: a_dead_gateway_is_ignored_at_once_and_its_leaves_are_told_once,
        a_gateway_that_registers_again_is_not_noticed,
        a_gateway_that_starts_again_keeps_the_users_who_came_back,
        a_leave_that_was_told_too_early_is_followed_by_a_join,
        a_lapsed_gateway_that_is_back_before_the_sweeper_is_not_noticed,
        a_turn_is_bounded, a_pause_of_all_sweepers_gives_gateways_time_to_come_back;
}
