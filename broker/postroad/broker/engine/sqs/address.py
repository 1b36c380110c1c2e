"""The URL of an SQS: where it is, and how Postroad is to use it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from ...errors import InvalidRequest
from .names import checked_prefix

VISIBILITY_MAX_S = 43_200
"""SQS hides a message for 12 h at most, from when it was handed out."""

WAIT_MAX_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Attributes:
    region: None: as the environment says.
    endpoint: None: the region's own.
    prefix: Of all queues that are ours.
    visibility_s: How long a message is hidden for a gateway, which prolongs it; after its death it comes back that late.
    wait_s: How long a poll waits for messages.
    refresh_s: How late, at most, what another gateway declared, paused or deleted is noticed.
    """

    region: str | None
    endpoint: str | None
    prefix: str
    visibility_s: int
    wait_s: int
    refresh_s: float

    @property
    def first_s(self) -> int:
        """How long a message is hidden by the poll that brings it: one that brings it to nobody, since its gateway has gone, delays it less."""
        return -(-self.visibility_s // 3)


def address_of(url: str) -> Address:
    """Read ``sqs://region`` or ``sqs://host:port/?region=…&scheme=http``, with ``prefix``, ``visibility_ms``, ``wait_ms`` and ``refresh_ms``.

    Raises:
        InvalidRequest: an option that there is not, or out of range; credentials, which have no place in a URL.
    """
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(
            "Credentials for SQS come from the environment (AWS_ACCESS_KEY_ID, AWS_PROFILE, a role), not from the URL.",
            field="engine",
        )
    options = dict(parse_qsl(parts.query))
    region, scheme = options.pop("region", None), options.pop("scheme", None)
    endpoint: str | None = None
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidRequest("The port of the engine's URL is no number.", field="engine") from error
    if port is not None or region is not None or scheme is not None:
        if scheme not in (None, "http", "https"):
            raise InvalidRequest("scheme must be http or https.", field="engine")
        endpoint = f"{scheme or 'https'}://{parts.netloc}{parts.path.rstrip('/')}" if parts.netloc else None
    else:
        region = parts.hostname
    address = Address(
        region=region, endpoint=endpoint, prefix=checked_prefix(options.pop("prefix", "postroad-")),
        visibility_s=-(-_ms(options, "visibility_ms", 30_000, 1_000, VISIBILITY_MAX_S * 1000) // 1000),
        wait_s=_ms(options, "wait_ms", WAIT_MAX_S * 1000, 0, WAIT_MAX_S * 1000) // 1000,
        refresh_s=_ms(options, "refresh_ms", 5_000, 100, 3_600_000) / 1000,
    )  # fmt: skip
    if options:
        raise InvalidRequest(f"sqs: has no option {next(iter(options))[:40]!a}.", field="engine")
    return address


def _ms(options: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    given = options.pop(name, None)
    if given is None:
        return default
    if not given.isascii() or not given.isdigit() or not least <= int(given) <= most:
        raise InvalidRequest(f"{name} must be {least} to {most} milliseconds.", field="engine")
    return int(given)
