"""Clicks counted by a group whose members die, shown in a browser as they are counted, and counted again from the stream."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from browsing import open_page
from example_programs import Example, LiveBroker, eventually, get
from playwright.sync_api import Page, expect

CLICKS = 6_000
WINDOW_MS = 10_000
Windows = Counter[tuple[int, str]]


def stream(broker: LiveBroker, name: str) -> dict[str, Any]:
    found: dict[str, Any] = get(f"http://127.0.0.1:{broker.port}/v1/streams/{name}")[1]["stream"]
    return found


def bodies(broker: LiveBroker, name: str) -> list[Any]:
    url = f"http://127.0.0.1:{broker.port}/v1/streams/{name}/messages?limit=200&from="
    found: list[Any] = []
    start: object = "earliest"
    while messages := get(url + str(start))[1]["messages"]:
        found += [message["body"] for message in messages]
        start = messages[-1]["offset"] + 1
    return found


def group(broker: LiveBroker) -> dict[str, Any]:
    groups = stream(broker, "clicks")["groups"]
    return groups[0] if groups else {"consumers": 0, "lag": 0}


def counted(broker: LiveBroker) -> int:
    """Clicks in all parts, those that were counted again each time."""
    return sum(len(part["offsets"]) for part in bodies(broker, "counts"))


def by_page(windows: Windows) -> Counter[str]:
    pages: Counter[str] = Counter()
    for (_, name), clicks in windows.items():
        pages[name] += clicks
    return pages


def shown(page: Page) -> Windows:
    rows = page.locator("#counts tr").evaluate_all(
        "rows => rows.map(row => [Number(row.dataset.window), row.cells[1].textContent, Number(row.cells[2].textContent)])"
    )
    return Counter({(window, name): clicks for window, name, clicks in rows})


def test_counts_are_what_was_clicked_though_a_member_was_killed_and_again_when_the_hour_is_replayed(
    broker: LiveBroker, example: Example
) -> None:
    example.serve("analytics/site.js")
    with open_page(example.url) as page:
        expect(page.locator("#status")).to_have_text("live")
        members = [example.start("analytics/count.js") for _ in range(3)]
        eventually(lambda: get(f"http://127.0.0.1:{broker.port}/v1/streams/clicks")[0] == 200, 10, "there are clicks")
        eventually(lambda: group(broker)["consumers"] == 3, 10, "three members count")

        visitors = example.start("analytics/generate.js", CLICKS=CLICKS, SECONDS=4)
        eventually(lambda: stream(broker, "clicks")["messages"] > CLICKS / 3, 20, "a third is clicked")
        members[0].kill()
        assert visitors.process.wait(30) == 0, visitors.said()
        sent = Counter(json.loads(visitors.said()))

        expect(page.locator("#total")).to_have_text(str(CLICKS))
        eventually(lambda: group(broker)["lag"] == 0, 20, "everything is acked")
        clicked: Windows = Counter(
            (click["at"] - click["at"] % WINDOW_MS, click["page"]) for click in bodies(broker, "clicks")
        )
        assert sent.total() == CLICKS
        assert by_page(clicked) == sent
        assert shown(page) == clicked

        recounted = json.loads(example.run("analytics/recount.js"))
        assert Counter({(row["window"], row["page"]): row["clicks"] for row in recounted}) == clicked

        before = counted(broker)
        assert json.loads(example.run("analytics/rewind.js")) == {"offset": 0}
        eventually(lambda: counted(broker) == before + CLICKS, 20, "all clicks are counted again")
        eventually(lambda: group(broker)["lag"] == 0, 20, "everything is acked again")
        expect(page.locator("#offset")).to_have_text(str(stream(broker, "counts")["next"] - 1))
        assert shown(page) == clicked


def test_clicks_are_kept_for_a_day(broker: LiveBroker, example: Example) -> None:
    example.run("analytics/generate.js", CLICKS=10, SECONDS=0)

    assert stream(broker, "clicks")["settings"]["retention_ms"] == 24 * 3_600_000
    assert stream(broker, "clicks")["messages"] == 10
    assert json.loads(example.run("analytics/recount.js")) != []
