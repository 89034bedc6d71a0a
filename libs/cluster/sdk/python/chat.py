"""Two people talk in a room, each on a gateway of their own."""

import asyncio

from centrifuge import ReplyError, StreamPosition

from stage import connect, fresh_room, listen, name_of, new_client, ok, pack, say, subscribe, unpack, until


async def chat():
    room = fresh_room("chat")
    (ann, ann_life), (bob, bob_life) = new_client(0, "ann"), new_client(1, "bob")
    await asyncio.gather(connect(ann), connect(bob))
    assert ann_life.connected[0].client != bob_life.connected[0].client
    await until("system", lambda: "system" in [ctx.channel for ctx in ann_life.server_side])
    ok("connect")

    here, ann_ear = listen(ann, room)
    there, bob_ear = listen(bob, room)
    await subscribe(here, ann_ear)
    subscribed = await subscribe(there, bob_ear)
    assert subscribed.recoverable and subscribed.positioned and not subscribed.was_recovering
    await until("bob's join", lambda: ann_ear.joined.count("bob") == 1)
    ok("subscribe")

    await publish(here, there, (ann_ear, bob_ear))
    await call(ann, room)
    await history(there)

    presence = await here.presence()
    assert sorted(map(name_of, presence.clients.values())) == ["ann", "bob"]
    stats = await there.presence_stats()
    assert (stats.num_clients, stats.num_users) == (2, 2)
    ok("presence")

    await there.unsubscribe()
    await until("bob's leave", lambda: ann_ear.left == ["bob"])
    assert (await here.presence_stats()).num_clients == 1
    await say(here, 2)
    again = await subscribe(there, bob_ear)
    await until("bob's second join", lambda: ann_ear.joined.count("bob") == 2)
    ok("leave and join")

    # Who comes back to a room hears what was said meanwhile, and nothing twice.
    assert again.was_recovering and again.recovered
    await say(here, 1)
    for ear in (ann_ear, bob_ear):
        await ear.heard_all(1, 44)
    ok("unsubscribe")
    await asyncio.gather(ann.disconnect(), bob.disconnect())


async def publish(here, there, ears):
    """Both at once and without waiting for answers: one order for all, in which each author's own is kept."""
    said = {name: [{"name": name, "index": index} for index in range(20)] for name in ("ann", "bob")}
    authors = ((here, "ann"), (there, "bob"))
    await asyncio.gather(*(by.publish(pack(text)) for by, name in authors for text in said[name]))
    for ear in ears:
        await ear.heard_all(1, 40)
        for name, texts in said.items():
            assert [unpack(pub.data) for pub in ear.heard if name_of(pub.info) == name] == texts
    assert [pub.data for pub in ears[0].heard] == [pub.data for pub in ears[1].heard]
    ok("publish")


async def call(client, room):
    message = pack({"room": room, "id": "message-of-ann", "data": {"text": "by rpc"}})
    for duplicate in (False, True):
        sent = unpack((await client.rpc("room.send", message)).data)
        assert (sent["offset"], sent["duplicate"]) == (41, duplicate)
    assert await refusal(client.rpc("room.nonsense", pack({}))) == 104
    ok("rpc")


async def history(subscription):
    async def offsets(**options):
        return [pub.offset for pub in (await subscription.history(**options)).publications]

    top = await subscription.history()
    assert (top.offset, top.publications) == (41, [])
    since = StreamPosition(offset=5, epoch=top.epoch)
    assert await offsets(limit=3) == [1, 2, 3]
    assert await offsets(limit=3, since=since) == [6, 7, 8]
    assert await offsets(limit=3, reverse=True) == [41, 40, 39]
    assert await offsets(limit=3, since=since, reverse=True) == [4, 3, 2]
    assert len(await offsets(limit=-1)) == 41
    wrong = StreamPosition(offset=5, epoch="wrong")
    assert await refusal(subscription.history(limit=3, since=wrong)) == 112
    ok("history")


async def refusal(asked):
    """The code of the error that something ends with; 0 for none."""
    try:
        await asked
    except ReplyError as error:
        return error.code
    return 0
