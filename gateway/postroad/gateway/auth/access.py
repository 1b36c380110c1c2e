"""Which Host and Origin headers are served: the guard against DNS rebinding and cross-site WebSockets.

Both are compared exactly after parsing, never by prefix or suffix. Where the server listens on loopback, loopback names
and origins on any port are allowed without being listed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether a bind address or host name stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Access:
    """Args:
    host: The address that the server binds.
    host_names: Further names it is reached by, without port.
    origins: Origins (``https://app.example``) whose pages may use it.
    """

    def __init__(self, host: str, host_names: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self._loopback = is_loopback(host)
        names = {name.lower() for name in host_names}
        names |= LOOPBACK_NAMES if self._loopback else {host.lower()}
        self._names = frozenset(names)
        self._origins = frozenset(origin.lower() for origin in origins)

    def allows_host(self, header: str | None) -> bool:
        """Whether the ``Host`` header names us. The port is not compared: a port forward may change it."""
        if not header:
            return False
        name = _host_name(f"http://{header}")
        return name is not None and name in self._names

    def allows_origin(self, header: str | None, host: str | None) -> bool:
        """Whether a page of that ``Origin`` may use the server; no header, no page.

        The console's own pages have the origin that the (allowed) ``Host`` header names.
        """
        if header is None:
            return True
        origin = header.lower()
        if origin in self._origins:
            return True
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
            return False
        name = _host_name(origin)
        if name is None:
            return False
        if self._loopback and name in LOOPBACK_NAMES:
            return True
        return host is not None and self.allows_host(host) and origin.split("//")[1] == host.lower()


def _host_name(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        if parts.username is not None or parts.path or parts.query or parts.fragment or "@" in url:
            return None
        parts.port  # noqa: B018  # raises for a port that is not one
        return parts.hostname
    except ValueError:
        return None
