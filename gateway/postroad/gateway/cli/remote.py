"""Talking to a running server from the command line: HTTP for questions, WebSocket for what flows."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from ..protocol.slices import parse
from .failure import CommandFailed, ExitCode

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Remote:
    """A server's URL, and a token if it asks for one."""

    url: str
    token: str | None = None

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None,
        *, timeout_s: float | None = TIMEOUT_S,
    ) -> dict[str, Any]:  # fmt: skip
        """One request; its JSON. ``timeout_s`` None: the answer may take any time.

        Raises:
            CommandFailed: no server there, or it refused.
        """
        parts = {name: value for name, value in (query or {}).items() if value is not None}
        url = self.url.rstrip("/") + path + ("?" + urlencode(parts) if parts else "")
        data = None if method == "GET" else orjson.dumps(body or {})
        request = urllib.request.Request(url, data, self._headers(), method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout_s) as response:
                return dict(parse(response.read()))
        except urllib.error.HTTPError as error:
            raise CommandFailed(_told(error)) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError):
            raise self._nobody() from None

    @contextmanager
    def connected(self, client: str) -> Iterator[Conversation]:
        """A WebSocket that has said hello.

        Raises:
            CommandFailed: no server there, it refused, or the connection was lost.
        """
        from websockets.exceptions import ConnectionClosed, InvalidHandshake
        from websockets.sync.client import connect

        parts = urlsplit(self.url)
        target = parts._replace(scheme="wss" if parts.scheme == "https" else "ws", path="/ws").geturl()
        try:
            with connect(
                target, subprotocols=["postroad.v1"], compression=None, max_size=None, proxy=None,  # type: ignore[list-item]  # a NewType of str
                open_timeout=TIMEOUT_S,
            ) as socket:  # fmt: skip
                conversation = Conversation(socket)
                hello: dict[str, Any] = {"op": "hello", "format": "text", "client": {"name": client}}
                conversation.ask(hello if self.token is None else hello | {"token": self.token})
                yield conversation
        except ConnectionClosed as closed:
            reason = closed.rcvd.reason if closed.rcvd is not None else ""
            raise CommandFailed(f"The server closed the connection{': ' + reason if reason else ''}.") from None
        except (InvalidHandshake, OSError, TimeoutError):
            raise self._nobody() from None

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json", "accept": "application/json"}
        return headers if self.token is None else headers | {"authorization": f"Bearer {self.token}"}

    def _nobody(self) -> CommandFailed:
        return CommandFailed(f"No Postroad server answers at {self.url}; start one with: postroad serve")


class Conversation:
    """Requests and frames over one WebSocket, in text format."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._id = 0
        self._pushed: list[dict[str, Any]] = []

    def send(self, frame: Mapping[str, Any]) -> None:
        self._socket.send(orjson.dumps(frame).decode())

    def ask(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer; what else comes meanwhile is kept for ``frames``.

        Raises:
            CommandFailed: the answer is an error.
        """
        self._id += 1
        self.send({**frame, "id": self._id})
        while True:
            answer = self._next(None)
            if answer.get("op") == "error" and answer.get("id", self._id) == self._id:
                raise CommandFailed(str(answer["message"]))
            if answer.get("id") == self._id:
                return answer
            self._pushed.append(answer)

    def check(self, frame: Mapping[str, Any]) -> None:
        """Raises: CommandFailed: the frame says that it is over."""
        if frame["op"] in ("end", "error"):
            raise CommandFailed(str(frame["message"]))
        if frame["op"] == "drain":
            raise CommandFailed("The server is stopping.")

    def frames(self) -> Iterator[dict[str, Any]]:
        """What the server pushes, until the connection ends."""
        while True:
            if self._pushed:
                yield self._pushed.pop(0)
            else:
                yield self._next(None)

    def _next(self, timeout: float | None) -> dict[str, Any]:
        frame = self._socket.recv(timeout)
        return dict(parse(frame.encode() if isinstance(frame, str) else frame))


def path(start: str, *names: str) -> str:
    """A path under ``start``; what a user typed stays one part of it, whatever it is."""
    return "/".join([start, *(quote(name, safe="") for name in names)])


def remote(url: str, token_file: Path | None) -> Remote:
    """Raises: CommandFailed: the URL or the token file cannot be used."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise CommandFailed(f"{url!r} is not an http URL such as http://127.0.0.1:7070.", ExitCode.USAGE)
    if token_file is None:
        return Remote(url, os.environ.get("POSTROAD_TOKEN") or None)
    try:
        return Remote(url, token_file.read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"The token file {token_file} cannot be read: {error}.", ExitCode.USAGE) from None


def _told(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"The server answered {error.code}."
