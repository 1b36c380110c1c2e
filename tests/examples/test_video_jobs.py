"""Videos made by a real ffmpeg, followed and cancelled in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import PATIENCE_MS, open_page
from example_programs import Example, LiveBroker, Program, eventually, get
from playwright.sync_api import Locator, Page, expect

LEASE_S = 2


@pytest.fixture(autouse=True, scope="module")
def _ffmpeg() -> None:
    """Skips, or with ``CI=true`` fails, where there is none."""
    if shutil.which("ffmpeg") is not None:
        return
    reason = "ffmpeg is not installed (apt install ffmpeg)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def page(example: Example) -> Iterator[Page]:
    """The example's page, with its site behind it and no worker yet."""
    example.serve("video/site.js")
    with open_page(example.url) as page:
        yield page


def order(page: Page, seconds: int) -> Locator:
    """Ask for a clip that takes as long as it plays; returns its row, the newest."""
    page.get_by_label("Seconds").fill(str(seconds))
    page.get_by_label("as from a camera").check()
    with page.expect_response(lambda answer: answer.url.endswith("/videos")):
        page.get_by_role("button", name="Make a video").click()
    return page.get_by_role("list", name="Jobs").get_by_role("listitem").first


def message(broker: LiveBroker, state: str) -> dict[str, Any]:
    """The only message that was ever published, once it is in that state."""
    base = f"http://127.0.0.1:{broker.port}/v1"
    events = get(base + "/events?queue=videos&last=50")[1]["events"]
    (id,) = next(event for event in events if event["kind"] == "published")["ids"]
    eventually(lambda: get(f"{base}/messages/{id}")[1]["message"]["state"] == state, 10, f"the message is {state}")
    found: dict[str, Any] = get(f"{base}/messages/{id}")[1]["message"]
    return found


def ffmpegs(worker: Program) -> list[int]:
    """Processes that this worker has started."""
    children = Path(f"/proc/{worker.process.pid}/task/{worker.process.pid}/children").read_text().split()
    return [int(child) for child in children if Path(f"/proc/{child}/comm").read_text().strip() == "ffmpeg"]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def duration_of(path: Path) -> float:
    ask = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)]
    return float(subprocess.run(ask, capture_output=True, text=True, check=True).stdout)


def test_a_job_longer_than_its_lease_is_done_once_and_its_percents_are_seen_in_the_browser(
    broker: LiveBroker, example: Example, page: Page
) -> None:
    row = order(page, 3 * LEASE_S)
    expect(row.locator(".state")).to_have_text("queued")
    example.start("video/worker.js")

    expect(row.locator(".state")).to_have_text(re.compile(r"^[1-4]\d %$"))
    expect(row.locator(".state")).to_have_text(re.compile(r"^[5-9]\d %$"))
    expect(row.locator(".state")).to_have_text("done")
    done = message(broker, "done")
    assert [entry["attempt"] for entry in done["timeline"] if entry["kind"] == "delivered"] == [1]
    assert done["result"]["durationMs"] == pytest.approx(3_000 * LEASE_S, abs=100)
    assert duration_of(example.data / done["result"]["path"]) == pytest.approx(3 * LEASE_S, abs=0.1)
    link = row.get_by_role("link").get_attribute("href")
    row.get_by_text("ffmpeg", exact=True).click()
    expect(row.locator(".log pre")).to_contain_text("Output #0, mp4")
    lines = get(f"http://127.0.0.1:{broker.port}/v1/messages/{done['id']}/logs")[1]["logs"]
    assert any(line["text"].startswith("Output #0, mp4") for line in lines)
    assert page.request.get(f"{example.url}{link}").headers["content-type"] == "video/mp4"


def test_cancelling_in_the_browser_kills_ffmpeg_and_the_worker_takes_the_next_job(
    broker: LiveBroker, example: Example, page: Page
) -> None:
    worker = example.start("video/worker.js")
    row = order(page, 3_600)
    expect(row.locator(".state")).to_have_text(re.compile(r"^\d+ %$"))
    eventually(lambda: len(ffmpegs(worker)) == 1, 10, "ffmpeg runs")
    (ffmpeg,) = ffmpegs(worker)

    row.get_by_role("button", name="Cancel").click()

    expect(row.locator(".state")).to_have_text("cancelled")
    eventually(lambda: not is_running(ffmpeg), 10, "ffmpeg has ended")
    eventually(lambda: list(example.data.iterdir()) == [], 10, "nothing of the video is left")
    assert message(broker, "cancelled")["result"] is None
    expect(order(page, 1).locator(".state")).to_have_text("done", timeout=PATIENCE_MS)


def test_a_job_whose_worker_was_killed_is_done_by_the_next_worker(
    broker: LiveBroker, example: Example, page: Page
) -> None:
    first = example.start("video/worker.js")
    row = order(page, 4)  # the killed worker's ffmpeg goes on and writes its own file beside the next one's
    expect(row.locator(".state")).to_have_text(re.compile(r"^[1-9]\d* %$"))
    first.kill()

    example.start("video/worker.js")

    expect(row.locator(".state")).to_have_text("done")
    done = message(broker, "done")
    assert [entry["attempt"] for entry in done["timeline"] if entry["kind"] == "delivered"] == [1, 2]
    assert duration_of(example.data / done["result"]["path"]) == pytest.approx(4, abs=0.1)
    assert done["result"]["path"] in [path.name for path in example.data.iterdir()]
