//! The Lua scripts, each with the prelude in front. Redis keeps them by hash; one that it forgot
//! (a restart) is sent again by itself.
use redis::Script;

/// One script for each call of the store.
pub(super) struct Scripts {
    pub(super) open: Script,
    pub(super) renew: Script,
    pub(super) close: Script,
    pub(super) apply: Script,
    pub(super) room: Script,
    pub(super) room_counts: Script,
    pub(super) totals: Script,
    pub(super) gateways: Script,
    pub(super) connections: Script,
    pub(super) sweep: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            open: script(include_str!("open.lua")),
            renew: script(include_str!("renew.lua")),
            close: script(include_str!("close.lua")),
            apply: script(include_str!("apply.lua")),
            room: script(include_str!("room.lua")),
            room_counts: script(include_str!("room_counts.lua")),
            totals: script(include_str!("totals.lua")),
            gateways: script(include_str!("gateways.lua")),
            connections: script(include_str!("connections.lua")),
            sweep: script(include_str!("sweep.lua")),
        }
    }
}

fn script(body: &str) -> Script {
    Script::new(&format!("{}\n{body}", include_str!("prelude.lua")))
}
