"""The list of all queues."""

from __future__ import annotations

from playwright.sync_api import Locator

from .shell import Shell


class QueuesPage(Shell):
    path = "/queues"

    def row(self, queue: str) -> Locator:
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=queue, exact=True))

    def filter(self, text: str) -> None:
        self.page.get_by_label("Filter by name").fill(text)

    def figures(self, queue: str) -> dict[str, str]:
        """A row by the heads of its columns."""
        heads = self.page.get_by_role("columnheader").all_inner_texts()
        return dict(zip(heads, self.row(queue).get_by_role("cell").all_inner_texts(), strict=True))
