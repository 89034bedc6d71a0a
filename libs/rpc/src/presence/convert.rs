//! Presence's own messages, there and back.
use domain::{Departure, Error, PresenceBatch, PresenceChange, Result};
use proto::presence::v1;

use super::{Lease, LeaseState};
use crate::convert::{self, IntoDomain, IntoProto, required, room};

impl IntoProto for Lease {
    type Proto = v1::OpenLeaseResponse;
    fn into_proto(self) -> v1::OpenLeaseResponse {
        v1::OpenLeaseResponse {
            lease_id: convert::lease_bytes(self.id),
            ttl_ms: self.ttl_ms,
            renew_ms: self.renew_ms,
        }
    }
}

impl IntoDomain for v1::OpenLeaseResponse {
    type Domain = Lease;
    fn into_domain(self) -> Result<Lease> {
        Ok(Lease {
            id: convert::lease(&self.lease_id)?,
            ttl_ms: self.ttl_ms,
            renew_ms: self.renew_ms,
        })
    }
}

impl IntoProto for LeaseState {
    type Proto = v1::LeaseState;
    fn into_proto(self) -> v1::LeaseState {
        match self {
            Self::Held => v1::LeaseState::Held,
            Self::Lost => v1::LeaseState::Lost,
        }
    }
}

impl IntoDomain for v1::LeaseState {
    type Domain = LeaseState;
    fn into_domain(self) -> Result<LeaseState> {
        match self {
            Self::Held => Ok(LeaseState::Held),
            Self::Lost => Ok(LeaseState::Lost),
            Self::Unspecified => Err(Error::invalid("the state is unknown")),
        }
    }
}

impl IntoProto for PresenceChange {
    type Proto = v1::Change;
    fn into_proto(self) -> v1::Change {
        use v1::change::Change;
        let change = match self {
            Self::Connected(who) => Change::Connected(who.into_proto()),
            Self::Disconnected(connection) => {
                Change::Disconnected(convert::connection_bytes(connection))
            }
            Self::Entered { room, who, join_leave } => Change::Entered(v1::Entered {
                room: room.to_string(),
                who: Some(who.into_proto()),
                join_leave: join_leave.into_proto().into(),
            }),
            Self::Left { room, connection, departure } => {
                let departure = match departure {
                    Departure::Clean => v1::Departure::Clean,
                    Departure::Lost => v1::Departure::Lost,
                };
                Change::Left(v1::Left {
                    room: room.to_string(),
                    connection_id: convert::connection_bytes(connection),
                    departure: departure.into(),
                })
            }
        };
        v1::Change { change: Some(change) }
    }
}

impl IntoDomain for v1::Change {
    type Domain = PresenceChange;
    fn into_domain(self) -> Result<PresenceChange> {
        use v1::change::Change;
        match self.change {
            // Passing over a change would make the store wrong for good.
            None => Err(Error::invalid("a change of an unknown kind")),
            Some(Change::Connected(who)) => who.into_domain().map(PresenceChange::Connected),
            Some(Change::Disconnected(id)) => {
                convert::connection(&id).map(PresenceChange::Disconnected)
            }
            Some(Change::Entered(entered)) => Ok(PresenceChange::Entered {
                join_leave: entered.join_leave().into_domain()?,
                room: room(&entered.room)?,
                who: required(entered.who, "entered.who")?,
            }),
            Some(Change::Left(left)) => Ok(PresenceChange::Left {
                room: room(&left.room)?,
                connection: convert::connection(&left.connection_id)?,
                departure: match left.departure() {
                    v1::Departure::Clean => Departure::Clean,
                    v1::Departure::Lost => Departure::Lost,
                    v1::Departure::Unspecified => {
                        return Err(Error::invalid("the departure is unknown"));
                    }
                },
            }),
        }
    }
}

impl IntoDomain for v1::ApplyRequest {
    type Domain = PresenceBatch;
    fn into_domain(self) -> Result<PresenceBatch> {
        let changes = self.changes.into_domain()?;
        Ok(PresenceBatch { number: self.number, announce: self.announce, changes })
    }
}
