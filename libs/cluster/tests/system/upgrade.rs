//! Every process replaced by another version under load, and put back: nothing is lost on the way.
//!
//! `cargo xtask upgrade --from REVISION` brings that version's binaries. Without it both versions are
//! the same one, and what is tried is the roll alone.
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use cluster::load::Load;
use cluster::{Service, Shape, System, binaries};
use tempfile::TempDir;
use testkit::checker::Allowed;

use crate::{s, turn};

/// Where processes find their binaries; it leads to one version's or to the other's.
struct Shelf(TempDir);

impl Shelf {
    fn with(version: &Path) -> Self {
        let shelf = Self(tempfile::tempdir().unwrap());
        shelf.lay(version);
        shelf
    }

    /// From now on what starts is of this version.
    fn lay(&self, version: &Path) {
        for name in ["roomcast-auth", "roomcast-gateway", "roomcast-presence", "roomcast-rooms"] {
            let (place, fresh) = (self.0.path().join(name), self.0.path().join("fresh"));
            symlink(version.join(name), &fresh).unwrap();
            std::fs::rename(fresh, place).unwrap();
        }
    }
}

/// Ends a process as a node would, and starts it again on what now lies on the shelf.
async fn replace(service: &Service) {
    service.program.terminate();
    let code = service.program.exit_code(s(60)).await.unwrap();
    assert_eq!(code, Some(0), "{} drained and ended by itself", service.name);
    service.restart().await.unwrap();
}

/// One of each kind, then the next of each: versions are mixed until the end.
async fn roll(system: &System, shelf: &Shelf, to: &Path) {
    shelf.lay(to);
    let kinds = [&system.auth, &system.presence, &system.rooms, &system.gateways];
    let most = kinds.iter().map(|services| services.len()).max().unwrap();
    for index in 0..most {
        for service in kinds.iter().filter_map(|services| services.get(index)) {
            replace(service).await;
            let pid = service.program.process().pid().unwrap();
            let runs = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
            assert!(runs.starts_with(to), "{} runs {}", service.name, runs.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_is_replaced_under_load_and_nobody_loses_anything() {
    let _turn = turn().await;
    let here = binaries::folder().unwrap().canonicalize().unwrap();
    let other = binaries::other_version().unwrap();
    let before = other.as_ref().map_or(&here, |other| &other.folder).clone();
    let shelf = Shelf::with(&before);
    let shape = Shape::processes()
        .with("ROOMCAST_GATEWAY__DRAIN__ACCEPT_MS", 500)
        .with("ROOMCAST_GATEWAY__DRAIN__WINDOW_MS", 2_000)
        .with_binaries(shelf.0.path().to_owned());
    let system = shape.start().await.unwrap();
    let load = Load { members: 60, rooms: 10, rooms_each: 2, publishers: 10 };
    let crowd = load.join(&system, "upgrade").await.unwrap();

    let rolls = async {
        roll(&system, &shelf, &here).await;
        if let Some(other) = other.filter(|other| other.and_back) {
            roll(&system, &shelf, &other.folder).await;
        }
    };
    let (tally, ()) = crowd.publish_during(Duration::from_millis(50), rolls).await;
    println!("from {}: {tally:?}", before.display());
    let report = crowd.settle(&system, s(30), Allowed::default()).await.unwrap();
    report.assert_sound();
    assert!(report.recoveries >= 60, "everybody came back at least once: {}", report.recoveries);
    assert!(tally.acked > 500, "{tally:?} is no load");
    assert_eq!(tally.acked, tally.sent, "every publish is acked in the end");
}
