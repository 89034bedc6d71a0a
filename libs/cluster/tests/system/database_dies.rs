//! PostgreSQL killed and started again under load: transient errors only, nothing acked is lost,
//! no message is there twice.
use std::time::Duration;

use cluster::Shape;
use cluster::load::Load;
use testkit::checker::Allowed;

use crate::{s, turn};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_database_loses_and_doubles_nothing() {
    let _turn = turn().await;
    let system = Shape::processes().breaking_parts().start().await.unwrap();
    let postgres = &system.outside().unwrap().postgres;
    let load = Load { members: 30, rooms: 6, rooms_each: 2, publishers: 6 };
    let crowd = load.join(&system, "database").await.unwrap();

    let (acked, ()) = tokio::join!(crowd.publish(300, Duration::from_millis(20)), async {
        for _ in 0..2 {
            tokio::time::sleep(s(2)).await;
            postgres.kill9();
            tokio::time::sleep(s(2)).await;
            postgres.restart().await.unwrap();
        }
    });
    let report = crowd.settle(&system, s(30), Allowed::default()).await.unwrap();
    report.assert_sound();
    assert_eq!(report.fail, 0, "nothing was refused for good");
    assert_eq!(acked, 6 * 300, "every publish is acked in the end");
}
