"""The list of all queues."""

from __future__ import annotations

from playwright.sync_api import Locator

from .shell import Shell


class QueuesPage(Shell):
    path = "/queues"

    def row(self, queue: str) -> Locator:
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=queue, exact=True))
