"""Every error that Postroad reports, in one tree.

::

    PostroadError                 code                 retryable   HTTP
    ├── InvalidRequest            invalid-request      no          400
    │   └── InvalidName           invalid-name         no          400
    ├── InvalidState              invalid-state        no          409
    ├── NotAuthenticated          not-authenticated    no          401
    ├── NotAllowed                not-allowed          no          403
    ├── NotFound
    │   ├── QueueNotFound         queue-not-found      no          404
    │   ├── MessageNotFound       message-not-found    no          404
    │   ├── Unroutable            unroutable           no          404
    │   └── Gone                  gone                 no          410
    ├── Conflict                  conflict             no          409
    ├── LeaseLost                 lease-lost           no          409
    ├── AlreadySettled            already-settled      no          409
    ├── OutcomeUnknown            outcome-unknown      no          409
    ├── LimitExceeded             limit-exceeded       no          413
    ├── QueueFull                 queue-full           yes         429
    ├── StorageFull               storage-full         yes         507
    ├── Unsupported               unsupported          no          501
    ├── Unavailable               unavailable          yes         503
    ├── Corrupt                   corrupt              no          500
    └── Internal                  internal             no          500

``code`` is the API: it never changes, and callers may branch on it. The text is for people.
``details`` are further fields of the wire error (docs/protocol.md §1.3).
"""

from __future__ import annotations

from typing import ClassVar


class PostroadError(Exception):
    """Base of all errors.

    Args:
        message: Text for people; safe to show to the peer.
        details: JSON-ready fields sent beside the code, e.g. ``limit`` and ``value``.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidRequest(PostroadError):
    """The caller broke the contract: a wrong type, a missing field, an unknown operation."""

    code = "invalid-request"
    http_status = 400


class InvalidName(InvalidRequest):
    """A name breaks the rules of docs/protocol.md §1.4."""

    code = "invalid-name"


class InvalidState(PostroadError):
    """The thing is not in a state that allows this."""

    code = "invalid-state"
    http_status = 409


class NotAuthenticated(PostroadError):
    """No token, or a wrong or expired one. Ends the connection."""

    code = "not-authenticated"
    http_status = 401


class NotAllowed(PostroadError):
    """The token lacks the right, or a watch capability does not fit."""

    code = "not-allowed"
    http_status = 403


class NotFound(PostroadError):
    """The named thing does not exist. Base of the three below; never raised itself."""

    code = "queue-not-found"
    http_status = 404


class QueueNotFound(NotFound):
    """There is no queue, stream or topic target of that name."""


class MessageNotFound(NotFound):
    """There is no message with that id."""

    code = "message-not-found"


class Unroutable(NotFound):
    """No binding matches the topic, and the publish was ``mandatory``."""

    code = "unroutable"


class Gone(NotFound):
    """The message or position is older than the history window; ``earliest`` is the oldest kept position."""

    code = "gone"
    http_status = 410


class Conflict(PostroadError):
    """Declared before with other settings, or a dedup key was used before with another body."""

    code = "conflict"
    http_status = 409


class LeaseLost(PostroadError):
    """Ack, nack or extend came after the lease had ended."""

    code = "lease-lost"
    http_status = 409


class AlreadySettled(PostroadError):
    """The delivery was settled before."""

    code = "already-settled"
    http_status = 409


class OutcomeUnknown(PostroadError):
    """A re-sent publish frame is older than the broker remembers: it may or may not have been stored."""

    code = "outcome-unknown"
    http_status = 409


class LimitExceeded(PostroadError):
    """A bound was hit; ``limit`` names it and ``value`` is the bound."""

    code = "limit-exceeded"
    http_status = 413


class QueueFull(PostroadError):
    """The queue's length or byte limit was hit; it may have room later."""

    code = "queue-full"
    retryable = True
    http_status = 429


class StorageFull(PostroadError):
    """No journal space is left for publishes; settles are still accepted."""

    code = "storage-full"
    retryable = True
    http_status = 507


class Unsupported(PostroadError):
    """This engine cannot do that (see its capabilities)."""

    code = "unsupported"
    http_status = 501


class Unavailable(PostroadError):
    """The engine cannot serve now, or is stopping."""

    code = "unavailable"
    retryable = True
    http_status = 503


class Corrupt(PostroadError):
    """A damaged record was met. Carries ``segment`` and ``offset``; nothing of it is served."""

    code = "corrupt"


class Internal(PostroadError):
    """A bug of ours; the log has the details under the request's id."""

    code = "internal"


ERRORS: tuple[type[PostroadError], ...] = (
    InvalidRequest, InvalidName, InvalidState, NotAuthenticated, NotAllowed, QueueNotFound, MessageNotFound, Unroutable, Gone,
    Conflict, LeaseLost, AlreadySettled, OutcomeUnknown, LimitExceeded, QueueFull, StorageFull, Unsupported,
    Unavailable, Corrupt, Internal,
)  # fmt: skip
"""Every class that can reach a peer, in the order of docs/protocol.md §1.3."""
