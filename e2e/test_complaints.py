"""The listener itself: a page that complains is heard, and only what is expected is passed over."""

from __future__ import annotations

from typing import Any

import pytest
from complaints import Complaints
from playwright.sync_api import Page, expect


@pytest.mark.parametrize(
    ("event", "script", "heard"),
    [
        ("console", "console.error('lost a letter')", "lost a letter"),
        ("weberror", "setTimeout(() => { throw new Error('fell over') })", "fell over"),
        ("weberror", "void Promise.reject(new Error('nobody caught me'))", "nobody caught me"),
        (
            "console",
            "document.head.append(Object.assign(document.createElement('style'), {textContent: 'a{}'}))",
            "style-src",
        ),
    ],
    ids=["error", "exception", "rejection", "content security policy"],
)
def test_a_page_that_complains_is_heard(
    page: Page, complaints: Complaints, event: Any, script: str, heard: str
) -> None:
    page.goto("/overview")
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    with page.context.expect_event(event):
        page.evaluate(script)

    assert heard in "\n".join(complaints.unexpected())
    complaints.forget()


def test_only_the_expected_complaint_is_passed_over(page: Page, complaints: Complaints) -> None:
    complaints.expect("broker down")
    page.goto("/overview")

    page.evaluate("console.error(\"WebSocket connection to 'ws://127.0.0.1:1/ws' failed: refused\")")
    assert complaints.unexpected() == []
    page.evaluate("console.error('something else')")

    assert len(complaints.unexpected()) == 1
    complaints.forget()
