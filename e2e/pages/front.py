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

    def settled(self, stop: str) -> None:
        """Wait until the parcel has come to a stop: a station, or ``Dead letters``."""
        road = self.page.get_by_role("listitem").or_(self.page.get_by_role("link"))
        expect(road.and_(self.page.locator("[aria-current=step]"))).to_contain_text(stop)

    def lever(self, name: str) -> Locator:
        return self.page.get_by_role("region", name="Levers").get_by_role("region", name=name)

    def pull(self, lever: str, button: str) -> None:
        self.lever(lever).get_by_role("button", name=button).click()

    def sign_up(self, name: str, email: str) -> None:
        self.form.get_by_label("Name").fill(name)
        self.form.get_by_label("E-mail").fill(email)
        self.form.get_by_role("button", name="Sign up").click()

    def signed_up(self, name: str, email: str) -> str:
        """Sign up and wait until the message is shown; returns its id."""
        with self.page.expect_response(lambda response: response.url.endswith("/signups")) as answered:
            self.sign_up(name, email)
        message: str = answered.value.json()["id"]
        expect(self.answer).to_contain_text("Express answered")
        expect(self.your_message.get_by_role("link", name=message)).to_be_visible()
        return message

    def open_letter(self, to: str) -> Locator:
        """Open the newest letter to an address; returns it."""
        self.mailbox.get_by_role("button").filter(has_text=to).first.click()
        return self.mailbox.get_by_role("article", name=f"Letter to {to}")
