//! Who may do what in a room, and rooms that come into being by being joined.
//!
//! What the token tells (roles) is decided here; what the database tells (bans, members) is read
//! here for joins and history, and once more under the room's lock for publishes. An unknown room
//! and a forbidden one give the same answer after the same read.
use std::sync::Arc;

use domain::{Error, Position, Principal, PrincipalId, Result, Rights, RoomName};
use rpc::rooms::Joined;

use crate::gather::Gather;
use crate::kinds::{Access, KindConfig, Kinds};
use crate::store::{Needs, Store, View};

/// Reads of views that run at the same time.
const READERS: usize = 2;

/// Decides rights.
pub(crate) struct Membership {
    kinds: Arc<Kinds>,
    store: Arc<dyn Store>,
    views: Gather<(RoomName, PrincipalId), Option<View>>,
}

impl Membership {
    pub(crate) fn new(kinds: Arc<Kinds>, store: Arc<dyn Store>) -> Self {
        let reader = store.clone();
        let views = Gather::new(READERS, move |wanted: Vec<(RoomName, PrincipalId)>| {
            let store = reader.clone();
            async move { store.views(&wanted).await }
        });
        Self { kinds, store, views }
    }

    /// See `rpc::rooms::Rooms::join`.
    pub(crate) async fn join(&self, principal: &Principal, room: &RoomName) -> Result<Joined> {
        let kind = self.kinds.of(room)?;
        let view = match self.view(room, &principal.id).await? {
            Some(view) => view,
            None => self.make(kind, principal, room, &kind.join).await?,
        };
        if !may(&kind.join, principal, room, &view) {
            return Err(Error::denied());
        }
        let publish = may(&kind.publish, principal, room, &view);
        let rights = Rights { publish, moderate: principal.is_admin() };
        let head = if kind.stored { view.head } else { Position::default() };
        Ok(Joined { settings: kind.settings(), rights, head })
    }

    /// May this principal read the room's log? Its kind and how the room stands.
    pub(crate) async fn read(
        &self,
        principal: &Principal,
        room: &RoomName,
    ) -> Result<(&KindConfig, View)> {
        let kind = self.kinds.of(room)?;
        let view = self.view(room, &principal.id).await?.ok_or_else(Error::denied)?;
        if may(&kind.join, principal, room, &view) {
            Ok((kind, view))
        } else {
            Err(Error::denied())
        }
    }

    /// May this principal publish into a room without a log? Read at each publish, many at once.
    pub(crate) async fn publish_ephemeral(
        &self,
        kind: &KindConfig,
        principal: &Principal,
        room: &RoomName,
    ) -> Result<()> {
        let view = match self.view(room, &principal.id).await? {
            Some(view) => view,
            None => self.make(kind, principal, room, &kind.publish).await?,
        };
        if may(&kind.publish, principal, room, &view) { Ok(()) } else { Err(Error::denied()) }
    }

    /// How a room stands; the read begins after this call. `None` for a room that does not exist.
    pub(crate) async fn view(&self, room: &RoomName, whose: &PrincipalId) -> Result<Option<View>> {
        // PostgreSQL's texts refuse U+0000, and one such question would fail all that are asked
        // with it.
        if whose.issuer.contains('\0') || whose.subject.contains('\0') {
            return Err(Error::invalid("a principal's name holds a zero byte"));
        }
        self.views.ask((room.clone(), whose.clone())).await
    }

    /// Makes a room for whoever would be let into it.
    async fn make(
        &self,
        kind: &KindConfig,
        principal: &Principal,
        room: &RoomName,
        access: &Access,
    ) -> Result<View> {
        let wanted = principal.is_admin() || access.allows(principal, room, false);
        if !kind.auto_create || !wanted {
            return Err(Error::denied());
        }
        self.store.ensure_room(room).await?;
        let made = self.view(room, &principal.id).await?;
        made.ok_or_else(|| Error::unavailable("the room was not made; try again"))
    }
}

/// What a publisher may do in a room with a log, as far as the token tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublishRight {
    /// The rest, for the room's lock.
    pub needs: Needs,
    /// Whether the room is made if there is none.
    pub make_room: bool,
}

/// What the token lets a publisher do. Asks nobody, and so waits for nothing.
pub(crate) fn may_publish(
    kind: &KindConfig,
    principal: &Principal,
    room: &RoomName,
) -> Result<PublishRight> {
    let needs = match &kind.publish {
        _ if principal.is_admin() => Needs::NoBan,
        Access::Members => Needs::Membership,
        access if access.allows(principal, room, false) => Needs::NoBan,
        _ => return Err(Error::denied()),
    };
    // Nobody is a member yet of a room that does not exist.
    Ok(PublishRight { needs, make_room: kind.auto_create && needs == Needs::NoBan })
}

/// A ban shuts out everybody; else admins may all, the others what the kind gives them.
fn may(access: &Access, principal: &Principal, room: &RoomName, view: &View) -> bool {
    !view.banned && (principal.is_admin() || access.allows(principal, room, view.member))
}
