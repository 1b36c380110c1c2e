"""The whole stack stands: a sign-up in the browser becomes a letter."""

from __future__ import annotations

from pages.front import FrontPage
from pages.queues import QueuesPage
from playwright.sync_api import Page, expect

PATIENCE_MS = 15_000


def test_a_sign_up_is_answered_delivered_and_mailed(page: Page) -> None:
    front = FrontPage(page)
    front.open()
    expect(front.heading).to_be_visible()

    front.sign_up("Grace Hopper", "grace@example.org")

    expect(front.form.get_by_role("status")).to_contain_text("Express answered")
    expect(front.your_message).to_contain_text("The letter is in the mailbox", timeout=PATIENCE_MS)


def test_the_queue_of_the_demo_is_listed(page: Page) -> None:
    queues = QueuesPage(page)

    queues.open()

    expect(queues.row("emails")).to_be_visible(timeout=PATIENCE_MS)
