"""What is refused, and what a hasty application does."""

import asyncio

from centrifuge import CentrifugeError, ClientState

from stage import connect, fresh_room, listen, new_client, ok, pack, say, subscribe, until


async def limits():
    await forbidden()
    await too_large()
    await change_of_mind()


async def forbidden():
    """A room of the system's own is no room to come into; the client stays, without that subscription."""
    ann, _ = new_client(0, "ann")
    await connect(ann)
    subscription, ear = listen(ann, "user:somebody")
    await subscription.subscribe()
    await until("the refusal", lambda: ear.unsubscribed == [103])
    assert ann.state == ClientState.CONNECTED
    ok("forbidden room")
    await ann.disconnect()


async def too_large():
    """More than a frame may hold ends the connection with 1009, which this SDK calls 3 and comes back from."""
    ann, life = new_client(0, "ann")
    await connect(ann)
    try:
        await ann.publish(fresh_room("large"), pack({"text": "x" * 70_000}))
        raise AssertionError("it was taken")
    except CentrifugeError:
        pass
    await until("the close", lambda: life.connecting[-1].code == 3)
    await until("the return", lambda: len(life.connected) == 2)
    ok("too large")
    await ann.disconnect()


async def change_of_mind():
    """In and out without waiting: the last word counts, for the room's members too."""
    room = fresh_room("hasty")
    (ann, _), (bob, _) = new_client(0, "ann"), new_client(1, "bob")
    await asyncio.gather(connect(ann), connect(bob))
    here, ann_ear = listen(ann, room)
    there, bob_ear = listen(bob, room)
    await subscribe(here, ann_ear)
    for turn in range(10):
        await there.subscribe()
        if turn % 3 == 0:
            await asyncio.sleep(turn / 1_000)
        await there.unsubscribe()
    await subscribe(there, bob_ear)
    await say(here, 3)
    for ear in (ann_ear, bob_ear):
        await ear.heard_all(1, 3)
    await until("bob is here once", lambda: ann_ear.joined.count("bob") == ann_ear.left.count("bob") + 1)
    assert (await here.presence_stats()).num_clients == 2
    ok("change of mind")
    await asyncio.gather(ann.disconnect(), bob.disconnect())
