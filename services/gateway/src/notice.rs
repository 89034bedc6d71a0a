//! What every connection is shown on the `system` channel, and the one notice that the gateway
//! itself gives: that the broker is away, and that it is back.
use std::sync::Arc;
use std::time::Duration;

use bus::BusHealth;
use bytes::Bytes;
use domain::{Notice, NoticeLevel};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::{Publication, Push, PushBody};

use crate::app::Gateway;
use crate::clock::now_ms;
use crate::translate;

/// The channel of notices; every connection is subscribed to it by the server.
pub const SYSTEM_CHANNEL: &str = "system";

/// How long the broker must be away before anybody is told; at a start it may take a while.
const PATIENCE: Duration = Duration::from_secs(2);

/// A notice as a push.
pub fn push(notice: &Notice) -> Push {
    push_of(translate::notice_data(notice, None))
}

fn push_of(data: Bytes) -> Push {
    let publication = Publication { data, time: now_ms(), ..Publication::default() };
    Push::new(SYSTEM_CHANNEL, PushBody::Pub(publication))
}

/// Tells every connection when the broker goes and when it comes back.
pub async fn watch_bus(
    gateway: Arc<Gateway>,
    mut health: watch::Receiver<BusHealth>,
    stop: CancellationToken,
) {
    loop {
        let away = tokio::select! {
            () = stop.cancelled() => return,
            away = until(&mut health, BusHealth::Down) => away,
        };
        if !away {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PATIENCE) => {}
            back = until(&mut health, BusHealth::Up) => if back { continue } else { return },
        }
        tell(&gateway, true).await;
        let back = tokio::select! {
            () = stop.cancelled() => return,
            back = until(&mut health, BusHealth::Up) => back,
        };
        if !back {
            return;
        }
        tell(&gateway, false).await;
    }
}

/// Waits for a state; false if there will be no more of them.
async fn until(health: &mut watch::Receiver<BusHealth>, wanted: BusHealth) -> bool {
    health.wait_for(|now| *now == wanted).await.is_ok()
}

async fn tell(gateway: &Gateway, degraded: bool) {
    gateway.set_degraded(degraded);
    tracing::warn!(degraded, "the broker went or came back");
    let (level, text) = if degraded {
        (NoticeLevel::Warning, "Redundancy service is not available.")
    } else {
        (NoticeLevel::Info, "Redundancy service is available again.")
    };
    let notice = Notice { id: "redundancy".to_owned(), text: text.to_owned(), level };
    gateway.hub().show_all(push_of(translate::notice_data(&notice, Some(degraded)))).await;
}
