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
