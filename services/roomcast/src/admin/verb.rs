//! The verbs of `roomcast admin`, one for each call of the admin service.
//!
//! A publish and a broadcast take an id, or make one and print it, so that a script can repeat
//! the same call safely. Nothing is decided here: the admin service checks every argument.
mod show;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use domain::{
    Epoch, MessageId, Notice, NoticeLevel, Position, Principal, PrincipalId, RoomName, Tags,
};
use rpc::Call;
use rpc::admin::{Admin, ConnectionsOf, Kick};
use rpc::auth::NewKey;
use rpc::rooms::{Disconnect, History, Subscribe, Unsubscribe};
use serde_json::json;

use super::answer::Answer;

/// A principal as arguments.
#[derive(Debug, Args)]
pub struct Target {
    /// The subject, as the issuer names it.
    subject: String,
    /// The issuer's URL.
    #[arg(long, env = "ROOMCAST_ADMIN_ISSUER")]
    issuer: String,
}

/// How grave a notice is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Level {
    Info,
    Warning,
}

/// What is asked.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Figures of the whole system.
    Stats,
    /// Rooms, by name.
    Rooms {
        #[arg(long, default_value = "")]
        prefix: String,
        /// Begins after this room.
        #[arg(long)]
        after: Option<RoomName>,
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// All that is known of a room.
    Room { room: RoomName },
    /// Makes a room.
    CreateRoom {
        room: RoomName,
        #[arg(long, default_value = "")]
        title: String,
    },
    /// Durable members of a room.
    Members { room: RoomName },
    /// Makes somebody a durable member.
    AddMember {
        room: RoomName,
        #[command(flatten)]
        target: Target,
    },
    /// Ends a durable membership.
    RemoveMember {
        room: RoomName,
        #[command(flatten)]
        target: Target,
    },
    /// Live connections: in a room, or of a principal.
    Connections {
        #[arg(long)]
        room: Option<RoomName>,
        #[arg(long, requires = "issuer")]
        subject: Option<String>,
        #[arg(long, env = "ROOMCAST_ADMIN_ISSUER")]
        issuer: Option<String>,
    },
    /// A page of a room's history, oldest first.
    History {
        room: RoomName,
        /// Begins after this offset (with --reverse: before it).
        #[arg(long, requires = "epoch")]
        since: Option<u64>,
        /// The epoch of that offset, as a page shows it.
        #[arg(long)]
        epoch: Option<String>,
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Newest first.
        #[arg(long)]
        reverse: bool,
    },
    /// Publishes into a room, without a sender.
    Publish {
        room: RoomName,
        /// The data, JSON.
        data: String,
        /// Makes a repetition safe; 8 to 64 characters.
        #[arg(long)]
        id: Option<String>,
        /// A tag, KEY=VALUE; may be given again, up to 16.
        #[arg(long = "tag", value_parser = tag)]
        tags: Vec<(String, String)>,
    },
    /// Shows a notice to everybody.
    Broadcast {
        text: String,
        #[arg(long, value_enum, default_value = "info")]
        level: Level,
        /// Lets a client show it once.
        #[arg(long)]
        id: Option<String>,
    },
    /// Removes somebody from a room.
    Kick {
        room: RoomName,
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value = "")]
        reason: String,
        /// Lets it not come back.
        #[arg(long)]
        ban: bool,
    },
    /// Lifts a ban.
    Unban {
        room: RoomName,
        #[command(flatten)]
        target: Target,
    },
    /// Closes every connection of somebody.
    Disconnect {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value = "")]
        reason: String,
        /// Lets its clients come back by themselves.
        #[arg(long)]
        reconnect: bool,
    },
    /// Ends somebody's subscriptions to a room, without a trace in its log.
    Unsubscribe {
        room: RoomName,
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Subscribes the connections that somebody has now to a room.
    Subscribe {
        room: RoomName,
        #[command(flatten)]
        target: Target,
        /// Told to the client, JSON.
        #[arg(long)]
        data: Option<String>,
    },
    /// Gives rooms a new epoch: to be called once after a restore from a backup.
    RenewEpochs {
        /// Only this room.
        #[arg(long, required_unless_present = "all")]
        room: Option<RoomName>,
        /// Every room.
        #[arg(long, conflicts_with = "room")]
        all: bool,
    },
    /// What admins did and tried, newest first.
    Audit {
        #[arg(long)]
        before: Option<u64>,
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// API keys that exist.
    Keys,
    /// Makes an API key and shows it, once.
    CreateKey {
        name: String,
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// How long it holds, seconds; for ever without.
        #[arg(long, value_name = "SECONDS")]
        ttl: Option<u64>,
    },
    /// Ends an API key at once.
    RevokeKey { key_id: String },
}

/// Makes the call.
pub async fn apply(admin: &dyn Admin, verb: Verb, wait: Duration) -> Result<Answer> {
    let call = Call::within(wait);
    match verb {
        Verb::Broadcast { .. } | Verb::Publish { .. } | Verb::History { .. } => {
            content(admin, call, verb).await
        }
        Verb::Keys | Verb::CreateKey { .. } | Verb::RevokeKey { .. } => {
            keys(admin, call, verb).await
        }
        Verb::Stats
        | Verb::Rooms { .. }
        | Verb::Room { .. }
        | Verb::Members { .. }
        | Verb::Connections { .. }
        | Verb::Audit { .. } => look(admin, call, verb).await,
        _ => act(admin, call, verb).await,
    }
}

/// Calls that only look.
async fn look(admin: &dyn Admin, call: Call, verb: Verb) -> Result<Answer> {
    let by = whoever();
    Ok(match verb {
        Verb::Stats => show::stats(admin.stats(call, by).await?),
        Verb::Rooms { prefix, after, limit } => {
            show::rooms(admin.list_rooms(call, by, prefix, after, limit).await?)
        }
        Verb::Room { room } => show::room(admin.describe_room(call, by, room).await?),
        Verb::Members { room } => show::members(admin.list_members(call, by, room).await?),
        Verb::Connections { room, subject, issuer } => {
            let principal =
                subject.zip(issuer).map(|(subject, issuer)| PrincipalId::new(issuer, subject));
            if room.is_none() && principal.is_none() {
                bail!("give --room, or --subject and --issuer");
            }
            show::connections(
                admin.list_connections(call, by, ConnectionsOf { room, principal }).await?,
            )
        }
        Verb::Audit { before, limit } => {
            show::audit(admin.list_audit(call, by, before, limit).await?)
        }
        _ => Answer::done(),
    })
}

/// `KEY=VALUE` of a command line.
fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a tag is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Calls about what rooms carry.
async fn content(admin: &dyn Admin, call: Call, verb: Verb) -> Result<Answer> {
    let by = whoever();
    Ok(match verb {
        Verb::History { room, since, epoch, limit, reverse } => {
            let position =
                |(offset, epoch): (u64, String)| Position { epoch: Epoch::new(epoch), offset };
            let since = since.zip(epoch).map(position);
            let request = History { principal: by, room, since, limit, reverse };
            show::history(admin.history(call, request).await?)
        }
        Verb::Publish { room, data, id, tags } => {
            serde_json::from_str::<serde::de::IgnoredAny>(&data).context("the data is no JSON")?;
            let id = match id {
                Some(id) => MessageId::parse(&id)?,
                None => MessageId::random(),
            };
            let tags = Tags::new(tags.into_iter().collect())?;
            let data = Bytes::from(data);
            let published = admin.publish(call, by, room, id.clone(), tags, data).await;
            show::published(published.with_context(|| format!("message id {id}"))?, &id)
        }
        Verb::Broadcast { text, level, id } => {
            let id = id.unwrap_or_else(|| MessageId::random().to_string());
            let level = match level {
                Level::Info => NoticeLevel::Info,
                Level::Warning => NoticeLevel::Warning,
            };
            admin.broadcast(call, by, Notice { id: id.clone(), text, level }).await?;
            Answer::Facts(vec![("notice", json!(id))])
        }
        _ => Answer::done(),
    })
}

/// Calls that act on rooms and people.
async fn act(admin: &dyn Admin, call: Call, verb: Verb) -> Result<Answer> {
    let by = whoever();
    match verb {
        Verb::CreateRoom { room, title } => {
            return Ok(show::rooms(vec![admin.create_room(call, by, room, title).await?]));
        }
        Verb::Kick { room, target, reason, ban } => {
            let kick = Kick { room, target: target.into(), reason, ban };
            return Ok(show::position(admin.kick(call, by, kick).await?));
        }
        Verb::RenewEpochs { room, all: _ } => {
            let renewed = admin.renew_epochs(call, by, room).await?;
            return Ok(Answer::Facts(vec![("renewed", json!(renewed))]));
        }
        Verb::AddMember { room, target } => admin.add_member(call, by, room, target.into()).await?,
        Verb::RemoveMember { room, target } => {
            admin.remove_member(call, by, room, target.into()).await?
        }
        Verb::Unban { room, target } => admin.unban(call, by, room, target.into()).await?,
        Verb::Disconnect { target, reason, reconnect } => {
            let request = Disconnect { by, target: target.into(), reason, reconnect };
            admin.disconnect(call, request).await?;
        }
        Verb::Unsubscribe { room, target, reason } => {
            let request = Unsubscribe { by, target: target.into(), room, reason };
            admin.unsubscribe(call, request).await?;
        }
        Verb::Subscribe { room, target, data } => {
            let data = data.unwrap_or_default().into();
            let request = Subscribe { by, target: target.into(), room, data };
            admin.subscribe(call, request).await?;
        }
        _ => {}
    }
    Ok(Answer::done())
}

/// Calls about API keys.
async fn keys(admin: &dyn Admin, call: Call, verb: Verb) -> Result<Answer> {
    let by = whoever();
    Ok(match verb {
        Verb::Keys => show::keys(admin.list_keys(call, by).await?),
        Verb::CreateKey { name, roles, ttl } => {
            let ttl_ms = ttl.map(|seconds| seconds.saturating_mul(1_000));
            show::created_key(admin.create_key(call, by, NewKey { name, roles, ttl_ms }).await?)
        }
        Verb::RevokeKey { key_id } => {
            admin.revoke_key(call, by, key_id).await?;
            Answer::done()
        }
        _ => Answer::done(),
    })
}

/// Who asks is what the credential proves on the other side; the caller's own word does not count.
fn whoever() -> Principal {
    Principal {
        id: PrincipalId::new("", ""),
        name: String::new(),
        info: Bytes::new(),
        roles: vec![],
        grants: vec![],
    }
}

impl From<Target> for PrincipalId {
    fn from(target: Target) -> Self {
        Self::new(target.issuer, target.subject)
    }
}
