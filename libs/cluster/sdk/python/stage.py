"""What the stories are played on: clients of the official SDK as it is installed, each behind a door
of the test, and the test itself, which is told by `want WISH` what to do and answers with one line.
"""

import asyncio
import json
import logging
import os
import secrets
import sys
import time

from centrifuge import Client, ClientEventHandler, SubscriptionEventHandler

PROTOBUF = os.environ["FORMAT"] == "protobuf"
DOORS = os.environ["DOORS"].split(",")

logging.basicConfig(level=logging.WARNING)
_asking = asyncio.Lock()


def pack(value):
    """With Protobuf the SDK hands over bytes; in JSON, values."""
    return json.dumps(value).encode() if PROTOBUF else value


def unpack(data):
    return json.loads(data) if PROTOBUF else data


def name_of(info):
    return unpack(info.conn_info)["name"]


def ok(step):
    print(f"ok {step}", flush=True)


async def want(wish):
    async with _asking:
        print(f"want {wish}", flush=True)
        answer = await asyncio.to_thread(sys.stdin.readline)
        return answer.strip()


async def until(what, holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within 20 s"
        await asyncio.sleep(0.02)


def fresh_room(word):
    return f"{word}-{secrets.token_hex(4)}"


class Life(ClientEventHandler):
    """Writes down what becomes of a client."""

    def __init__(self):
        self.connecting, self.connected, self.disconnected, self.server_side = [], [], [], []

    async def on_connecting(self, ctx):
        self.connecting.append(ctx)

    async def on_connected(self, ctx):
        self.connected.append(ctx)

    async def on_disconnected(self, ctx):
        self.disconnected.append(ctx)

    async def on_subscribed(self, ctx):
        self.server_side.append(ctx)

    async def on_error(self, ctx):
        print(ctx, file=sys.stderr)


class Ear(SubscriptionEventHandler):
    """Writes down what a subscription hears."""

    def __init__(self):
        self.subscribed, self.unsubscribed, self.heard, self.joined, self.left = [], [], [], [], []

    async def on_unsubscribed(self, ctx):
        self.unsubscribed.append(ctx.code)

    async def on_subscribed(self, ctx):
        self.subscribed.append(ctx)

    async def on_publication(self, ctx):
        self.heard.append(ctx.pub)

    async def on_join(self, ctx):
        self.joined.append(name_of(ctx.info))

    async def on_leave(self, ctx):
        self.left.append(name_of(ctx.info))

    async def on_error(self, ctx):
        print(ctx, file=sys.stderr)

    async def heard_all(self, first, last):
        """Every offset was heard, once and in order; a push may come after the publish's answer."""
        await until(f"offsets up to {last}", lambda: self.heard and self.heard[-1].offset >= last)
        assert [pub.offset for pub in self.heard] == list(range(first, last + 1))


def new_client(door, name, get_token=None):
    """Somebody behind a door, and what becomes of it."""

    async def lasting_token():
        return await want(f"token {name} 600")

    life = Life()
    client = Client(
        f"ws://{DOORS[door]}/ws",
        events=life,
        get_token=get_token or lasting_token,
        use_protobuf=PROTOBUF,
        min_reconnect_delay=0.05,
        max_reconnect_delay=0.5,
    )
    return client, life


async def connect(client):
    await client.connect()
    await client.ready(20)


def listen(client, room, **options):
    """A subscription that can recover, and all that it hears."""
    ear = Ear()
    subscription = client.new_subscription(
        room,
        events=ear,
        positioned=True,
        recoverable=True,
        join_leave=True,
        min_resubscribe_delay=0.05,
        max_resubscribe_delay=0.5,
        **options,
    )
    return subscription, ear


async def subscribe(subscription, ear):
    before = len(ear.subscribed)
    await subscription.subscribe()
    await until("subscribed", lambda: len(ear.subscribed) > before)
    return ear.subscribed[-1]


async def say(subscription, count):
    texts = ({"kind": "text", "text": str(index)} for index in range(count))
    await asyncio.gather(*(subscription.publish(pack(text)) for text in texts))
