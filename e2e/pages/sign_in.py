"""The console of a gateway that wants a token."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

from .shell import Shell


class SignIn(Shell):
    def __init__(self, page: Page, url: str) -> None:
        super().__init__(page)
        self.path = url

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog", name="Sign in")

    @property
    def failure(self) -> Locator:
        return self.dialog.get_by_role("alert")

    def give(self, token: str) -> None:
        self.dialog.get_by_label("Token").fill(token)
        self.dialog.get_by_role("button", name="Sign in").click()
