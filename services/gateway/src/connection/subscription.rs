//! The subscriptions of a connection: on what terms each was made, and how each ends.
//!
//! One that the server made cannot be made again by the client alone: where the client's own ends
//! with a push after which it subscribes anew, the server's ends the whole connection instead.
use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use domain::{
    Departure, Grant, JoinLeave, Overrides, PresenceChange, Principal, RoomName, RoomSettings,
    Sender, Who,
};
use wire::{CloseCode, UnsubscribeCode};

use super::frames::SharedPush;
use super::{Connection, Identity};
use crate::room::member::Member;

/// On what terms a subscription was made.
#[derive(Debug, Default)]
pub struct Terms {
    /// Whether the server made it, because the connection's token or an order said so.
    pub by_server: bool,
    /// Whether a token or an order opened the room.
    pub granted: bool,
    /// JSON that others see of the subscriber in this room; may be empty.
    pub info: Bytes,
    /// What it has other than the room's kind says.
    pub overrides: Overrides,
    /// When it ends, Unix milliseconds.
    pub until_ms: Cell<Option<i64>>,
    /// Whether its client has a token to renew before that.
    pub refreshable: bool,
    /// Whether presence was told of it.
    entered: Cell<bool>,
}

/// A subscription of a connection.
#[derive(Clone)]
pub(super) enum Subscription {
    /// Its subscribe is under way.
    Joining,
    /// It reads.
    Live(Rc<Member>, Rc<Terms>),
}

impl Terms {
    /// The terms of a grant, or of a subscribe without one.
    pub fn new(by_server: bool, refreshable: bool, grant: Option<&Grant>) -> Self {
        let none = Self { by_server, ..Self::default() };
        match grant {
            None => none,
            Some(grant) => Self {
                granted: true,
                refreshable,
                info: grant.info.clone(),
                overrides: grant.overrides,
                until_ms: Cell::new(grant.until_ms),
                ..none
            },
        }
    }

    /// How its coming and going is told; `None` if presence is not to know of it at all.
    fn shown(&self, kind: RoomSettings) -> Option<JoinLeave> {
        let join_leave = match self.overrides.join_leave {
            Some(true) if kind.join_leave == JoinLeave::Off => JoinLeave::Connection,
            Some(false) => JoinLeave::Off,
            _ => kind.join_leave,
        };
        let seen = self.overrides.presence.unwrap_or(kind.presence || join_leave != JoinLeave::Off);
        seen.then_some(join_leave)
    }

    /// Whether its client is told of others' coming and going.
    pub fn told(&self, kind: RoomSettings, asked: bool) -> bool {
        kind.join_leave != JoinLeave::Off && self.overrides.push_join_leave.unwrap_or(asked)
    }
}

impl Connection {
    /// How many rooms it is subscribed to, or about to be.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.borrow().len()
    }

    /// Notes that a subscribe is under way; false if there is one, or a subscription, already.
    pub fn begin_subscription(&self, room: &RoomName) -> bool {
        let mut subscriptions = self.subscriptions.borrow_mut();
        if subscriptions.contains_key(room) {
            return false;
        }
        subscriptions.insert(room.clone(), Subscription::Joining);
        true
    }

    /// The subscribe failed.
    pub fn abandon_subscription(&self, room: &RoomName) {
        self.subscriptions.borrow_mut().remove(room);
    }

    /// The subscribe succeeded.
    pub fn complete_subscription(&self, member: Rc<Member>, terms: Rc<Terms>) {
        self.arm_subscription(&terms);
        let room = member.room.name().clone();
        self.subscriptions.borrow_mut().insert(room, Subscription::Live(member, terms));
    }

    /// Its subscription to a room.
    pub fn member(&self, room: &RoomName) -> Option<Rc<Member>> {
        match self.subscriptions.borrow().get(room) {
            Some(Subscription::Live(member, _)) => Some(member.clone()),
            _ => None,
        }
    }

    /// The terms of its subscription to a room.
    pub fn terms(&self, room: &RoomName) -> Option<Rc<Terms>> {
        match self.subscriptions.borrow().get(room) {
            Some(Subscription::Live(_, terms)) => Some(terms.clone()),
            _ => None,
        }
    }

    /// Whether it is subscribed to a room since before the order of that number, given at that moment
    /// (Unix milliseconds).
    pub fn subscribed_before(&self, room: &RoomName, number: u64, time_ms: i64) -> bool {
        self.member(room).is_some_and(|member| member.joined.origin.precedes(number, time_ms))
    }

    /// Its principal as it acts in a room: with the grant by which it is subscribed, if any, and
    /// without what is shown of it.
    pub fn acting(&self, identity: &Identity, room: &RoomName) -> Principal {
        let granted = self.terms(room).is_some_and(|terms| terms.granted);
        let grants = granted.then(|| room.clone()).into_iter().collect();
        Principal { grants, info: Bytes::new(), ..identity.principal.clone() }
    }

    /// It as others see it, anywhere.
    pub fn who(&self, identity: &Identity) -> Who {
        let principal = &identity.principal;
        // Presence counts all who did not sign in as one user, which is what clients see.
        Who {
            id: principal.id.seen(),
            name: principal.name.clone(),
            info: principal.info.clone(),
            room_info: Bytes::new(),
            connection: self.id,
        }
    }

    /// It as an author in a room.
    pub fn sender(&self, identity: &Identity, room: &RoomName) -> Sender {
        let principal = &identity.principal;
        Sender {
            id: principal.id.clone(),
            name: principal.name.clone(),
            info: principal.info.clone(),
            room_info: self.terms(room).map(|terms| terms.info.clone()).unwrap_or_default(),
            connection: Some(self.id),
        }
    }

    /// Tells presence that it is in a room, if presence is to know.
    pub fn announce(&self, identity: &Identity, member: &Member, terms: &Terms) {
        let Some(join_leave) = terms.shown(member.room.settings()) else { return };
        terms.entered.set(true);
        let who = Who { room_info: terms.info.clone(), ..self.who(identity) };
        let room = member.room.name().clone();
        self.gateway().roster().push(PresenceChange::Entered { room, who, join_leave });
    }

    /// Ends a subscription by the server's will, for good, and tells the client.
    pub fn end_subscription(&self, room: &RoomName, told: &SharedPush) {
        if self.leave(room, Departure::Clean) {
            self.show(told);
        }
    }

    /// Ends a subscription whose place in the log is lost: the client comes back without it.
    pub fn lose_subscription(&self, room: &RoomName, told: &SharedPush) {
        if self.terms(room).is_some_and(|terms| terms.by_server) {
            return self.close(CloseCode::InsufficientState, "");
        }
        self.end_subscription(room, told);
    }

    /// Ends a subscription whose token has ended: the client comes back with a fresh one.
    pub fn expire_subscription(&self, room: &RoomName) {
        if self.terms(room).is_some_and(|terms| terms.by_server) {
            return self.close(CloseCode::SubscriptionExpired, "");
        }
        let code = UnsubscribeCode::Expired;
        self.end_subscription(room, &SharedPush::unsubscribe(room, code, code.text()));
    }

    /// Ends a subscription without a word. False if there is none.
    pub fn leave(&self, room: &RoomName, departure: Departure) -> bool {
        let live = match self.subscriptions.borrow().get(room) {
            Some(Subscription::Live(member, terms)) => (member.clone(), terms.clone()),
            _ => return false,
        };
        let (member, terms) = live;
        self.subscriptions.borrow_mut().remove(room);
        if terms.entered.get() {
            let (room, connection) = (room.clone(), self.id);
            self.gateway().roster().push(PresenceChange::Left { room, connection, departure });
        }
        self.worker.unregister(&member);
        true
    }

    /// Feeds all its members that can be fed.
    pub fn pump_all(&self) {
        self.live().iter().for_each(|(member, _)| member.pump());
    }

    /// All that are complete.
    pub fn live(&self) -> Vec<(Rc<Member>, Rc<Terms>)> {
        let subscriptions = self.subscriptions.borrow();
        let live = subscriptions.values().filter_map(|subscription| match subscription {
            Subscription::Live(member, terms) => Some((member.clone(), terms.clone())),
            Subscription::Joining => None,
        });
        live.collect()
    }
}

#[cfg(test)]
mod tests {
    use domain::{Envelope, Recovery};

    use super::*;

    fn kind(presence: bool, join_leave: JoinLeave) -> RoomSettings {
        let (envelope, recovery) = (Envelope::None, Recovery::Log);
        let (delta, filters) = (false, false);
        RoomSettings { stored: true, presence, join_leave, envelope, recovery, delta, filters }
    }

    fn with(presence: Option<bool>, join_leave: Option<bool>) -> Terms {
        let overrides = Overrides { presence, join_leave, push_join_leave: None };
        Terms { overrides, ..Terms::default() }
    }

    #[test]
    fn a_token_may_hide_its_bearer_and_tell_of_it() {
        use JoinLeave::{Connection, Off, User};
        let plain = with(None, None);
        assert_eq!(plain.shown(kind(true, User)), Some(User));
        assert_eq!(plain.shown(kind(false, User)), Some(User));
        assert_eq!(plain.shown(kind(true, Off)), Some(Off));
        assert_eq!(plain.shown(kind(false, Off)), None);
        assert_eq!(with(Some(false), None).shown(kind(true, User)), None);
        assert_eq!(with(None, Some(false)).shown(kind(true, User)), Some(Off));
        assert_eq!(with(None, Some(true)).shown(kind(false, Off)), Some(Connection));
        assert_eq!(with(None, Some(true)).shown(kind(true, User)), Some(User));
    }

    #[test]
    fn joins_are_told_to_those_who_ask_or_whose_token_says_so() {
        let pushed = |push| Terms {
            overrides: Overrides { push_join_leave: push, ..Overrides::default() },
            ..Terms::default()
        };
        let on = kind(true, JoinLeave::Connection);
        assert!(pushed(None).told(on, true) && !pushed(None).told(on, false));
        assert!(pushed(Some(true)).told(on, false) && !pushed(Some(false)).told(on, true));
        assert!(!pushed(Some(true)).told(kind(true, JoinLeave::Off), true));
    }
}
