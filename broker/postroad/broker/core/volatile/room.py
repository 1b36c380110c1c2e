"""The consumers of a queue that have room for more, the emptiest first.

They are in classes by the power of two that their room reaches, each in the order in which they came to it: so a message finds its
consumer without a look at the others, be they ten thousand, and among consumers about as empty as each other who waited longest goes
first. Who has room is noted when it may have grown; one that has none by now is dropped when its turn comes.
"""

from __future__ import annotations

from .subscription import Subscription

CLASSES = 16
"""Prefetch ends at 16,384; whatever has more room is in the last class."""


class Room:
    __slots__ = ("_class_of", "_classes")

    def __init__(self) -> None:
        self._classes: list[dict[int, Subscription]] = [{} for _ in range(CLASSES)]
        self._class_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._class_of)

    def note(self, subscription: Subscription) -> None:
        """Its room has changed, or may have: it goes where it belongs. Where that is the same it keeps its place."""
        room = subscription.room
        now = min(room.bit_length(), CLASSES - 1) if room > 0 else 0
        before = self._class_of.get(subscription.id, 0)
        if now == before:
            return
        if before:
            del self._classes[before][subscription.id]
        if now:
            self._classes[now][subscription.id] = subscription
            self._class_of[subscription.id] = now
        else:
            del self._class_of[subscription.id]

    def pop(self) -> Subscription | None:
        """Take out the next one that has room; ``note`` it again when it is served. None: nobody has room."""
        for members in reversed(self._classes):
            while members:
                id = next(iter(members))
                subscription = members.pop(id)
                del self._class_of[id]
                if subscription.room > 0:
                    return subscription
        return None

    def remove(self, subscription: Subscription) -> None:
        before = self._class_of.pop(subscription.id, 0)
        if before:
            del self._classes[before][subscription.id]
