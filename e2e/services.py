"""The services behind the page, asked over HTTP: what a test compares the page with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from stage import Stage

PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.03
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any


def call(url: str, method: str = "GET", body: object = None) -> Answer:
    """One request; a problem is an answer like any other."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"content-type": "application/json"}, method=method)
    try:
        with urlopen(request, timeout=PATIENCE_SECONDS) as response:
            text = response.read()
            return Answer(response.status, json.loads(text) if text else None)
    except HTTPError as error:
        with error:
            return Answer(error.code, json.loads(error.read()))


def eventually(look: Callable[[], T], happy: Callable[[T], bool], what: str) -> T:
    """Look at another process until it is as it should be. It announces nothing, so it is looked at again and again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happy(seen := look()):
        assert time.monotonic() < deadline, f"{what}: still {seen!r}"
        time.sleep(LOOK_SECONDS)
    return seen


class Services:
    """The demo behind the page."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def mails(self) -> list[dict[str, Any]]:
        """All letters that the catcher keeps, oldest first."""
        found: list[dict[str, Any]] = call(f"{self._stage.catcher}/mails?limit=2000").body["mails"]
        return found

    def mails_of(self, message: str) -> list[dict[str, Any]]:
        return [mail for mail in self.mails() if mail["message"] == message]

    def message(self, message: str) -> dict[str, Any]:
        found: dict[str, Any] = call(f"{self._stage.gateway}/v1/messages/{message}").body["message"]
        return found

    def timeline(self, message: str, kind: str) -> list[dict[str, Any]]:
        """The steps of one kind."""
        return [step for step in self.message(message)["timeline"] if step["kind"] == kind]

    def queue(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = call(f"{self._stage.gateway}/v1/queues/{name}").body["queue"]
        return found

    def publish(self, queue: str, *bodies: object, **attributes: object) -> list[str]:
        messages = [{"body": body, **attributes} for body in bodies]
        answer = call(f"{self._stage.gateway}/v1/queues/{queue}/messages", "POST", {"messages": messages})
        assert answer.status == 201, answer
        ids: list[str] = answer.body["ids"]
        return ids

    def declare_group(self, stream: str, group: str) -> None:
        """A stream with one group."""
        for path in (stream, f"{stream}/groups/{group}"):
            answer = call(f"{self._stage.gateway}/v1/streams/{path}", "PUT", {})
            assert answer.status in (200, 201), answer

    def operate(self, queue: str, what: str) -> None:
        """``pause``, ``resume``, ``purge``, …"""
        answer = call(f"{self._stage.gateway}/v1/queues/{queue}/{what}", "POST", {})
        assert answer.status == 200, answer

    def sign_up(self, name: str, email: str) -> Answer:
        return call(f"{self._stage.api}/signups", "POST", {"name": name, "email": email})

    def processes(self, kind: str) -> list[dict[str, Any]]:
        state = call(f"{self._stage.control}/state").body
        return [process for process in state["processes"] if process["kind"] == kind]

    def set_mail(self, mode: str) -> None:
        assert call(f"{self._stage.control}/mail", "POST", {"mode": mode}).status == 200

    def mend(self, workers: int) -> None:
        """Undo what a test may have broken: mail server, pause, killed workers."""
        self.set_mail("up")
        self.operate("emails", "resume")
        for _ in range(workers - len(self.processes("worker"))):
            assert call(f"{self._stage.control}/workers", "POST").status == 201
