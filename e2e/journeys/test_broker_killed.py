"""The broker is killed in the middle of a rush of sign-ups: what was confirmed is mailed, everyone comes back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

from complaints import Complaints
from outage import kill_broker
from pages.front import FrontPage
from playwright.sync_api import Page, expect
from services import PATIENCE_SECONDS, Answer, Services, eventually

PEOPLE = 200
AT_ONCE = 8


class Rush:
    """Many people who sign up at once; half of them only after the broker was killed."""

    def __init__(self, services: Services, marker: str) -> None:
        self._services = services
        self._marker = marker
        self._confirmed = Semaphore(0)
        self._killed = Event()
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._answers = {
            email: self._pool.submit(self._one, n, email)
            for n in range(PEOPLE)
            for email in [f"{marker}.{n}@example.org"]
        }

    def _one(self, n: int, email: str) -> Answer:
        if n >= PEOPLE // 2:
            assert self._killed.wait(PATIENCE_SECONDS)
        answer = self._services.sign_up(f"Visitor {n}", email)
        self._confirmed.release()
        return answer

    def wait_for(self, confirmed: int) -> None:
        """Until so many were answered."""
        for _ in range(confirmed):
            assert self._confirmed.acquire(timeout=PATIENCE_SECONDS)

    def go_on(self) -> None:
        self._killed.set()

    def confirmed(self) -> dict[str, str]:
        """The ids and addresses of all that Express said 202 to, once everybody has an answer."""
        answers = {email: future.result(PATIENCE_SECONDS) for email, future in self._answers.items()}
        self._pool.shutdown()
        assert {answer.status for answer in answers.values()} <= {202, 503}, answers
        return {answer.body["id"]: email for email, answer in answers.items() if answer.status == 202}


def test_every_confirmed_sign_up_is_mailed_though_the_broker_is_killed(
    page: Page, services: Services, complaints: Complaints
) -> None:
    complaints.expect("broker down")
    front = FrontPage(page)
    front.open()
    expect(front.connection).to_contain_text("Connected")
    rush = Rush(services, "crash")
    rush.wait_for(PEOPLE // 5)

    killed = kill_broker(services)
    rush.go_on()
    # Again while it starts: so it is away for long enough to be noticed by a person.
    kill_broker(services, but_not=killed)

    expect(front.connection).to_contain_text("Reconnecting")
    expect(front.stale_note).to_be_visible()
    front.sign_up("Leslie Lamport", "leslie@example.org")

    expect(front.connection).to_contain_text("Connected")
    expect(front.stale_note).to_have_count(0)
    expect(front.answer).to_contain_text("Express answered")
    expect(front.your_message).to_contain_text("The letter is in the mailbox")
    confirmed = rush.confirmed()
    assert len(confirmed) >= PEOPLE // 5
    eventually(
        lambda: confirmed.items() - {(mail["message"], mail["to"]) for mail in services.mails()},
        lambda missing: not missing,
        "confirmed, but not mailed",
    )
    assert services.queue("emails")["consumers"] == 2


def test_two_hundred_sign_ups_outlive_the_button_that_kills_the_broker(
    page: Page, services: Services, complaints: Complaints
) -> None:
    complaints.expect("broker down")
    front = FrontPage(page)
    front.open()
    expect(front.connection).to_contain_text("Connected")
    before = len(services.mails())
    front.pull("Rush", "Sign up 200 people")
    expect(front.toasts.filter(has_text="200 sign-ups accepted")).to_be_visible()

    front.pull("Broker", "Restart the broker")

    expect(front.toasts.filter(has_text="The broker was killed and served again")).to_be_visible()
    expect(front.lever("Broker")).to_contain_text("up")
    people = {f".{n + 1}@example.org" for n in range(PEOPLE)}
    eventually(
        lambda: {
            ending for ending in people if not any(mail["to"].endswith(ending) for mail in services.mails()[before:])
        },
        lambda missing: not missing,
        "confirmed, but not mailed",
    )
    expect(front.station("Queue")).to_have_text("Queue0waiting")
    expect(front.station("Workers")).to_contain_text("held by 2")
