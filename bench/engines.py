"""Publishing through Postroad against the engine's own Python client used directly, at its best, in the same run.

    python bench/engines.py [redis] [rabbitmq] [kafka] [sqs] [--messages 20000] [--size 100] [--rounds 5]
    python bench/engines.py --matrix

Each round measures both, one after the other; printed are medians and their ratio. The servers are started on free ports.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "engines"))

from desk import Desk, frame
from kafka_server import Kafka
from postroad.broker.engine.engine import Confirm, Engine
from postroad.broker.engine.open import open_engine
from servers import Rabbit, Redis, Server
from sqs_server import ENVIRONMENT, ElasticMq

FRAME = 200
"""Messages in one publish frame: what the Node client puts into one tick's frame under load."""


async def through_postroad(engine: Engine, bodies: list[bytes], queue: str) -> float:
    """Seconds until the last confirm."""
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[None] = loop.create_future()
    left = -(-len(bodies) // FRAME)

    def done(outcome: object) -> None:
        nonlocal left
        left -= 1
        if not isinstance(outcome, Confirm):
            finished.set_exception(AssertionError(repr(outcome)))
        elif not left:
            finished.set_result(None)

    began = time.perf_counter()
    for first in range(0, len(bodies), FRAME):
        engine.publish(frame(queue, *bodies[first : first + FRAME]), done)
        if first % (FRAME * 8) == 0:
            await asyncio.sleep(0)
    await finished
    return time.perf_counter() - began


async def consumed(engine: Engine, count: int, queue: str) -> float:
    """Seconds to deliver and ack what is in the queue."""
    desk = Desk(engine)
    began = time.perf_counter()
    inbox = await desk.consume(queue, prefetch=4000)
    seen = 0
    while seen < count:
        fresh = await inbox.fresh(seen)
        seen += len(fresh)
        await inbox.settle(acks=[(fresh[0].number, fresh[-1].number)])
    taken = time.perf_counter() - began
    inbox.subscription.cancel()
    return taken


async def redis_directly(server: Server, bodies: list[bytes]) -> float:
    """Pipelines of XADD, as large as does them good."""
    from redis.asyncio import Redis as Client

    client = Client(host="127.0.0.1", port=server.port, protocol=2)
    await client.ping()
    began = time.perf_counter()
    for first in range(0, len(bodies), 1000):
        pipeline = client.pipeline(transaction=False)
        for body in bodies[first : first + 1000]:
            pipeline.xadd("direct", {"b": body})
        await pipeline.execute()
    taken = time.perf_counter() - began
    await client.delete("direct")
    await client.aclose()
    return taken


async def kafka_directly(server: Server, bodies: list[bytes]) -> float:
    """confluent-kafka's Producer with acks from all: librdkafka batches by itself, as much as does it good."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    servers: dict[str, Any] = {"bootstrap.servers": f"127.0.0.1:{server.port}", "log_level": 0}
    admin = AdminClient(servers)
    topic = f"direct{time.monotonic_ns()}"
    await asyncio.to_thread(admin.create_topics([NewTopic(topic, 1)])[topic].result)
    producer = Producer(
        {**servers, "enable.idempotence": True, "acks": "all", "queue.buffering.max.messages": 1_000_000}
    )
    producer.produce(topic, b"first", partition=0)
    producer.flush()
    failed: list[object] = []

    def delivered(error: object, message: object) -> None:
        if error is not None:
            failed.append(error)

    began = time.perf_counter()
    for body in bodies:
        producer.produce(topic, body, partition=0, on_delivery=delivered)
    producer.flush()
    taken = time.perf_counter() - began
    assert not failed, failed[0]
    await asyncio.to_thread(admin.delete_topics([topic])[topic].result)
    return taken


async def rabbitmq_directly(server: Server, bodies: list[bytes]) -> float:
    """aio-pika: persistent messages with confirms, a thousand in flight."""
    import aio_pika

    connection = await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{server.port}/")
    channel = await connection.channel()
    await channel.declare_queue("direct", durable=True)
    exchange = channel.default_exchange
    persistent = aio_pika.DeliveryMode.PERSISTENT
    began = time.perf_counter()
    for first in range(0, len(bodies), 1000):
        messages = [aio_pika.Message(body, delivery_mode=persistent) for body in bodies[first : first + 1000]]
        await asyncio.gather(*(exchange.publish(message, routing_key="direct") for message in messages))
    taken = time.perf_counter() - began
    await channel.queue_delete("direct")
    await connection.close()
    return taken


async def sqs_directly(server: Server, bodies: list[bytes]) -> float:
    """aiobotocore: batches of ten, 64 of them in flight."""
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    config = AioConfig(max_pool_connections=64, parameter_validation=False)
    endpoint = f"http://127.0.0.1:{server.port}"
    flying = asyncio.Semaphore(64)
    async with get_session().create_client(
        "sqs", region_name="eu-central-1", endpoint_url=endpoint, config=config
    ) as client:
        url = (await client.create_queue(QueueName="direct"))["QueueUrl"]

        async def send(part: list[bytes]) -> None:
            entries = [{"Id": str(at), "MessageBody": body.decode()} for at, body in enumerate(part)]
            async with flying:
                answer = await client.send_message_batch(QueueUrl=url, Entries=entries)
            assert len(answer["Successful"]) == len(part)

        began = time.perf_counter()
        await asyncio.gather(*(send(bodies[first : first + 10]) for first in range(0, len(bodies), 10)))
        taken = time.perf_counter() - began
        await client.delete_queue(QueueUrl=url)
    return taken


async def measured(
    name: str, server: Server, url: str, directly: Callable[[Server, list[bytes]], Awaitable[float]], args: Any
) -> dict[str, Any]:
    bodies = [b"%0*d" % (args.size, at) for at in range(args.messages)]
    engine = open_engine(url, data="")
    await engine.start()
    ours, theirs, consuming = [], [], []
    for at in range(args.rounds):
        queue = f"bench{at}"
        await engine.declare(queue, {})
        ours.append(await through_postroad(engine, bodies, queue))
        consuming.append(await consumed(engine, len(bodies), queue))
        await engine.delete(queue)
        theirs.append(await directly(server, bodies))
    await engine.close()
    rates = [args.messages / statistics.median(times) for times in (ours, theirs, consuming)]
    return {
        "engine": name,
        "messages": args.messages,
        "size": args.size,
        "durability": engine.durability,
        "published_per_s": round(rates[0]),
        "directly_per_s": round(rates[1]),
        "ratio": round(rates[0] / rates[1], 2),
        "consumed_per_s": round(rates[2]),
    }


async def main(args: Any) -> None:
    engines: dict[str, tuple[type[Server], Any]] = {
        "redis": (Redis, redis_directly),
        "rabbitmq": (Rabbit, rabbitmq_directly),
        "kafka": (Kafka, kafka_directly),
        "sqs": (ElasticMq, sqs_directly),
    }
    for name in args.engines or engines:
        kind, directly = engines[name]
        with tempfile.TemporaryDirectory() as folder:
            server = kind(Path(folder))
            server.start()
            try:
                print(json.dumps(await measured(name, server, server.url, directly, args)))
            finally:
                server.stop()


if __name__ == "__main__":
    os.environ.update(ENVIRONMENT)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engines", nargs="*")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--matrix", action="store_true", help="print the capability matrix of docs/engines.md instead")
    args = parser.parse_args()
    if args.matrix:
        from matrix import matrix

        print(matrix())
    else:
        asyncio.run(main(args))
