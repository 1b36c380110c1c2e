"""The front page of the demo: sign up, follow the message, read the letter, pull the levers."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from .feed import Feed
from .shell import Shell


class FrontPage(Shell):
    path = "/"

    @property
    def form(self) -> Locator:
        return self.page.get_by_role("form", name="Sign up")

    @property
    def answer(self) -> Locator:
        return self.form.get_by_role("status")

    @property
    def your_message(self) -> Locator:
        return self.page.get_by_role("region", name="Your message")

    @property
    def steps(self) -> Locator:
        return self.your_message.get_by_role("list", name="Timeline").get_by_role("listitem")

    @property
    def mailbox(self) -> Locator:
        return self.page.get_by_role("region", name="Mailbox")

    @property
    def feed(self) -> Feed:
        return Feed(self.page)

    def station(self, name: str) -> Locator:
        """One station of the road: Browser, Express, Queue, Workers or Mailbox."""
        road = self.page.get_by_role("list", name="The road of a message")
        return road.get_by_role("listitem").filter(has_text=name)

    def lever(self, name: str) -> Locator:
        return self.page.get_by_role("region", name="Levers").get_by_role("region", name=name)

    def pull(self, lever: str, button: str) -> None:
        self.lever(lever).get_by_role("button", name=button).click()

    def sign_up(self, name: str, email: str) -> None:
        self.form.get_by_label("Name").fill(name)
        self.form.get_by_label("E-mail").fill(email)
        self.form.get_by_role("button", name="Sign up").click()

    def signed_up(self, name: str, email: str) -> str:
        """Sign up and wait for the answer; returns the message's id."""
        self.sign_up(name, email)
        expect(self.answer).to_contain_text("Express answered")
        return self.your_message.get_by_role("link").inner_text()

    def open_letter(self, to: str) -> Locator:
        """Open the newest letter to an address; returns it."""
        self.mailbox.get_by_role("button").filter(has_text=to).first.click()
        return self.mailbox.get_by_role("article", name=f"Letter to {to}")
