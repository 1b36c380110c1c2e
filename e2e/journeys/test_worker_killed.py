"""A worker dies in the middle of a letter; another one finishes it."""

from __future__ import annotations

import re

import pytest
from pages.front import FrontPage
from pages.message import MessagePage
from playwright.sync_api import Page, expect
from services import Services

pytestmark = pytest.mark.any_engine


def test_a_letter_of_a_killed_worker_is_finished_by_another(page: Page, services: Services) -> None:
    front = FrontPage(page)
    front.open()
    front.pull("Mail server", "Make it slow")
    expect(front.lever("Mail server")).to_contain_text("slow")
    message = front.signed_up("Edsger Dijkstra", "edsger@example.org")
    expect(front.steps.filter(has_text="Delivered to worker-")).to_be_visible()
    [first] = services.timeline(message, "delivered")

    front.pull("Workers", f"Kill {first['consumer']}")

    expect(front.lever("Workers").get_by_text(first["consumer"], exact=True)).to_have_count(0)
    front.pull("Mail server", "Make it quick")
    expect(front.your_message).to_contain_text("The letter is in the mailbox")
    expect(front.your_message).to_contain_text("attempt 2 of 5")
    expect(front.steps.filter(has_text=re.compile(r"Attempt 1 failed"))).to_be_visible()
    [one, two] = services.timeline(message, "delivered")
    assert (one["consumer"], one["attempt"], two["attempt"]) == (first["consumer"], 1, 2)
    assert two["consumer"] != one["consumer"]

    shown = MessagePage(page, message)
    shown.open()

    expect(shown.steps.filter(has_text=f"Delivered to {one['consumer']}")).to_be_visible()
    expect(shown.steps.filter(has_text=f"Delivered to {two['consumer']}, attempt 2")).to_be_visible()
    expect(shown.steps.filter(has_text=f"Done by {two['consumer']}")).to_be_visible()


def test_a_worker_that_is_added_is_shown_and_consumes(page: Page, services: Services) -> None:
    front = FrontPage(page)
    front.open()
    expect(front.station("Workers")).to_contain_text("held by 2")

    front.pull("Workers", "Add a worker")

    expect(front.station("Workers")).to_contain_text("held by 3")
    assert services.queue("emails")["consumers"] == 3
    front.pull("Workers", "Kill worker-3")
    expect(front.station("Workers")).to_contain_text("held by 2")
