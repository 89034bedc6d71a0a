"""The official Python SDK through every story, in one format (FORMAT)."""

import asyncio

from chat import chat
from limits import limits
from recovery import recovery
from tokens import tokens


async def main():
    await chat()
    await limits()
    await recovery()
    await tokens()


asyncio.run(main())
