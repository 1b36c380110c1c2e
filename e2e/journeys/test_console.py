"""The console of any broker: queues, what is in them, and what can be done with them."""

from __future__ import annotations

import re

import pytest
from pages.queue import QueuePage
from pages.queues import QueuesPage
from pages.shell import Shell
from playwright.sync_api import Page, expect
from services import Services


def test_the_list_of_queues_counts_what_is_in_them_and_can_be_filtered(page: Page, services: Services) -> None:
    services.publish("orders.new", {"n": 1}, {"n": 2})
    services.publish("orders.late", {"n": 3}, delay_ms=600_000)
    queues = QueuesPage(page)
    queues.open()

    queues.filter("orders")

    expect(queues.row("emails")).to_have_count(0)
    assert queues.figures("orders.new")["Ready"] == "2"
    assert queues.figures("orders.late")["Delayed"] == "1"
    queues.row("orders.new").get_by_role("link").click()
    expect(QueuePage(page, "orders.new").depth).to_contain_text("2ready")


def test_messages_are_browsed_by_state_without_consuming_them(page: Page, services: Services) -> None:
    [ready] = services.publish("browse", {"n": 1})
    [delayed] = services.publish("browse", {"n": 2}, delay_ms=600_000)
    queue = QueuePage(page, "browse")
    queue.open()
    expect(queue.row(ready)).to_contain_text('{"n":1}')
    expect(queue.row(delayed)).to_have_count(0)

    queue.browse("delayed, retrying")

    expect(queue.row(delayed)).to_contain_text('{"n":2}')
    expect(queue.row(delayed)).to_contain_text(re.compile(r"in \d+ min"))
    queue.browse("leased")
    expect(queue.messages).to_contain_text("Nobody holds a message right now")
    assert (services.queue("browse")["ready"], services.queue("browse")["delayed"]) == (1, 1)


def test_publishing_from_the_console_refuses_what_is_not_json(page: Page, services: Services) -> None:
    services.publish("typed", {"n": 1})
    queue = QueuePage(page, "typed")
    queue.open()
    queue.press("Publish")
    dialog = queue.dialog("Publish to typed")
    dialog.get_by_label("Body, JSON").fill('{"n": ')
    expect(dialog.get_by_role("button", name="Publish", exact=True)).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    queue.publish('{"n": 2}', **{"How many": "3", "Priority": "7"})

    expect(queue.toasts.filter(has_text="3 messages published")).to_be_visible()
    expect(queue.depth).to_contain_text("4ready")
    newest = queue.messages.get_by_role("row").filter(has_text='{"n":2}')
    expect(newest).to_have_count(3)
    [message, *_] = newest.get_by_role("link").all_inner_texts()
    assert services.message(message)["priority"] == 7


def test_a_paused_queue_delivers_nothing_until_it_is_resumed(page: Page, services: Services) -> None:
    queue = QueuePage(page, "emails")
    queue.open()

    queue.press("Pause")

    expect(queue.heading).to_contain_text("paused")
    answer = services.sign_up("Paula", "paula@example.org")
    message = answer.body["id"]
    expect(queue.row(message)).to_be_visible()
    assert services.message(message)["state"] == "queued"

    queue.press("Resume")

    expect(queue.heading).not_to_contain_text("paused")
    expect(queue.row(message)).to_have_count(0)


def test_purging_asks_first_and_names_how_many_go(page: Page, services: Services) -> None:
    services.publish("scrap", *[{"n": n} for n in range(12)])
    queue = QueuePage(page, "scrap")
    queue.open()
    expect(queue.depth).to_contain_text("12ready")
    queue.press("Purge")
    dialog = queue.dialog("Purge scrap?")
    expect(dialog).to_contain_text("12 messages that wait in scrap")
    dialog.get_by_role("button", name="Keep them").click()
    assert services.queue("scrap")["ready"] == 12

    queue.press("Purge")
    dialog.get_by_role("button", name="Purge 12 messages").click()

    expect(queue.toasts.filter(has_text="12 messages purged from scrap.")).to_be_visible()
    expect(queue.depth).to_contain_text("0ready")
    assert services.queue("scrap")["ready"] == 0


def test_the_palette_goes_anywhere_by_keyboard_alone(page: Page, services: Services) -> None:
    [message] = services.publish("letters.of.ada", {"n": 1})
    shell = Shell(page)
    shell.open()
    expect(shell.connection).to_contain_text("Connected")

    shell.go_by_keys("letters.of")
    expect(page).to_have_url(f"{page.url.split('/queues')[0]}/queues/letters.of.ada")
    expect(shell.palette).to_have_count(0)
    expect(shell.heading).to_have_text("letters.of.ada")

    shell.go_by_keys(message)
    expect(shell.heading).to_contain_text(message)

    page.keyboard.press("Control+k")
    page.keyboard.press("ArrowDown")
    expect(shell.palette.get_by_role("option", selected=True)).to_have_text("Overview")
    page.keyboard.press("Escape")
    expect(shell.palette).to_have_count(0)


def test_rows_are_walked_and_opened_by_keys(page: Page, services: Services) -> None:
    first, second = services.publish("walk", {"n": 1}, {"n": 2})
    queue = QueuePage(page, "walk")
    queue.open()
    expect(queue.row(second)).to_be_visible()

    page.keyboard.press("j")
    expect(queue.row(first).get_by_role("link")).to_be_focused()
    page.keyboard.press("j")
    expect(queue.row(second).get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")

    expect(queue.heading).to_contain_text(second)
    page.keyboard.press("?")
    expect(queue.dialog("Keys")).to_contain_text("Next row, previous row")


def test_the_theme_is_chosen_by_hand_and_kept(page: Page) -> None:
    shell = Shell(page)
    shell.open()
    light = shell.background

    for chosen in ("light", "dark"):
        shell.theme.click()
        expect(shell.theme).to_have_accessible_name(re.compile(f"Theme: {chosen}"))
    dark = shell.background
    page.reload()
    expect(shell.heading).to_be_visible()

    assert (light, dark, shell.background) == ("rgb(251, 250, 247)", "rgb(16, 19, 26)", "rgb(16, 19, 26)")


@pytest.mark.parametrize("path", ["/", "/overview", "/queues", "/queues/narrow", "/queues/emails.dead", "/messages/"])
def test_nothing_scrolls_sideways_on_a_narrow_phone(page: Page, services: Services, path: str) -> None:
    body = {"name": "Wolfeschlegelsteinhausenbergerdorff", "text": "a" * 200}
    [message] = services.publish("narrow", body)
    page.set_viewport_size({"width": 360, "height": 720})
    shell = Shell(page)
    shell.path = path + message if path == "/messages/" else path
    shell.open()
    expect(shell.heading).to_be_visible()
    expect(page.get_by_role("main").get_by_role("status", name="Loading")).to_have_count(0)

    assert shell.overflow <= 0


def test_on_a_small_laptop_no_table_hides_its_last_columns(page: Page, services: Services) -> None:
    queue, stream, group = "orders.from.all-over-the-world", "clicks.on.all-over-the-shop", "rates-by-all-campaigns"
    services.publish(queue, {"n": 1})
    services.declare_group(stream, group)
    laptop, tablet = 1280, 1024
    places = [
        (laptop, "overview", queue),
        (laptop, "queues", queue),
        (tablet, "queues", queue),
        (laptop, "streams", stream),
    ]

    for width, path, name in (*places, (laptop, f"streams/{stream}", group)):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"/{path}")
        expect(page.get_by_role("cell", name=name).first).to_be_visible()
        wide = page.locator(".table-wrap").evaluate_all(
            "wraps => wraps.filter(wrap => wrap.scrollWidth > wrap.clientWidth + 1).map(wrap => wrap.innerText)"
        )
        assert wide == [], f"/{path} at {width}: a table is wider than its place"
