"""What pages complain about in their consoles: errors, refused resources and promises that nobody caught."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, WebError

#: The complaints that are the browser's own way to say what a test does on purpose, each with its reason.
EXPECTED = {
    "broker down": re.compile(
        # Chromium logs each failed try of a WebSocket by itself; a page cannot keep it from doing so.
        r"^WebSocket connection to 'ws://[^']+/ws' failed: "
    ),
    "no such thing": re.compile(
        # Chromium logs each answer of 400 and above to a fetch, also where the page shows it to the visitor.
        r"^Failed to load resource: the server responded with a status of 4\d\d "
    ),
}


class Complaints:
    """Collects what every page of the watched contexts says; a test expects none, unless it says which."""

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        self._contexts: list[BrowserContext] = []

    def watch(self, context: BrowserContext) -> None:
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        self._contexts.append(context)

    def expect(self, reason: str) -> None:
        """Allow one of ``EXPECTED`` for the rest of this test."""
        self._expected.append(EXPECTED[reason])

    def unexpected(self) -> list[str]:
        """What was heard so far, after each open page had its say."""
        for context in self._contexts:
            for page in context.pages:
                page.evaluate("null")
        return [text for text in self._heard if not any(pattern.search(text) for pattern in self._expected)]

    def forget(self) -> None:
        """What was heard is dealt with."""
        self._heard.clear()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._heard.append(f"{message.text} ({message.location.get('url', '')})")

    def _on_error(self, error: WebError) -> None:
        self._heard.append(f"uncaught: {error.error}")
