//! One contract for API keys, on SQLite and on a real PostgreSQL; and what only one of them does.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test is how a test speaks")]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth::{AuthConfig, AuthService};
use bytes::Bytes;
use domain::{Credential, ErrorReason, Principal, PrincipalId, Verified};
use rpc::Call;
use rpc::auth::{Auth, CreatedKey, NewKey};
use runtime::config::Secret;
use testkit::parts::{Postgres, shared_postgres};
use testkit::poll;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(30);

async fn start(url: &str) -> Arc<AuthService> {
    let config = AuthConfig { database: Some(Secret::new(url)), ..AuthConfig::default() };
    assert_eq!(config.problems(), Vec::<String>::new());
    auth::start(config, CancellationToken::new()).await.unwrap()
}

fn call() -> Call {
    Call::within(Duration::from_secs(5))
}

fn principal(role: &str) -> Principal {
    Principal {
        id: PrincipalId::new("https://id.example", "s-1"),
        name: "ann".to_owned(),
        info: Bytes::new(),
        roles: vec![role.to_owned()],
        grants: Vec::new(),
    }
}

fn admin() -> Principal {
    principal("admin")
}

fn new(name: &str) -> NewKey {
    NewKey {
        name: name.to_owned(),
        roles: vec!["bot".to_owned(), "admin".to_owned()],
        ttl_ms: None,
    }
}

async fn verify(auth: &AuthService, secret: &str) -> Result<Verified, ErrorReason> {
    let result = auth.verify(call(), Credential::ApiKey(secret.to_owned())).await;
    result.map_err(|error| error.reason)
}

/// The store is prepared in the background.
async fn create(auth: &AuthService, new: NewKey) -> CreatedKey {
    poll::found(PATIENCE, "a key can be made", async || {
        auth.create_key(call(), admin(), new.clone()).await.ok()
    })
    .await
    .unwrap()
}

/// The contract.
async fn keys_behave(url: &str) {
    let auth = start(url).await;
    let made = create(&auth, new("nightly export")).await;
    let verified = verify(&auth, &made.secret).await.unwrap();
    assert_eq!(verified.principal.id, PrincipalId::new("api-key", made.info.key_id.as_str()));
    assert_eq!(verified.principal.name, "nightly export");
    assert_eq!(verified.principal.roles, ["bot", "admin"]);
    assert_eq!(verified.expires_at_ms, None);

    // A secret is known by its hash alone, and by the whole of it.
    let (head, last) = made.secret.split_at(made.secret.len() - 1);
    let wrong = format!("{head}{}", if last == "0" { "1" } else { "0" });
    assert_eq!(verify(&auth, &wrong).await, Err(ErrorReason::InvalidCredential));
    let unknown = made.secret.replace(&made.info.key_id, "0123456789abcdef");
    assert_eq!(verify(&auth, &unknown).await, Err(ErrorReason::InvalidCredential));
    for text in ["", "rck_", "rck_x_y", "' OR '1'='1", head] {
        assert_eq!(verify(&auth, text).await, Err(ErrorReason::InvalidCredential), "{text}");
    }

    // A key with an end, made in a later millisecond: the list is by time.
    poll::until(PATIENCE, "a later millisecond", async || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now.as_millis() as i64 > made.info.created_at_ms
    })
    .await
    .unwrap();
    let short = create(&auth, NewKey { ttl_ms: Some(1_500), ..new("short") }).await;
    assert_eq!(short.info.expires_at_ms, Some(short.info.created_at_ms + 1_500));
    assert_eq!(verify(&auth, &short.secret).await.unwrap().expires_at_ms, short.info.expires_at_ms);
    poll::until(PATIENCE, "the key has ended", async || {
        verify(&auth, &short.secret).await == Err(ErrorReason::CredentialExpired)
    })
    .await
    .unwrap();

    // Another process sees what this one made, and its end within three seconds.
    let other = start(url).await;
    poll::until(PATIENCE, "the other one knows the key", async || {
        verify(&other, &made.secret).await.is_ok()
    })
    .await
    .unwrap();
    let key_id = made.info.key_id.clone();
    auth.revoke_key(call(), admin(), key_id.clone()).await.unwrap();
    assert_eq!(verify(&auth, &made.secret).await, Err(ErrorReason::InvalidCredential));
    poll::until(Duration::from_secs(3), "its end acts elsewhere", async || {
        verify(&other, &made.secret).await == Err(ErrorReason::InvalidCredential)
    })
    .await
    .unwrap();
    auth.revoke_key(call(), admin(), key_id.clone()).await.expect("ending twice is no error");
    for unknown in ["0123456789abcdef", "", "nonsense"] {
        let error = auth.revoke_key(call(), admin(), unknown.to_owned()).await.unwrap_err();
        assert_eq!(error.reason, ErrorReason::NotFound);
    }

    // The list: newest first, ended ones too, never a secret.
    let listed = other.list_keys(call(), admin()).await.unwrap();
    let ids = listed.iter().map(|key| key.key_id.as_str()).collect::<Vec<_>>();
    assert_eq!(ids, [short.info.key_id.as_str(), key_id.as_str()]);
    assert!(listed[1].revoked_at_ms.unwrap() >= listed[1].created_at_ms);
    assert_eq!((&listed[0], listed[0].revoked_at_ms), (&short.info, None));

    only_admins_act(&auth, &short).await;
    bad_keys_are_not_made(&auth).await;
    assert_eq!(auth.list_keys(call(), admin()).await.unwrap().len(), 2, "nothing else was made");
}

async fn only_admins_act(auth: &AuthService, key: &CreatedKey) {
    for by in [principal("user"), principal("Admin"), principal("")] {
        let denied = ErrorReason::PermissionDenied;
        let made = auth.create_key(call(), by.clone(), new("x")).await;
        assert_eq!(made.map(|_| ()).unwrap_err().reason, denied);
        assert_eq!(auth.list_keys(call(), by.clone()).await.unwrap_err().reason, denied);
        let ended = auth.revoke_key(call(), by, key.info.key_id.clone()).await;
        assert_eq!(ended.unwrap_err().reason, denied);
    }
}

async fn bad_keys_are_not_made(auth: &AuthService) {
    for bad in [
        new(""),
        new(&"n".repeat(65)),
        new("a\nb"),
        NewKey { roles: vec![String::new()], ..new("x") },
        NewKey { roles: vec!["r".repeat(129)], ..new("x") },
        NewKey { roles: vec!["r".to_owned(); 33], ..new("x") },
        NewKey { ttl_ms: Some(0), ..new("x") },
        NewKey { ttl_ms: Some(u64::MAX), ..new("x") },
    ] {
        let made = auth.create_key(call(), admin(), bad.clone()).await;
        assert_eq!(made.map(|_| ()).unwrap_err().reason, ErrorReason::InvalidArgument, "{bad:?}");
    }
}

#[tokio::test]
async fn keys_behave_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.db");
    let url = format!("sqlite://{}", file.display());
    keys_behave(&url).await;
    // Neither a key nor any part of one lies in the file.
    let auth = start(&url).await;
    let made = create(&auth, new("another")).await;
    let random = made.secret.rsplit('_').next().unwrap();
    drop(auth);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let found = bytes.windows(random.len()).any(|window| window == random.as_bytes());
        assert!(!found, "the secret was kept");
    }
}

#[tokio::test]
async fn keys_behave_on_postgres() {
    let postgres = shared_postgres().await.unwrap();
    keys_behave(&postgres.new_database().await.unwrap()).await;
}

#[tokio::test]
async fn acts_leave_audit_rows_in_a_schema_of_our_own() {
    let postgres = shared_postgres().await.unwrap();
    let url = postgres.new_database().await.unwrap();
    let auth = start(&url).await;
    let made = create(&auth, new("audited")).await;
    for _ in 0..2 {
        auth.revoke_key(call(), admin(), made.info.key_id.clone()).await.unwrap();
    }
    let sql = "SELECT act, key_id, by_subject FROM auth.key_audit ORDER BY number";
    let rows = postgres.sql_in(&url, sql).await.unwrap();
    let id = &made.info.key_id;
    assert_eq!(rows.trim(), format!("create|{id}|s-1\nrevoke|{id}|s-1"));
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(postgres.sql_in(&url, sql).await.unwrap().trim(), "");
}

#[tokio::test]
async fn several_processes_prepare_one_database_at_once() {
    let postgres = shared_postgres().await.unwrap();
    let url = postgres.new_database().await.unwrap();
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(start(&url).await);
    }
    for (n, auth) in all.iter().enumerate() {
        create(auth, new(&format!("key {n}"))).await;
    }
    assert_eq!(all[0].list_keys(call(), admin()).await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_database_that_is_away_is_transient_and_comes_back() {
    let postgres = Postgres::start().await.unwrap();
    let url = postgres.new_database().await.unwrap();
    let first = start(&url).await;
    let made = create(&first, new("survivor")).await;
    postgres.kill9();
    // One that starts meanwhile runs, and cannot decide yet.
    let auth = start(&url).await;
    assert_eq!(verify(&auth, &made.secret).await, Err(ErrorReason::Unavailable));
    let refused = auth.create_key(call(), admin(), new("x")).await;
    assert_eq!(refused.map(|_| ()).unwrap_err().reason, ErrorReason::Unavailable);
    postgres.restart().await.unwrap();
    let back = async || verify(&auth, &made.secret).await.is_ok();
    poll::until(PATIENCE, "the key is good again", back).await.unwrap();
}

#[tokio::test]
async fn without_a_database_there_are_no_keys() {
    let auth = auth::start(AuthConfig::default(), CancellationToken::new()).await.unwrap();
    let made = auth.create_key(call(), admin(), new("x")).await;
    assert_eq!(made.map(|_| ()).unwrap_err().reason, ErrorReason::NotOffered);
    let secret = format!("rck_{}_{}", "0".repeat(16), "0".repeat(64));
    assert_eq!(verify(&auth, &secret).await, Err(ErrorReason::InvalidCredential));
}

#[tokio::test]
async fn the_doctor_tells_what_answers_and_changes_nothing() {
    let postgres = shared_postgres().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (none, wrong) = (folder.path().join("none.db"), folder.path().join("wrong.db"));
    std::fs::write(&wrong, "no database").unwrap();
    for (url, expected) in [
        (postgres.new_database().await.unwrap(), Ok("PostgreSQL ")),
        (postgres.database_url("missing"), Err("database \"missing\" does not exist")),
        (format!("sqlite://{}", none.display()), Ok("will be made")),
        (format!("sqlite://{}", wrong.display()), Err("file is not a database")),
    ] {
        let config = AuthConfig { database: Some(Secret::new(url)), ..AuthConfig::default() };
        let findings = auth::doctor::check(&config).await;
        let [(part, outcome)] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(part, "API keys");
        match (outcome, expected) {
            (Ok(text), Ok(wanted)) | (Err(text), Err(wanted)) => {
                assert!(text.contains(wanted), "{text}")
            }
            (outcome, expected) => panic!("{outcome:?}, not {expected:?}"),
        }
    }
    assert!(!none.exists());
}
