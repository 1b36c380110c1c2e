"""Orders through Express, payments, inventory and notifications, with all of them and the broker killed in the middle."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from example_programs import Example, LiveBroker, Program, eventually, get, request

LAMPS, CHAIRS = 150, 50
SHIPPED = 120 + 30
"""What inventory.ts has of both; each order takes one."""
ORDERS = [f"o-{number}" for number in range(LAMPS + CHAIRS)]
HALF = 140
SERVICES = ("orders/payments.js", "orders/inventory.js", "orders/notifications.js")


def ask(example: Example, order: str, amount: int = 1_500) -> tuple[int, Any]:
    item = "lamp" if int(order.removeprefix("o-")) % 4 else "chair"
    body = {"item": item, "amount": amount}
    return request("POST", example.url + "/orders", body, {"idempotency-key": order})


class Customers:
    """Many who order, and ask again with the same key whenever there was no answer."""

    def __init__(self, example: Example, orders: Sequence[str]) -> None:
        self.messages: dict[str, str] = {}
        self.asked = 0
        self._example = example
        self._orders: queue.SimpleQueue[str] = queue.SimpleQueue()
        for order in orders:
            self._orders.put(order)
        self._threads = [threading.Thread(target=self._order, daemon=True) for _ in range(16)]
        for thread in self._threads:
            thread.start()

    def wait(self, timeout: float) -> None:
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _order(self) -> None:
        with contextlib.suppress(queue.Empty):
            while order := self._orders.get_nowait():
                self._ask_until_answered(order)

    def _ask_until_answered(self, order: str) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            self.asked += 1
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, answer = ask(self._example, order)
                assert status == 202, answer
                self.messages[order] = answer["message"]
                return
            time.sleep(0.05)


def ledger(example: Example, service: str) -> list[dict[str, Any]]:
    path = example.data / f"{service}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def log_of_orders(broker: LiveBroker) -> Counter[tuple[str, str]]:
    """How often each (order, kind) happened."""
    url = f"http://127.0.0.1:{broker.port}/v1/streams/order-log/messages?limit=200&from="
    found: Counter[tuple[str, str]] = Counter()
    start: object = "earliest"
    while messages := get(url + str(start))[1]["messages"]:
        found.update((each["body"]["order"]["id"], each["body"]["kind"]) for each in messages)
        start = messages[-1]["offset"] + 1
    return found


def test_each_order_ends_once_and_is_charged_once_though_everything_was_killed_in_the_middle(
    broker: LiveBroker, example: Example
) -> None:
    api = example.serve("orders/api.js")
    early = Customers(example, ORDERS[:HALF])
    early.wait(20)
    programs: dict[str, Program] = {name: example.start(name) for name in SERVICES}

    # The broker goes first: what payments holds is charged and cannot be acked any more. Then payments goes as well, and
    # the API with the orders that it could not store.
    eventually(lambda: len(ledger(example, "payments")) >= 20, 20, "some orders are charged")
    broker.kill()
    late = Customers(example, ORDERS[HALF:])
    charged = len(ledger(example, "payments"))
    eventually(lambda: len(ledger(example, "payments")) >= charged + 4, 10, "orders are charged without a broker")
    programs["orders/payments.js"].kill()
    eventually(lambda: late.asked > 0, 10, "orders wait for the broker")
    api.kill()
    charged = len(ledger(example, "payments"))
    broker.start()
    assert broker.queues()["payments"]["acked_total"] < charged
    example.serve("orders/api.js")
    programs["orders/payments.js"] = example.start("orders/payments.js")

    for name in ("orders/inventory.js", "orders/notifications.js", "orders/payments.js"):
        before = len(ledger(example, Path(name).stem))
        eventually(lambda: len(ledger(example, Path(name).stem)) >= before + 10, 20, f"{name} goes on")  # noqa: B023
        programs[name].kill()
        programs[name] = example.start(name)

    late.wait(30)
    messages = early.messages | late.messages
    assert sorted(messages) == sorted(ORDERS)
    assert late.asked > len(ORDERS) - HALF
    eventually(lambda: not broker.unsettled(), 30, "everything is settled")

    happened = log_of_orders(broker)
    assert {order for order, _ in happened} == set(ORDERS)
    assert set(happened.values()) == {1}
    ends = {order: [kind for kind in ("shipped", "compensated") if happened[order, kind]] for order in ORDERS}
    assert all(len(kinds) == 1 for kinds in ends.values()), ends
    assert Counter(kinds[0] for kinds in ends.values()) == {"shipped": SHIPPED, "compensated": len(ORDERS) - SHIPPED}

    steps = Counter(entry["step"] for entry in ledger(example, "payments"))
    refunds = {f"rejected/{order}" for order, (kind,) in ends.items() if kind == "compensated"}
    assert steps == Counter({f"created/{order}" for order in ORDERS} | refunds)
    mails = Counter(entry["step"].rpartition("/")[2] for entry in ledger(example, "notifications"))
    assert mails == dict.fromkeys(ORDERS, 2)
    assert [row for name, row in broker.queues().items() if row["dead_total"]] == []

    placements = get(f"http://127.0.0.1:{broker.port}/v1/messages/{messages['o-1']}")[1]["message"]["placements"]
    results = {each["queue"]: each["result"] for each in placements if each["queue"] != "order-log"}
    assert results["payments"] == {"charged": 1_500}


def test_an_order_that_is_sent_twice_is_stored_once(broker: LiveBroker, example: Example) -> None:
    example.serve("orders/api.js")

    first = ask(example, "o-7")
    again = ask(example, "o-7")

    assert (first[0], first[1]["duplicate"]) == (202, False)
    assert (again[0], again[1]["duplicate"]) == (202, True)
    assert again[1]["message"] == first[1]["message"]
    assert log_of_orders(broker) == {("o-7", "created"): 1}
    assert broker.unsettled() == {"payments": 1, "inventory": 1, "notifications": 1}


def test_an_order_that_nobody_can_read_is_refused(broker: LiveBroker, example: Example) -> None:
    example.serve("orders/api.js")

    status, answer = request("POST", example.url + "/orders", {"item": "lamp", "quantity": -1, "amount": 5})

    assert status == 400, answer
    assert broker.unsettled() == {}


def test_a_service_that_is_told_to_stop_acks_what_it_has_charged(broker: LiveBroker, example: Example) -> None:
    example.serve("orders/api.js")
    Customers(example, ORDERS[:60]).wait(20)
    payments = example.start("orders/payments.js")
    eventually(lambda: len(ledger(example, "payments")) >= 8, 10, "some orders are charged")

    code = payments.terminate()

    row = broker.queues()["payments"]
    assert (code, row["acked_total"]) == (0, len(ledger(example, "payments")))
    assert (row["acked_total"] + row["ready"], row["leased"], row["retrying"]) == (60, 0, 0)
