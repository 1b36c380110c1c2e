"""The front page of the demo: sign up, follow the message, read the letter."""

from __future__ import annotations

from playwright.sync_api import Locator

from .shell import Shell


class FrontPage(Shell):
    path = "/"

    @property
    def form(self) -> Locator:
        return self.page.get_by_role("form", name="Sign up")

    @property
    def your_message(self) -> Locator:
        return self.page.get_by_role("region", name="Your message")

    def sign_up(self, name: str, email: str) -> None:
        self.form.get_by_label("Name").fill(name)
        self.form.get_by_label("E-mail").fill(email)
        self.form.get_by_role("button", name="Sign up").click()
