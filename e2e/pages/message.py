"""One message: what happened to it and what is in it."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

from .shell import Shell


class MessagePage(Shell):
    def __init__(self, page: Page, message: str) -> None:
        super().__init__(page)
        self.path = f"/messages/{message}"

    @property
    def steps(self) -> Locator:
        return self.page.get_by_role("list", name="Timeline").get_by_role("listitem")

    @property
    def main(self) -> Locator:
        return self.page.get_by_role("main")
