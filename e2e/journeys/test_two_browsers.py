"""Two people look at the same broker and see the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages.front import FrontPage
from pages.message import MessagePage
from playwright.sync_api import BrowserContext, Page, expect
from services import Services

pytestmark = pytest.mark.any_engine


def test_two_browsers_see_the_same_events(
    page: Page, new_context: Callable[..., BrowserContext], services: Services
) -> None:
    mine = FrontPage(page)
    mine.open()
    theirs = FrontPage(new_context().new_page())
    theirs.open()

    message = mine.signed_up("Frances Allen", "frances@example.org")
    other = theirs.signed_up("Joan Clarke", "joan@example.org")

    for front in (mine, theirs):
        expect(front.your_message).to_contain_text("The letter is in the mailbox")
        for id in (message, other):
            expect(front.feed.about(id)).to_have_count(2)
    seen, seen_there = mine.feed.read(), theirs.feed.read()
    assert len(seen) >= 4
    assert seen == seen_there
    assert [kind for *_, kind, id in seen if id == message] == [
        f"1 message done by {services.message(message)['consumer']}",
        "1 message published",
    ]


def test_a_second_browser_opens_a_message_by_its_link_and_follows_it(
    page: Page, new_context: Callable[..., BrowserContext], services: Services
) -> None:
    services.operate("emails", "pause")
    mine = FrontPage(page)
    mine.open()
    message = mine.signed_up("Margaret Hamilton", "margaret@example.org")
    link = mine.your_message.get_by_role("link", name=message)
    theirs = MessagePage(new_context().new_page(), message)
    theirs.page.goto(link.evaluate("link => link.href"))
    expect(theirs.main).to_contain_text("queued")

    services.operate("emails", "resume")

    expect(theirs.steps.filter(has_text="Done by worker-")).to_be_visible()
