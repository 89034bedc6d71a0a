"""Bob loses his connection, or his gateway, in each way there is, and hears everything once all the same."""

import asyncio

from centrifuge import StreamPosition

from stage import connect, fresh_room, listen, new_client, ok, say, subscribe, until, want


async def recovery():
    room = fresh_room("recovery")
    (ann, _), (bob, life) = new_client(0, "ann"), new_client(1, "bob")
    await asyncio.gather(connect(ann), connect(bob))
    here, ann_ear = listen(ann, room)
    there, bob_ear = listen(bob, room)
    epoch = (await subscribe(here, ann_ear)).stream_position.epoch
    await subscribe(there, bob_ear)
    await say(here, 3)
    await bob_ear.heard_all(1, 3)

    async def lose(wish, times, last):
        """What takes bob away so often while ann goes on; both have heard `last` messages in the end."""
        before, away = len(bob_ear.subscribed), len(life.connecting) + times
        await want(wish)
        await say(here, 3)
        await until("bob is away", lambda: len(life.connecting) == away)
        await until("bob is back", lambda: len(bob_ear.subscribed) > before)
        assert all(ctx.was_recovering and ctx.recovered for ctx in bob_ear.subscribed[before:])
        await say(here, 1)
        for ear in (ann_ear, bob_ear):
            await ear.heard_all(1, last)

    await lose("cut 1", 1, 7)
    ok("recovery after a cut")
    await lose("cut-twice 1", 2, 11)
    ok("double reconnect")
    await lose("kill 1", 1, 15)
    await say(there, 1)
    for ear in (ann_ear, bob_ear):
        await ear.heard_all(1, 16)
    ok("killed gateway")
    await want("restart 1")
    await lose("cut 1", 1, 20)
    ok("recovery on another gateway")

    await state(room, epoch)
    await asyncio.gather(ann.disconnect(), bob.disconnect())


async def state(room, epoch):
    """The application keeps the position itself. It is asked once more when the first one leads nowhere."""
    positions = [StreamPosition(offset=2, epoch="wrong"), StreamPosition(offset=2, epoch=epoch)]

    async def get_state(_channel):
        return positions.pop(0)

    dave, _ = new_client(1, "dave")
    await connect(dave)
    subscription, ear = listen(dave, room, get_state=get_state)
    subscribed = await subscribe(subscription, ear)
    assert subscribed.was_recovering and subscribed.recovered and not positions
    await ear.heard_all(3, 20)
    ok("state")
    await dave.disconnect()
