"""The mail server breaks: letters are tried again, later each time, then set aside; mended, they are sent back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pages.front import FrontPage
from pages.queue import QueuePage
from playwright.sync_api import Page, expect
from services import Services, eventually

pytestmark = pytest.mark.any_engine
ATTEMPTS = 5


def test_a_letter_that_fails_is_retried_later_each_time_set_aside_and_redriven(page: Page, services: Services) -> None:
    front = FrontPage(page)
    front.open()
    front.pull("Mail server", "Break the mail server")
    expect(front.lever("Mail server")).to_contain_text("answers 421")

    message = front.signed_up("Radia Perlman", "radia@example.org")

    expect(front.steps.filter(has_text="Attempt 1 failed, again")).to_contain_text("421 The mail server is broken")
    expect(front.steps.filter(has_text="Set aside as a dead letter")).to_be_visible()
    expect(front.steps.filter(has_text="failed, again after")).to_have_count(ATTEMPTS - 1)
    expect(front.lever("Dead letters")).to_contain_text("1 waiting")
    retries = services.timeline(message, "retrying")
    delays = [step["due"] - step["at"] for step in retries]
    assert [step["attempt"] for step in retries] == [1, 2, 3, 4]
    assert all(earlier < later for earlier, later in pairwise(delays)), delays
    assert services.mails_of(message) == []

    front.pull("Mail server", "Mend the mail server")
    front.pull("Dead letters", "Redrive all")

    expect(front.toasts.filter(has_text="1 message sent back to the queue.")).to_be_visible()
    expect(front.steps.filter(has_text="Sent back to the queue")).to_be_visible()
    expect(front.your_message).to_contain_text("The letter is in the mailbox")
    [mail] = services.mails_of(message)
    assert mail["to"] == "radia@example.org"


@pytest.mark.needs("peek")
def test_a_dead_letter_is_looked_into_and_sent_back_alone(page: Page, services: Services) -> None:
    services.set_mail("down")
    front = FrontPage(page)
    front.open()
    message = front.signed_up("Sophie Wilson", "sophie@example.org")
    expect(front.lever("Dead letters")).to_contain_text("1 waiting")
    services.set_mail("up")
    front.lever("Dead letters").get_by_role("link", name="Look inside").click()

    dead = QueuePage(page, "emails.dead")
    expect(dead.row(message)).to_contain_text("421 The mail server is broken")
    expect(dead.row(message)).to_contain_text(f"{ATTEMPTS} of {ATTEMPTS}")
    dead.row(message).get_by_role("button", name="attempts of").click()
    history = page.get_by_role("list", name=f"Attempts of {message}").get_by_role("listitem")
    expect(history.filter(has_text="failed, again after")).to_have_count(ATTEMPTS - 1)

    redrive = dead.row(message).get_by_role("button", name=f"Redrive {message}", exact=True)
    redrive.evaluate("button => button.closest('table').parentElement.scrollTo(0, 0)")
    expect(redrive).to_be_in_viewport(ratio=1)
    redrive.click()

    expect(dead.toasts.filter(has_text="1 message sent back to emails.")).to_be_visible()
    expect(dead.row(message)).to_have_count(0)
    dead.go_to("Sign-up demo")
    expect(front.your_message).to_contain_text("The letter is in the mailbox")


@pytest.mark.needs("peek")
def test_dead_letters_can_be_discarded_after_a_question_that_names_how_many(page: Page, services: Services) -> None:
    services.set_mail("down")
    front = FrontPage(page)
    front.open()
    kept = front.signed_up("Karen Clarke", "karen@example.org")
    gone = front.signed_up("Tim Turing", "tim@example.org")
    eventually(lambda: services.queue("emails.dead")["ready"], lambda ready: ready == 2, "dead letters")
    dead = QueuePage(page, "emails.dead")
    dead.open()
    dead.page.get_by_label(f"Select {gone}").check()

    dead.press("Discard 1 selected")
    dialog = dead.dialog("Discard 1 dead letter?")
    expect(dialog).to_contain_text("1 message in emails.dead")
    dialog.get_by_role("button", name="Discard 1").click()

    expect(dead.row(gone)).to_have_count(0)
    expect(dead.row(kept)).to_be_visible()
    assert services.message(gone)["state"] == "purged"
    dead.press("Redrive all")
    services.set_mail("up")
    expect(dead.page.get_by_text("No dead letters")).to_be_visible()
    eventually(lambda: services.message(kept)["state"], lambda state: state == "done", "the redriven one")
