"""One queue: figures, consumers, messages by state, publish, pause, purge; dead letters where it is a queue of those."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

from .feed import Feed
from .shell import Shell


class QueuePage(Shell):
    def __init__(self, page: Page, name: str) -> None:
        super().__init__(page)
        self.name = name
        self.path = f"/queues/{name}"

    @property
    def messages(self) -> Locator:
        return self.page.get_by_role("region", name="Messages", exact=True)

    @property
    def dead_letters(self) -> Locator:
        return self.page.get_by_role("region", name="Dead letters", exact=True)

    @property
    def depth(self) -> Locator:
        return self.page.get_by_role("region", name="Depth")

    @property
    def feed(self) -> Feed:
        return Feed(self.page)

    def row(self, message: str) -> Locator:
        """A message in whichever of the two lists this queue has."""
        link = self.page.get_by_role("link", name=message, exact=True)
        return self.messages.or_(self.dead_letters).get_by_role("row").filter(has=link)

    def press(self, button: str) -> None:
        """The page's own actions come before those of the feed, which can be paused as well."""
        self.page.get_by_role("main").get_by_role("button", name=button, exact=True).first.click()

    def browse(self, state: str) -> None:
        self.messages.get_by_role("button", name=state, exact=True).click()

    def dialog(self, name: str) -> Locator:
        return self.page.get_by_role("dialog", name=name)

    def publish(self, body: str, **fields: str) -> None:
        """Fill in the dialog and send it; ``fields`` by their labels."""
        self.press("Publish")
        dialog = self.dialog(f"Publish to {self.name}")
        dialog.get_by_label("Body, JSON").fill(body)
        for label, value in fields.items():
            dialog.get_by_label(label).fill(value)
        dialog.get_by_role("button", name="Publish", exact=True).click()
