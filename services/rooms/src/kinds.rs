//! Kinds of room: what is stored and how long, who may join and publish.
//!
//! The kind is chosen by the room's name alone (what stands before its first colon), so every pod
//! and every gateway agrees. A name whose kind is not configured is as if the room did not exist.
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use domain::{
    Envelope, Error, JoinLeave, MESSAGE_BYTES_MAX, Principal, Recovery, Result, RoomName,
    RoomSettings,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of names without a colon.
pub(crate) const DEFAULT: &str = "default";

/// Who may join or publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Access {
    /// Anyone signed in, and whom a token of the operator's own keys lets into the room.
    Anyone,
    /// Anyone, also without signing in.
    Everyone,
    /// Whom a token of the operator's own keys lets into the room, and nobody else.
    Token,
    /// Durable members.
    Members,
    /// Principals with a role; written `role:NAME`.
    Role(String),
}

/// One kind of room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KindConfig {
    /// Whether items are stored. Else there are no offsets and no history, and an ack means handed
    /// to the bus.
    pub stored: bool,
    /// Whether a room is made at its first join or publish; else an admin must have made it.
    pub auto_create: bool,
    /// Items kept of a room at most.
    pub history_items_max: u64,
    /// Items older than this are not kept.
    pub history_age_s: u64,
    /// Items in one page of history at most.
    pub history_page_max: u32,
    /// Who may join: `anyone` signed in, `everyone` (also without signing in), `members`,
    /// `role:NAME`, or `token`: whoever shows a token for the room (see `auth.tokens`).
    pub join: Access,
    /// Who may publish: the same words. `token` lets a token's bearer publish while subscribed by it.
    pub publish: Access,
    /// Whether presence is kept.
    pub presence: bool,
    /// How coming and going is told: `off`, `connection` or `user`.
    #[schemars(with = "String")]
    pub join_leave: JoinLeave,
    /// What a payload looks like: `chat` or `none`.
    #[schemars(with = "String")]
    pub envelope: Envelope,
    /// What a client that comes back is given: `log` for all that it missed, `cache` for the newest
    /// item alone, as in rooms whose last item says how things stand.
    #[schemars(with = "String")]
    pub recovery: Recovery,
    /// Whether a client may have payloads as patches on the ones before them, which is shorter where
    /// each differs little from the last.
    pub delta: bool,
    /// Whether a client may subscribe to a part, by a filter over the messages' tags.
    pub filters: bool,
    /// Bytes of one message at most.
    pub message_bytes_max: usize,
}

impl Default for KindConfig {
    fn default() -> Self {
        Self {
            stored: true,
            auto_create: true,
            history_items_max: 10_000,
            history_age_s: 7 * 24 * 60 * 60,
            history_page_max: 300,
            join: Access::Anyone,
            publish: Access::Anyone,
            presence: true,
            join_leave: JoinLeave::Connection,
            envelope: Envelope::Chat,
            recovery: Recovery::Log,
            delta: false,
            filters: false,
            message_bytes_max: MESSAGE_BYTES_MAX,
        }
    }
}

impl KindConfig {
    /// What is wrong with the kind of that name.
    pub(crate) fn problems(&self, name: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let mut problem =
            |key: &str, what: &str| problems.push(format!("kinds.{name}.{key}: {what}"));
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if name.is_empty() || !name.bytes().all(word) {
            problem("stored", "the kind's name is no word of A-Z a-z 0-9 _ -");
        }
        if !(1..=MESSAGE_BYTES_MAX).contains(&self.message_bytes_max) {
            problem("message_bytes_max", &format!("must be 1 to {MESSAGE_BYTES_MAX}"));
        }
        if self.stored && self.history_items_max == 0 {
            problem("history_items_max", "must not be 0 in a stored kind");
        }
        if self.stored && self.history_age_s == 0 {
            problem("history_age_s", "must not be 0 in a stored kind");
        }
        if !self.stored && self.recovery == Recovery::Cache {
            problem("recovery", "cache needs a stored kind");
        }
        if !self.stored && self.delta {
            problem("delta", "needs a stored kind");
        }
        if !(1..=1_000).contains(&self.history_page_max) {
            problem("history_page_max", "must be 1 to 1000");
        }
        problems
    }

    /// What a gateway must know of it.
    pub(crate) fn settings(&self) -> RoomSettings {
        RoomSettings {
            stored: self.stored,
            presence: self.presence,
            join_leave: self.join_leave,
            envelope: self.envelope,
            recovery: self.recovery,
            delta: self.delta,
            filters: self.filters,
        }
    }
}

impl Access {
    /// Whether a principal may in `room`, as far as the token tells. `member` is what the database
    /// tells. A grant says more than a signature, but neither makes members nor gives roles.
    pub(crate) fn allows(&self, principal: &Principal, room: &RoomName, member: bool) -> bool {
        let granted = || principal.grants.contains(room);
        match self {
            Self::Everyone => true,
            Self::Anyone => !principal.id.is_anonymous() || granted(),
            Self::Token => granted(),
            Self::Members => member,
            Self::Role(role) => principal.has_role(role),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Everyone => f.write_str("everyone"),
            Self::Token => f.write_str("token"),
            Self::Members => f.write_str("members"),
            Self::Role(role) => write!(f, "role:{role}"),
        }
    }
}

impl FromStr for Access {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            None if text == "anyone" => Ok(Self::Anyone),
            None if text == "everyone" => Ok(Self::Everyone),
            None if text == "token" => Ok(Self::Token),
            None if text == "members" => Ok(Self::Members),
            Some(("role", role)) if !role.is_empty() => Ok(Self::Role(role.to_owned())),
            _ => Err(format!("{text:?} is none of anyone, everyone, members, token, role:NAME")),
        }
    }
}

impl TryFrom<String> for Access {
    type Error = String;
    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Access> for String {
    fn from(access: Access) -> Self {
        access.to_string()
    }
}

/// All kinds that are configured.
#[derive(Debug)]
pub(crate) struct Kinds(BTreeMap<String, KindConfig>);

impl Kinds {
    /// The configured kinds, and `default` in any case.
    pub(crate) fn new(mut configured: BTreeMap<String, KindConfig>) -> Self {
        configured.entry(DEFAULT.to_owned()).or_default();
        Self(configured)
    }

    /// The kind of a room. `PermissionDenied` for reserved names and kinds that do not exist.
    pub(crate) fn of(&self, room: &RoomName) -> Result<&KindConfig> {
        if room.is_reserved() {
            return Err(Error::denied());
        }
        self.0.get(room.kind()).ok_or_else(Error::denied)
    }

    /// Every kind with its name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &KindConfig)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::{ErrorReason, PrincipalId};

    use super::*;

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    #[test]
    fn reserved_names_and_unknown_kinds_are_denied_alike() {
        let kinds = Kinds::new(BTreeMap::new());
        assert!(kinds.of(&room("general")).is_ok());
        for name in ["system", "user:abc", "unknown:x"] {
            let error = kinds.of(&room(name)).unwrap_err();
            assert_eq!(error, Error::denied());
            assert_eq!(error.reason, ErrorReason::PermissionDenied);
        }
    }

    #[test]
    fn a_kind_without_a_log_has_no_newest_item_to_give() {
        let cache = KindConfig { recovery: Recovery::Cache, ..KindConfig::default() };
        assert_eq!(cache.problems("board"), [""; 0]);
        assert_eq!(cache.settings().recovery, Recovery::Cache);
        let empty = KindConfig { stored: false, ..cache };
        assert_eq!(empty.problems("board"), ["kinds.board.recovery: cache needs a stored kind"]);
    }

    #[test]
    fn a_kind_without_a_log_has_nothing_to_make_patches_of() {
        let kind = KindConfig { delta: true, filters: true, ..KindConfig::default() };
        assert_eq!(kind.problems("score"), [""; 0]);
        assert!(kind.settings().delta && kind.settings().filters);
        let empty = KindConfig { stored: false, ..kind };
        assert_eq!(empty.problems("score"), ["kinds.score.delta: needs a stored kind"]);
    }

    #[test]
    fn an_access_is_written_as_one_word() {
        for text in ["anyone", "everyone", "members", "token", "role:staff"] {
            assert_eq!(text.parse::<Access>().unwrap().to_string(), text);
        }
        for text in ["", "role:", "admins", "anyone:x", "Token", "token:x"] {
            assert!(text.parse::<Access>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_role_opens_a_room_and_membership_does_not() {
        let id = PrincipalId::new("iss", "u");
        let roles = vec!["staff".into()];
        let (name, info) = ("U".into(), Bytes::new());
        let staff = Principal { id, name, info, roles, grants: Vec::new() };
        let here = room("general");
        assert!(Access::Role("staff".into()).allows(&staff, &here, false));
        assert!(!Access::Role("other".into()).allows(&staff, &here, true));
        assert!(!Access::Members.allows(&staff, &here, false));
    }

    #[test]
    fn a_grant_opens_its_own_room_and_no_other_door() {
        let (own, other) = (room("general"), room("other"));
        let visitor = |grants: &[&RoomName]| Principal {
            id: PrincipalId::anonymous("c1"),
            name: String::new(),
            info: Bytes::new(),
            roles: Vec::new(),
            grants: grants.iter().map(|&room| room.clone()).collect(),
        };
        let (bare, granted) = (visitor(&[]), visitor(&[&own]));
        for access in [Access::Anyone, Access::Token] {
            assert!(access.allows(&granted, &own, false), "{access}");
            assert!(!access.allows(&granted, &other, false), "{access}");
            assert!(!access.allows(&bare, &own, true), "{access}");
        }
        assert!(Access::Everyone.allows(&bare, &own, false));
        assert!(!Access::Members.allows(&granted, &own, false));
        assert!(!Access::Role("staff".into()).allows(&granted, &own, false));
    }
}
