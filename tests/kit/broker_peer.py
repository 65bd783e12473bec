"""A second process for the broker's tests: does what standard input says, reports on standard output."""

import asyncio
import sys

from tocsin.kit.broker import Broker, Waiter, connect


def say(*words: object) -> None:
    print(*words, flush=True)


async def report_wakes(topic: str, waiter: Waiter) -> None:
    while True:
        if await waiter.wait(30):
            say("woken", topic)


async def obey(broker: Broker, line: str, background: set[asyncio.Task[None]]) -> None:
    match line.split():
        case ["wait", topic]:
            background.add(asyncio.create_task(report_wakes(topic, await broker.waiter(topic))))
            say("waiting", topic)
        case ["wake", topic]:
            broker.wake(topic)
        case ["subscribe", channel]:
            await broker.subscribe(channel, lambda message: say("got", message.decode()), lambda: say("gap", channel))
            say("subscribed", channel)
        case ["publish", channel, first, last]:
            for number in range(int(first), int(last)):
                broker.publish(channel, str(number).encode())
        case ["claim", name]:
            say("claimed", await broker.claim_exclusive(name, lambda: say("lost", name)))


async def main(redis_url: str, dsn: str) -> None:
    broker = connect(redis_url or None, dsn)
    await broker.start()
    say("ready")
    background: set[asyncio.Task[None]] = set()
    while line := await asyncio.to_thread(sys.stdin.readline):
        await obey(broker, line, background)
    await broker.close()


asyncio.run(main(sys.argv[1], sys.argv[2]))
