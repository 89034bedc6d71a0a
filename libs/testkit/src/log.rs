//! Reads a room's whole log as a fresh client sees it, from offset 0 to the head.
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde_json::json;

use crate::client::{Client, CommandError};
use crate::history::{Entry, print_of};

/// Items asked for at once.
const PAGE: u64 = 1_000;

/// All items that the room keeps, ascending.
pub async fn read(client: &Client, room: &str) -> anyhow::Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut since = json!(null);
    loop {
        let mut arguments = json!({"channel": room, "limit": PAGE});
        if !since.is_null() {
            arguments["since"] = since;
        }
        let page = match client.command("history", arguments).await {
            Err(CommandError::Refused(refusal)) if refusal.temporary => {
                since = position(&entries);
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
            page => page.with_context(|| format!("history of {room}"))?,
        };
        let epoch: Arc<str> = page["epoch"].as_str().unwrap_or_default().into();
        let head = page["offset"].as_u64().unwrap_or(0);
        let items = page["publications"].as_array().cloned().unwrap_or_default();
        for item in &items {
            entries.push(Entry {
                epoch: epoch.clone(),
                offset: item["offset"].as_u64().context("an item without an offset")?,
                key: item["data"]["id"].as_str().unwrap_or_default().into(),
                print: print_of(item["data"].to_string().as_bytes()),
            });
        }
        if entries.last().is_none_or(|last| last.offset >= head) {
            return Ok(entries);
        }
        ensure!(!items.is_empty(), "{room}: history ends before its head {head}");
        since = position(&entries);
    }
}

fn position(entries: &[Entry]) -> serde_json::Value {
    match entries.last() {
        Some(last) => json!({"epoch": &*last.epoch, "offset": last.offset}),
        None => json!(null),
    }
}
