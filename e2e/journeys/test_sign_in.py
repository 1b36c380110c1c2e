"""A gateway that wants a token shows its console to who has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from guarded import Guarded, guarded_gateway
from pages.sign_in import SignIn
from playwright.sync_api import Page, expect


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    with guarded_gateway(tmp_path) as gateway:
        yield gateway


def test_a_token_opens_the_console_until_signing_out(page: Page, guarded: Guarded) -> None:
    console = SignIn(page, guarded.url)
    console.open()
    expect(console.dialog).to_be_visible()
    expect(console.failure).to_have_count(0)

    console.give(guarded.token(secret=b"another secret that is as long as it"))
    expect(console.failure).to_have_text("The token is not valid.")
    console.give(guarded.token())

    expect(console.connection).to_contain_text("Connected")
    expect(console.dialog).to_have_count(0)
    expect(page.get_by_role("main")).to_contain_text("The broker is running and empty")
    assert page.url == f"{guarded.url}/"
    page.reload()
    expect(console.connection).to_contain_text("Connected")

    page.get_by_role("button", name="Sign out").click()

    expect(console.dialog).to_be_visible()
    page.reload()
    expect(console.dialog).to_be_visible()


def test_an_expired_token_is_asked_for_anew(page: Page, guarded: Guarded) -> None:
    console = SignIn(page, guarded.url)
    console.open()
    console.give(guarded.token(seconds=4))
    expect(console.connection).to_contain_text("Connected")

    expect(console.failure).to_have_text("The token has expired.")
    console.give(guarded.token())

    expect(console.connection).to_contain_text("Connected")
