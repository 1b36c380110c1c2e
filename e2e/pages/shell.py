"""What every page of the console has around it: navigation and the state of the connection."""

from __future__ import annotations

from playwright.sync_api import Locator, Page


class Shell:
    """Things are found as a person finds them: by role and label."""

    path = "/"

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self) -> None:
        self.page.goto(self.path)

    @property
    def heading(self) -> Locator:
        return self.page.get_by_role("heading", level=1)

    @property
    def navigation(self) -> Locator:
        return self.page.get_by_role("navigation", name="Main")

    def go_to(self, name: str) -> None:
        self.navigation.get_by_role("link", name=name, exact=True).click()

    @property
    def connection(self) -> Locator:
        return self.page.get_by_role("status", name="Connection")

    @property
    def stale_note(self) -> Locator:
        return self.page.get_by_text("The connection is lost.")

    @property
    def toasts(self) -> Locator:
        return self.page.get_by_role("status")

    @property
    def palette(self) -> Locator:
        return self.page.get_by_role("dialog", name="Go to")

    def go_by_keys(self, text: str) -> None:
        """Open the palette, type, and take what it found."""
        self.page.keyboard.press("Control+k")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    @property
    def theme(self) -> Locator:
        return self.navigation.get_by_role("button", name="Theme")

    @property
    def background(self) -> str:
        """The colour of the page, as the browser computed it."""
        color: str = self.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return color

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        pixels: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return pixels
