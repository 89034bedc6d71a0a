//! The keys of one issuer, kept in memory.
//!
//! Known keys are looked up without a wait and outlive any outage of the issuer. An unknown
//! key id is a transient error until a fetch that began after it was first seen lacks it; such
//! findings are bounded and forgotten at the next fetch. All waiting callers share one fetch.
//! It never fetches itself: `refresher` does.
pub mod key;
mod refresher;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use domain::{Error, ErrorReason};
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

pub use key::{BadSet, KEYS_MAX, KID_BYTES_MAX, KeyMap, VerifyingKey};
pub use refresher::{Pace, refresh};

/// Most key ids whose absence is waited for, and most that are known as absent.
const ASKED_MAX: usize = 1024;
/// Most callers that wait for a fetch.
const WAITERS_MAX: usize = 1024;

/// The keys of one issuer.
#[derive(Debug)]
pub struct KeyRing {
    keys: ArcSwap<KeyMap>,
    asked: Mutex<Asked>,
    wanted: Notify,
    round: watch::Sender<Round>,
    waiters: Semaphore,
    /// A given set is complete: what it lacks does not exist.
    given: bool,
}

#[derive(Debug, Default)]
struct Asked {
    /// Unknown ids and when each was first asked for.
    waiting: HashMap<String, Instant>,
    /// Ids that the last fetch lacked, though it began after they were asked for.
    absent: HashSet<String>,
}

/// How the fetching stands.
#[derive(Debug, Clone, Copy)]
struct Round {
    fetching: bool,
    failed: bool,
    /// No fetch begins before.
    not_before: Instant,
}

enum Ask {
    Found(Arc<VerifyingKey>),
    Absent,
    Waiting,
    Full,
}

impl KeyRing {
    /// A ring that gets its keys by fetches.
    pub fn empty() -> Self {
        Self::new(KeyMap::new(), false)
    }

    /// A ring with a set that never changes.
    pub fn given(keys: KeyMap) -> Self {
        Self::new(keys, true)
    }

    fn new(keys: KeyMap, given: bool) -> Self {
        let round = Round { fetching: false, failed: false, not_before: Instant::now() };
        Self {
            keys: ArcSwap::from_pointee(keys),
            asked: Mutex::new(Asked::default()),
            wanted: Notify::new(),
            round: watch::Sender::new(round),
            waiters: Semaphore::new(WAITERS_MAX),
            given,
        }
    }

    /// The key `kid`. Waits for a fetch at most until `deadline` if it is unknown.
    ///
    /// Fails with `InvalidCredential` once the key is proved absent, with `KeyUnknown` until a later
    /// fetch shows that, with `Unavailable` while the issuer cannot be asked.
    pub async fn find(&self, kid: &str, deadline: Instant) -> domain::Result<Arc<VerifyingKey>> {
        if let Some(key) = self.keys.load().get(kid) {
            return Ok(Arc::clone(key));
        }
        if self.given {
            return Err(absent());
        }
        let mut round = self.round.subscribe();
        let _ = round.borrow_and_update();
        match self.ask(kid) {
            Ask::Found(key) => return Ok(key),
            Ask::Absent => return Err(absent()),
            Ask::Full => {
                self.wanted.notify_one();
                return Err(self.unknown());
            }
            Ask::Waiting => self.wanted.notify_one(),
        }
        let Ok(_place) = self.waiters.try_acquire() else { return Err(self.unknown()) };
        loop {
            let now = *round.borrow_and_update();
            // The fetch that is allowed next would end too late for this caller.
            if !now.fetching && now.not_before >= deadline {
                return Err(self.unknown());
            }
            if !matches!(timeout_at(deadline, round.changed()).await, Ok(Ok(()))) {
                return Err(self.unknown());
            }
            match self.ask(kid) {
                Ask::Found(key) => return Ok(key),
                Ask::Absent => return Err(absent()),
                Ask::Full => return Err(self.unknown()),
                Ask::Waiting => {
                    let now = *round.borrow();
                    if !now.fetching && now.failed {
                        return Err(self.unknown());
                    }
                }
            }
        }
    }

    /// Whose fault it is: after a good fetch the token's, else the issuer's, which may be slow too.
    fn unknown(&self) -> Error {
        let text = "the token's key is not known yet";
        let round = *self.round.borrow();
        if round.fetching || round.failed || self.keys.load().is_empty() {
            Error::unavailable(text)
        } else {
            Error::new(ErrorReason::KeyUnknown, text)
        }
    }

    fn ask(&self, kid: &str) -> Ask {
        let mut asked = self.asked.lock();
        // Looked up under the lock that a new set is installed under: no fetch slips between.
        if let Some(key) = self.keys.load().get(kid) {
            return Ask::Found(Arc::clone(key));
        }
        if asked.absent.contains(kid) {
            return Ask::Absent;
        }
        if !asked.waiting.contains_key(kid) {
            if asked.waiting.len() >= ASKED_MAX {
                return Ask::Full;
            }
            asked.waiting.insert(kid.to_owned(), Instant::now());
        }
        Ask::Waiting
    }

    /// Takes over a set from a fetch that began at `began`.
    fn install(&self, keys: KeyMap, began: Instant) {
        let mut asked = self.asked.lock();
        let Asked { waiting, absent } = &mut *asked;
        absent.clear();
        waiting.retain(|kid, seen| {
            if keys.contains_key(kid) {
                return false;
            }
            if *seen <= began {
                absent.insert(kid.clone());
                return false;
            }
            true
        });
        self.keys.store(Arc::new(keys));
    }

    fn is_asked(&self) -> bool {
        !self.asked.lock().waiting.is_empty()
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.keys.load().len()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn absent() -> Error {
    Error::new(ErrorReason::InvalidCredential, "the token's key is none of its issuer's")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use openidconnect::core::CoreJsonWebKeySet;

    use super::*;

    fn keys(kid: &str) -> KeyMap {
        let set: CoreJsonWebKeySet = serde_json::from_value(serde_json::json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        }]}))
        .unwrap();
        key::usable(&set).unwrap()
    }

    fn reason(result: domain::Result<Arc<VerifyingKey>>) -> ErrorReason {
        result.unwrap_err().reason
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(50)
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_key_is_transient_until_a_later_fetch_lacks_it() {
        let ring = KeyRing::empty();
        let before = Instant::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(reason(ring.find("k", soon()).await), ErrorReason::Unavailable);
        ring.install(keys("other"), before);
        assert_eq!(reason(ring.find("k", soon()).await), ErrorReason::KeyUnknown);
        ring.install(keys("other"), Instant::now());
        assert_eq!(reason(ring.find("k", soon()).await), ErrorReason::InvalidCredential);
        // The next fetch forgets the finding: the key may have come since.
        ring.install(keys("other"), Instant::now());
        assert_eq!(reason(ring.find("k", soon()).await), ErrorReason::KeyUnknown);
        // While the issuer cannot be asked, it is not the token's fault.
        ring.round.send_modify(|round| round.failed = true);
        assert_eq!(reason(ring.find("k", soon()).await), ErrorReason::Unavailable);
        ring.install(keys("k"), Instant::now());
        assert!(ring.find("k", soon()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_for_is_bounded() {
        let ring = KeyRing::empty();
        let now = Instant::now();
        for n in 0..ASKED_MAX + 500 {
            assert_eq!(reason(ring.find(&format!("k{n}"), now).await), ErrorReason::Unavailable);
        }
        assert_eq!(ring.asked.lock().waiting.len(), ASKED_MAX);
        ring.install(keys("good"), Instant::now());
        let asked = ring.asked.lock();
        assert_eq!((asked.waiting.len(), asked.absent.len()), (0, ASKED_MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_caller_gets_the_key_of_the_fetch_that_it_caused() {
        let ring = Arc::new(KeyRing::empty());
        let waiting = tokio::spawn({
            let ring = Arc::clone(&ring);
            async move { ring.find("new", Instant::now() + Duration::from_secs(2)).await }
        });
        ring.wanted.notified().await;
        ring.install(keys("new"), Instant::now());
        ring.round.send_modify(|round| round.failed = false);
        assert!(waiting.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_given_set_is_complete() {
        let ring = KeyRing::given(keys("a"));
        assert!(ring.find("a", soon()).await.is_ok());
        assert_eq!(reason(ring.find("b", soon()).await), ErrorReason::InvalidCredential);
    }
}
