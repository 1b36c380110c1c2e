"""Publishes on their way to another broker: a long batch is not taken for a broker that hangs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from postroad.broker.engine.external import Send, Sent, sender
from postroad.broker.engine.external.sender import Sender
from postroad.broker.errors import Unavailable


class SlowBackend:
    name, is_up, flights, flight_messages = "slow", True, 4, 100

    def __init__(self, *, confirms: bool) -> None:
        self.progress = 0
        self._confirms = confirms

    async def send(self, sends: list[Send]) -> list[Sent | Exception]:
        for _ in range(40):
            await asyncio.sleep(sender.PATIENCE_S / 10)
            self.progress += self._confirms
        return [Sent(firsts=[])] * len(sends)


@pytest.mark.parametrize("confirms", [True, False], ids=["bit by bit", "nothing"])
async def test_a_batch_is_refused_when_nothing_is_confirmed_and_not_while_something_is(
    confirms: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "PATIENCE_S", 0.2)
    backend: Any = SlowBackend(confirms=confirms)
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    send = Send(targets=[], prefix="p-", at=0, headers=[b"{}"], bodies=[b"1"])

    Sender(backend, lambda record: None, lambda: 7).send(send, done.set_result)
    outcome = await done

    assert isinstance(outcome, Unavailable) is not confirms
