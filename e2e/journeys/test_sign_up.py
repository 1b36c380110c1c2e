"""Someone signs up, follows the message down the road and reads the letter."""

from __future__ import annotations

import re

import pytest
from complaints import Complaints
from pages.front import FrontPage
from pages.message import MessagePage
from pages.queue import QueuePage
from playwright.sync_api import Page, expect
from services import Services

pytestmark = pytest.mark.any_engine


@pytest.mark.every_engine
def test_a_sign_up_is_followed_live_until_its_letter_is_read(page: Page, services: Services) -> None:
    front = FrontPage(page)
    front.open()

    message = front.signed_up("Grace Hopper", "grace@example.org")

    for step in (
        r"Accepted by Express, 202",
        r"In the queue emails, synced to disk",
        r"Delivered to worker-\d",
        r"Done by worker-\d",
        r"The letter is in the mailbox",
    ):
        expect(front.steps.filter(has_text=re.compile(step))).to_be_visible()
    expect(front.your_message.get_by_role("status", name="Outcome")).to_have_text("Your letter has arrived.")
    [mail] = services.mails_of(message)
    assert (mail["to"], mail["subject"]) == ("grace@example.org", "Welcome, Grace")
    assert mail["text"].startswith("Dear Grace,")

    letter = front.open_letter("grace@example.org")

    expect(letter.get_by_role("heading", name="Welcome, Grace")).to_be_visible()
    expect(letter).to_contain_text("welcome aboard")
    letter.get_by_role("button", name="Confirm my address").click()
    expect(letter.get_by_role("button", name="Confirmed")).to_be_disabled()


def test_progress_is_shown_while_the_letter_is_on_its_way(page: Page, services: Services) -> None:
    services.set_mail("slow")
    services.operate("emails", "pause")
    front = FrontPage(page)
    front.open()
    front.signed_up("Hedy Lamarr", "hedy@example.org")
    expect(front.your_message).to_contain_text("queued")
    expect(front.station("Queue")).to_contain_text("paused")

    services.operate("emails", "resume")

    expect(front.steps.filter(has_text="60 % sending")).to_be_visible()
    expect(front.your_message.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "60")
    expect(front.station("Workers")).to_contain_text("1")
    expect(front.your_message).to_contain_text("The letter is in the mailbox")


@pytest.mark.needs("timeline", "results")
def test_the_page_of_a_message_has_its_steps_and_its_result(page: Page, services: Services) -> None:
    front = FrontPage(page)
    front.open()
    message = front.signed_up("Ada Lovelace", "ada@example.org")
    expect(front.your_message).to_contain_text("The letter is in the mailbox")

    front.your_message.get_by_role("link", name=message).click()

    shown = MessagePage(page, message)
    expect(shown.heading).to_contain_text(message)
    expect(shown.main).to_contain_text("1 of 5")
    expect(shown.steps.filter(has_text="Done by worker-")).to_be_visible()
    expect(shown.main).to_contain_text("messageId")
    assert services.message(message)["state"] == "done"


@pytest.mark.needs("peek")
def test_the_body_of_a_message_stays_on_its_page_when_the_message_is_done(page: Page, services: Services) -> None:
    services.operate("emails", "pause")
    front = FrontPage(page)
    front.open()
    message = front.signed_up("Annie Easley", "annie@example.org")
    shown = MessagePage(page, message)
    shown.open()
    expect(shown.main).to_contain_text('"email": "annie@example.org"')

    services.operate("emails", "resume")

    expect(shown.steps.filter(has_text="Done by worker-")).to_be_visible()
    expect(shown.main).to_contain_text('"email": "annie@example.org"')


def test_the_events_of_a_sign_up_are_in_the_feed_of_its_queue(page: Page) -> None:
    front = FrontPage(page)
    front.open()
    message = front.signed_up("Barbara Liskov", "barbara@example.org")

    queue = QueuePage(page, "emails")
    queue.open()
    queue.feed.filter(message)

    expect(queue.feed.about(message)).to_have_count(2)
    expect(queue.feed.about(message).filter(has_text="1 message published")).to_be_visible()
    expect(queue.feed.about(message).filter(has_text=re.compile(r"1 message done by worker-\d"))).to_be_visible()


def test_a_wrong_address_is_said_beside_its_field_and_nothing_is_sent(
    page: Page, services: Services, complaints: Complaints
) -> None:
    complaints.expect("no such thing")
    front = FrontPage(page)
    front.open()
    before = services.queue("emails")

    front.sign_up("Grace", "not an address")

    expect(front.form.get_by_label("E-mail")).to_have_accessible_description(
        "This does not look like an e-mail address."
    )
    expect(front.answer).to_contain_text("Not sent yet.")
    assert services.queue("emails")["published_total"] == before["published_total"]
