"""Another gateway on the same engine, in a process of its own, to be killed: consumes a queue and acks every second message.

Prints ``ready``, ``?`` and the id of every message that it is about to ack, and the id of every message whose ack was confirmed: of those in
between the engine may have taken the ack or not.
"""

from __future__ import annotations

import asyncio
import sys

from desk import Inbox
from postroad.broker.engine.engine import ConsumeSpec
from postroad.broker.engine.open import open_engine


async def main(url: str, queue: str) -> None:
    engine = open_engine(url, data="")
    await engine.start()
    inbox = Inbox()
    inbox.subscription = await engine.consume(ConsumeSpec(queue=queue, consumer="other", prefetch=500), inbox)
    print("ready", flush=True)
    seen = 0
    while True:
        fresh = await inbox.fresh(seen)
        seen += len(fresh)
        done = [message for message in fresh if message.number % 2]
        for message in done:
            print(f"?{message.id}", flush=True)
        await inbox.ack(*(message.number for message in done))
        for message in done:
            print(message.id, flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2]))
