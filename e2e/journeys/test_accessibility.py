"""axe finds nothing on any page, in neither theme."""

from __future__ import annotations

from typing import Literal

import pytest
from accessibility import violations
from pages.front import FrontPage
from pages.message import MessagePage
from pages.queue import QueuePage
from pages.shell import Shell
from playwright.sync_api import Page, expect
from services import Services, eventually

Theme = Literal["light", "dark"]
pytestmark = pytest.mark.parametrize("theme", ["light", "dark"])


def shown(page: Page, theme: Theme, path: str) -> Shell:
    """A page, loaded, in a theme, with nothing moving."""
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    shell = Shell(page)
    shell.path = path
    shell.open()
    expect(shell.connection).to_contain_text("Connected")
    expect(page.get_by_role("main").get_by_role("status", name="Loading")).to_have_count(0)
    return shell


def test_the_demo_after_a_sign_up(page: Page, theme: Theme, services: Services) -> None:
    shown(page, theme, "/")
    assert violations(page) == []
    front = FrontPage(page)
    front.signed_up("Ada Lovelace", "ada@example.org")
    expect(front.your_message).to_contain_text("The letter is in the mailbox")
    assert violations(page) == []

    front.open_letter("ada@example.org")

    assert violations(page) == []


def test_a_dead_letter_everywhere_it_is_shown(page: Page, theme: Theme, services: Services) -> None:
    services.set_mail("down")
    front = FrontPage(page)
    shown(page, theme, "/")
    message = front.signed_up("Alan Turing", "alan@example.org")
    expect(front.steps.filter(has_text="Attempt 1 failed")).to_be_visible()
    assert violations(page) == []
    eventually(lambda: services.message(message)["state"], lambda state: state == "dead", "the message")
    expect(front.your_message).to_contain_text("Set aside as a dead letter")
    assert violations(page) == []
    dead = QueuePage(page, "emails.dead")

    shown(page, theme, dead.path)
    dead.row(message).get_by_role("button", name="attempts of").click()
    dead.page.get_by_label(f"Select {message}").check()
    assert violations(page) == []
    dead.press("Discard 1 selected")
    assert violations(page) == []
    dead.dialog("Discard 1 dead letter?").get_by_role("button", name="Discard 1").click()
    expect(dead.row(message)).to_have_count(0)

    shown(page, theme, MessagePage(page, message).path)
    assert violations(page) == []


@pytest.mark.parametrize("path", ["/overview", "/queues", "/queues/pages", "/queues/absent", "/engine", "/nowhere"])
def test_a_page_of_the_console(page: Page, theme: Theme, services: Services, path: str) -> None:
    services.publish("pages", {"n": 1}, {"n": 2})
    shown(page, theme, path)

    assert violations(page) == []


def test_every_dialog(page: Page, theme: Theme, services: Services) -> None:
    services.publish("pages", {"n": 1})
    queue = QueuePage(page, "pages")
    shown(page, theme, queue.path)

    for button, title in (("Publish", "Publish to pages"), ("Purge", "Purge pages?"), ("Keys", "Keys")):
        page.get_by_role("button", name=button, exact=True).click()
        expect(queue.dialog(title)).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(queue.palette).to_be_visible()
    assert violations(page) == []
