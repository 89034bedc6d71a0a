"""Tokens of three seconds. The SDK asks the application for fresh ones; the gateway gives 3 s of grace."""

import asyncio
import time

from centrifuge import ClientState

from stage import connect, new_client, ok, until, want


class Source:
    """Where an application has its tokens from; each ends soon."""

    def __init__(self, name):
        self.name, self.asked, self.broken = name, 0, False

    async def __call__(self):
        self.asked += 1
        if self.broken:
            raise RuntimeError("no tokens today")
        return await want(f"token {self.name} 3")


async def tokens():
    await asyncio.gather(refresh(), expiry_while_connected(), expiry_while_offline(), forged())


async def refresh():
    """Connected for longer than the first token and its grace last, and never away."""
    source = Source("erin")
    client, life = new_client(0, "erin", source)
    await connect(client)
    await until("four tokens", lambda: source.asked >= 4)
    assert client.state == ClientState.CONNECTED and len(life.connecting) == 1
    ok("refresh")
    await client.disconnect()


async def expiry_while_connected():
    """No fresh token to be had: the gateway closes, and the client is back when there are some again."""
    source = Source("frank")
    client, life = new_client(0, "frank", source)
    await connect(client)
    source.broken = True
    await until("the close", lambda: life.connecting[-1].code == 3005)
    source.broken = False
    await until("the return", lambda: len(life.connected) == 2)
    ok("expiry while connected")
    await client.disconnect()


async def expiry_while_offline():
    """The token ends while there is no way to the gateway: error 109 makes the SDK ask for another."""
    source = Source("grace")
    client, life = new_client(1, "grace", source)
    await connect(client)
    ended = time.monotonic() + 4
    await want("shut 1")
    await until("the loss", lambda: len(life.connecting) == 2)
    asked = source.asked
    await until("the end of the token", lambda: time.monotonic() > ended)
    await want("open 1")
    await until("the return", lambda: len(life.connected) == 2)
    assert source.asked > asked
    ok("expiry while offline")
    await client.disconnect()


async def forged():
    """A token that nobody trusted has signed ends it for good."""

    async def forged_token():
        return await want("forged-token mallory")

    client, life = new_client(0, "mallory", forged_token)
    await client.connect()
    await until("the end", lambda: life.disconnected)
    assert life.disconnected[0].code == 3500
    ok("forged token")
