//! Decides what a transaction writes, from what it has read under the locks.
//!
//! Pure, and shared by both stores, so that neither has rules of its own: who is a duplicate, who
//! is refused, who came too late, and which offset each new item gets. Offsets are given in the
//! order of the batch and only to what will be written, so a log never has a hole.
use std::collections::{HashMap, HashSet};

use domain::{Epoch, Error, ErrorReason, PrincipalId, Result, RoomName};

use super::no_such_room;
use super::records::{Append, Appended, Needs};

/// A room whose row is locked.
#[derive(Debug, Clone)]
pub(crate) struct Locked {
    pub id: i64,
    pub epoch: Epoch,
    pub head: u64,
}

/// What was read for one item, after its room was locked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The place, time and digest of an earlier item with this message id.
    pub earlier: Option<(u64, i64, Vec<u8>)>,
    pub banned: bool,
    pub member: bool,
}

/// One row to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    /// Its place in the batch.
    pub index: usize,
    pub room: i64,
    pub offset: u64,
}

/// What to write and what to answer.
#[derive(Debug)]
pub(crate) struct Plan {
    pub writes: Vec<Write>,
    /// (room, new head) of every room that is written to, in the order of ids.
    pub heads: Vec<(i64, u64)>,
    pub results: Vec<Result<Appended>>,
}

/// Makes the plan. `seen` stands in the order of the batch; `time_ms` is what new items are stamped
/// with.
pub(crate) fn plan(
    batch: &[Append],
    rooms: &HashMap<RoomName, Locked>,
    seen: &[Seen],
    time_ms: i64,
) -> Plan {
    let mut heads: HashMap<i64, u64> = HashMap::new();
    let mut writes = Vec::with_capacity(batch.len());
    let mut broken: HashSet<(&RoomName, &PrincipalId)> = HashSet::new();
    let mut results = Vec::with_capacity(batch.len());
    for (index, (item, seen)) in batch.iter().zip(seen).enumerate() {
        let author = (&item.room, &item.owner);
        let result = match rooms.get(&item.room) {
            None => Err(no_such_room()),
            Some(_) if broken.contains(&author) => Err(behind_a_failure()),
            Some(room) => judge(item, room, seen).map(|earlier| {
                earlier.unwrap_or_else(|| {
                    let head = heads.entry(room.id).or_insert(room.head);
                    *head += 1;
                    writes.push(Write { index, room: room.id, offset: *head });
                    appended(room, *head, time_ms, false)
                })
            }),
        };
        if result.as_ref().is_err_and(Error::transient) {
            broken.insert(author);
        }
        results.push(result);
    }
    let mut heads: Vec<_> = heads.into_iter().collect();
    heads.sort_unstable();
    Plan { writes, heads, results }
}

/// Why what stands behind a transient failure of the same author in the same room fails too: were
/// it committed, a retry of the first would come after it.
pub(crate) fn behind_a_failure() -> Error {
    Error::unavailable("an earlier message of yours failed; send both again, in order")
}

/// The caller's deadline passed before the commit.
pub(crate) fn too_late() -> Error {
    Error::new(ErrorReason::DeadlineExceeded, "not committed in time")
}

fn judge(item: &Append, room: &Locked, seen: &Seen) -> Result<Option<Appended>> {
    if let Some((offset, time_ms, digest)) = &seen.earlier {
        if *digest != item.digest {
            return Err(id_conflict());
        }
        return Ok(Some(appended(room, *offset, *time_ms, true)));
    }
    let allowed = match item.needs {
        Needs::Nothing => true,
        Needs::NoBan => !seen.banned,
        Needs::Membership => seen.member && !seen.banned,
    };
    if !allowed {
        return Err(Error::denied());
    }
    if item.deadline.passed() {
        return Err(too_late());
    }
    Ok(None)
}

/// The message id was used for another payload.
pub(crate) fn id_conflict() -> Error {
    Error::new(ErrorReason::MessageIdConflict, "the message id was used for another payload")
}

fn appended(room: &Locked, offset: u64, time_ms: i64, duplicate: bool) -> Appended {
    let position = domain::Position { epoch: room.epoch.clone(), offset };
    Appended { position, time_ms, duplicate }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use domain::{Body, MessageId, Tags};
    use rpc::Deadline;

    use super::*;

    fn item(room: &str, owner: &str, id: &str) -> Append {
        Append {
            room: RoomName::parse(room).unwrap(),
            make_room: false,
            owner: PrincipalId::new("iss", owner),
            needs: Needs::NoBan,
            message_id: MessageId::parse(id).unwrap(),
            digest: [7; 32],
            body: Body::Message {
                sender: None,
                gateway: None,
                tags: Tags::default(),
                data: Bytes::from_static(b"{}"),
            },
            deadline: Deadline::after(Duration::from_secs(60)),
            along: Vec::new(),
        }
    }

    fn rooms() -> HashMap<RoomName, Locked> {
        let locked = |id, head| Locked { id, epoch: Epoch::new("e"), head };
        [("a", locked(1, 10)), ("b", locked(2, 0))]
            .into_iter()
            .map(|(name, room)| (RoomName::parse(name).unwrap(), room))
            .collect()
    }

    fn offsets(plan: &Plan) -> Vec<std::result::Result<u64, ErrorReason>> {
        plan.results
            .iter()
            .map(|r| r.as_ref().map(|a| a.position.offset).map_err(|e| e.reason))
            .collect()
    }

    #[tokio::test]
    async fn offsets_go_only_to_what_is_written() {
        let batch = [
            item("a", "u", "id-00001"),
            item("a", "banned", "id-00002"),
            item("b", "u", "id-00003"),
            item("a", "u", "id-00004"),
            item("a", "u", "id-00005"),
        ];
        let mut seen = vec![Seen::default(); 5];
        seen[1].banned = true;
        seen[3].earlier = Some((4, 99, vec![7; 32]));
        let plan = plan(&batch, &rooms(), &seen, 5);
        let denied = Err(ErrorReason::PermissionDenied);
        assert_eq!(offsets(&plan), [Ok(11), denied, Ok(1), Ok(4), Ok(12)]);
        assert_eq!(plan.heads, [(1, 12), (2, 1)]);
        assert_eq!(plan.writes.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_stands_behind_a_late_item_of_the_same_author_fails_too() {
        let mut batch =
            [item("a", "u", "id-00001"), item("a", "u", "id-00002"), item("a", "v", "id-00003")];
        batch[0].deadline = Deadline::after(Duration::ZERO);
        let plan = plan(&batch, &rooms(), &vec![Seen::default(); 3], 5);
        let late = Err(ErrorReason::DeadlineExceeded);
        assert_eq!(offsets(&plan), [late, Err(ErrorReason::Unavailable), Ok(11)]);
    }

    #[tokio::test]
    async fn another_payload_under_a_known_id_is_a_conflict_even_for_the_banned() {
        let batch = [item("a", "u", "id-00001")];
        let seen = [Seen { earlier: Some((4, 99, vec![8; 32])), banned: true, member: false }];
        let plan = plan(&batch, &rooms(), &seen, 5);
        assert_eq!(offsets(&plan), [Err(ErrorReason::MessageIdConflict)]);
    }

    #[tokio::test]
    async fn a_room_that_does_not_exist_takes_nothing() {
        let plan = plan(&[item("nowhere", "u", "id-00001")], &rooms(), &[Seen::default()], 5);
        assert_eq!(offsets(&plan), [Err(ErrorReason::NotFound)]);
        assert!(plan.writes.is_empty() && plan.heads.is_empty());
    }
}
