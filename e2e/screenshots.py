"""Pictures of the demo in each of its states: ``python e2e/screenshots.py FOLDER [--engine redis]``.

They are made with the real demo at its visible pace, in a browser of one size. ``--docs`` takes those of ``docs/images``
only.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import browser
from outage import kill_broker
from pages.front import FrontPage
from pages.message import MessagePage
from pages.queue import QueuePage
from pages.shell import Shell
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from services import Services
from stage import running_stage

DESK = ViewportSize(width=1440, height=900)
PAGE = ViewportSize(width=1360, height=1000)
PHONE = ViewportSize(width=360, height=740)
#: Two hundred letters at the pace of a visitor are in front of the last ones.
PATIENCE_MS = 60_000


class Camera:
    """Takes one picture after another of a page, into a folder."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self._folder = folder

    def take(self, name: str, *, whole: bool = False) -> None:
        path = self._folder / f"{name}.png"
        # Nothing is pointed at, and what sticks to the window is where it is on a page that was not scrolled.
        self.page.mouse.move(0, 0)
        self.page.evaluate("scrollTo(0, 0)")
        self.page.screenshot(path=path, full_page=whole, animations="disabled")
        print(path, flush=True)


@contextmanager
def camera(
    browser: Browser, base_url: str, folder: Path, size: ViewportSize = DESK, scale: float = 1.5
) -> Iterator[Camera]:
    context = browser.new_context(base_url=base_url, viewport=size, color_scheme="light", device_scale_factor=scale)
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield Camera(context.new_page(), folder)
    finally:
        context.close()


def docs(camera: Camera, services: Services) -> None:
    """What the documents show: a sign-up that failed once, amid a rush."""
    front = FrontPage(camera.page)
    front.open()
    front.signed_up("Ada Lovelace", "ada@example.org")
    expect(front.your_message).to_contain_text("The letter is in the mailbox")
    services.set_mail("down")
    front.signed_up("Grace Hopper", "grace@example.org")
    expect(front.steps.filter(has_text="Attempt 1 failed")).to_be_visible()
    services.set_mail("up")
    expect(front.your_message).to_contain_text("The letter is in the mailbox")
    front.pull("Rush", "Sign up 200 people")
    expect(front.mailbox).to_contain_text("62 so far")
    expect(front.toasts.filter(has_text="200 sign-ups accepted")).to_have_count(0)
    camera.take("demo")
    camera.page.emulate_media(color_scheme="dark")
    camera.take("demo-dark")


def demo(camera: Camera, services: Services) -> None:
    """The front page, from the first visit to a broker that is away."""
    front = FrontPage(camera.page)
    front.open()
    expect(front.station("Workers")).to_contain_text("held by 2")
    camera.take("start")
    camera.take("start-whole", whole=True)

    front.sign_up("Ada Lovelace", "ada@example.org")
    expect(front.steps.filter(has_text="60 % sending")).to_be_visible()
    camera.take("on-its-way")
    expect(front.your_message).to_contain_text("The letter is in the mailbox")
    front.settled("Mailbox")
    camera.take("delivered")
    front.open_letter("ada@example.org")
    camera.take("letter")

    front.pull("Mail server", "Break the mail server")
    message = front.signed_up("Grace Hopper", "grace@example.org")
    expect(front.steps.filter(has_text="Attempt 3 failed")).to_be_visible()
    front.settled("Queue")
    camera.take("retrying")
    camera.take("retrying-whole", whole=True)
    expect(front.steps.filter(has_text="Set aside")).to_be_visible()
    front.settled("Dead letters")
    camera.take("dead")
    console(camera, services, message)

    front.open()
    front.pull("Mail server", "Mend the mail server")
    front.pull("Dead letters", "Redrive all")
    expect(front.your_message).to_contain_text("The letter is in the mailbox")
    front.pull("Rush", "Sign up 200 people")
    expect(front.toasts.filter(has_text="200 sign-ups accepted")).to_be_visible()
    expect(front.lever("Workers").get_by_role("img", name="holds 10 messages")).to_have_count(2)
    camera.take("rush")
    camera.take("rush-whole", whole=True)
    queue = QueuePage(camera.page, "emails")
    queue.open()
    expect(queue.messages.get_by_role("row").nth(5)).to_be_visible()
    camera.take("queue", whole=True)
    front.open()
    expect(front.connection).to_contain_text("Connected")
    killed = kill_broker(services)
    killed = kill_broker(services, but_not=killed)
    kill_broker(services, but_not=killed)
    expect(front.stale_note).to_be_visible()
    camera.take("broker-away")
    expect(front.connection).to_contain_text("Connected")
    expect(front.stale_note).to_have_count(0)


def console(camera: Camera, services: Services, message: str) -> None:
    """Pages beside the front page, with a dead letter to show."""
    services.publish("orders.new", *[{"order": n, "total_cents": 1_990 + n} for n in range(40)])
    services.publish("reports.nightly", {"day": "2026-01-31"}, delay_ms=3_600_000)
    for name, path, text in (
        ("dead-letters", QueuePage(camera.page, "emails.dead").path, "421 The mail server is broken"),
        ("message", MessagePage(camera.page, message).path, "Set aside"),
        ("queues", "/queues", "orders.new"),
        ("overview", "/overview", "orders.new"),
        ("engine", "/engine", "Retries with backoff"),
        ("streams", "/streams", ""),
        ("schedules", "/schedules", ""),
        ("queue-waiting", "/queues/orders.new", "Nobody consumes this queue"),
        ("no-such-queue", "/queues/absent", "There is no queue of this name"),
    ):
        shown(camera.page, path, text)
        camera.take(name, whole=name not in ("dead-letters", "message"))
    shown(camera.page, "/queues/orders.new", "orders.new")
    camera.page.get_by_role("button", name="Publish", exact=True).click()
    camera.take("publish")
    camera.page.keyboard.press("Escape")
    camera.page.keyboard.press("Control+k")
    camera.take("palette")


def shown(page: Page, path: str, text: str) -> None:
    shell = Shell(page)
    shell.path = path
    shell.open()
    expect(page.get_by_role("main").get_by_text(text).first).to_be_visible()
    expect(page.get_by_role("main").get_by_role("status", name="Loading")).to_have_count(0)


def other_looks(camera: Camera) -> None:
    """Dark, and as wide as a phone."""
    front = FrontPage(camera.page)
    camera.page.emulate_media(color_scheme="dark")
    front.open()
    front.signed_up("Hedy Lamarr", "hedy@example.org")
    expect(front.your_message).to_contain_text("The letter is in the mailbox")
    front.settled("Mailbox")
    camera.take("dark")
    camera.take("dark-whole", whole=True)
    shown(camera.page, "/queues", "orders.new")
    camera.take("dark-queues")
    camera.page.emulate_media(color_scheme="light")
    camera.page.set_viewport_size(PHONE)
    front.open()
    expect(front.your_message).to_contain_text("The letter is in the mailbox")
    camera.take("phone", whole=True)
    for name, path in (("phone-queues", "/queues"), ("phone-queue", "/queues/orders.new")):
        shown(camera.page, path, "orders.new")
        camera.take(name, whole=True)


expect.set_options(timeout=PATIENCE_MS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="made when it is not there")
    parser.add_argument("--engine", default="embedded", help="as for `make demo`")
    parser.add_argument("--docs", action="store_true", help="only those of docs/images")
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        running_stage(Path(data), is_fast=False, engine=options.engine) as stage,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=browser.executable(), args=browser.FLAGS) as chromium,
        camera(chromium, stage.gateway, folder, *((PAGE, 1) if options.docs else ())) as taken,
    ):
        if options.docs:
            docs(taken, Services(stage))
            return
        demo(taken, Services(stage))
        other_looks(taken)


if __name__ == "__main__":
    main()
