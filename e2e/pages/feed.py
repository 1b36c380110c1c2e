"""The live feed of events, which several pages have."""

from __future__ import annotations

from playwright.sync_api import Locator, Page


class Feed:
    def __init__(self, page: Page) -> None:
        self._page = page
        self.region = page.get_by_role("region", name="Live feed")

    @property
    def rows(self) -> Locator:
        """Newest first, without the head."""
        return self.region.get_by_role("row").filter(has_not=self._page.get_by_role("columnheader"))

    def about(self, message: str) -> Locator:
        return self.rows.filter(has=self._page.get_by_role("link", name=message, exact=True))

    def filter(self, text: str) -> None:
        self.region.get_by_label("Filter").fill(text)

    def pause(self) -> None:
        self.region.get_by_role("button", name="Pause").click()

    def read(self) -> list[list[str]]:
        """Every row as the texts of its cells."""
        return [row.get_by_role("cell").all_inner_texts() for row in self.rows.all()]
