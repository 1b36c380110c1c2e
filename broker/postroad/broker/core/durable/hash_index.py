"""Numbers found by a hash of what they stand for, without an object for each.

Entries are in *pages*; a page is an array of numbers, and a byte of each one's hash beside it, so that a look-up is a search for a byte.
There are as many pages as give ``PAGE`` entries each on average: growing splits one page, shrinking joins two (linear hashing), so no step
visits more than a few hundred entries, and an entry costs about 11 bytes.

What a number stands for is known to the owner alone: a look-up gives candidates, most of them the right ones.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

PAGE = 128
TAG_BITS = 8
TAG_MASK = (1 << TAG_BITS) - 1


class HashIndex:
    """Args:
    hash_of: Hash of what a number stands for; None: of nothing any more, and the entry is dropped.

    ``len`` is how many entries there are, those of nothing included.
    """

    __slots__ = ("_bits", "_cleaned", "_hash_of", "_length", "_pages")

    def __init__(self, hash_of: Callable[[int], int | None]) -> None:
        self._hash_of = hash_of
        self._pages: list[tuple[bytearray, array[int]]] = []
        self._bits = 0
        """Pages below ``len(_pages) - 2**_bits`` are split already: their entries are told apart by one more bit."""
        self._length = 0
        self._cleaned = 0

    def __len__(self) -> int:
        return self._length

    @property
    def pages(self) -> int:
        return len(self._pages)

    def reserve(self, count: int) -> None:
        """Make the pages for so many entries; there must be none yet."""
        assert not self._length, "pages are made before there are entries"
        pages = max(-(-count // PAGE), 1)
        self._bits = pages.bit_length() - 1
        self._pages = [(bytearray(), array("Q")) for _ in range(pages)]

    def add(self, hash: int, number: int) -> None:
        if not self._pages:
            self.reserve(1)
        tags, numbers = self._pages[self._page(hash)]
        tags.append(hash & TAG_MASK)
        numbers.append(number)
        self._length += 1
        if self._length > PAGE * len(self._pages):
            self._split()

    def find(self, hash: int) -> Sequence[int]:
        """Numbers that may stand for something with this hash."""
        if not self._length:
            return ()
        tags, numbers = self._pages[self._page(hash)]
        at = tags.find(hash & TAG_MASK)
        if at < 0:
            return ()
        found = []
        while at >= 0:
            found.append(numbers[at])
            at = tags.find(hash & TAG_MASK, at + 1)
        return found

    def remove(self, hash: int, number: int) -> bool:
        """False: it is not there."""
        if not self._length:
            return False
        tags, numbers = self._pages[self._page(hash)]
        at = tags.find(hash & TAG_MASK)
        while at >= 0 and numbers[at] != number:
            at = tags.find(hash & TAG_MASK, at + 1)
        if at < 0:
            return False
        self._drop(tags, numbers, at)
        if self._length * 4 < PAGE * len(self._pages) and len(self._pages) > 1:
            self._join()
        return True

    def clean(self) -> None:
        """Drop the entries of one page that stand for nothing; the next call takes the next page."""
        if not self._length:
            return
        self._cleaned = (self._cleaned + 1) % len(self._pages)
        tags, numbers = self._pages[self._cleaned]
        for at in range(len(numbers) - 1, -1, -1):
            if self._hash_of(numbers[at]) is None:
                self._drop(tags, numbers, at)

    def _page(self, hash: int) -> int:
        address, size = hash >> TAG_BITS, 1 << self._bits
        page = address & (size - 1)
        return page if page >= len(self._pages) - size else address & (2 * size - 1)

    def _drop(self, tags: bytearray, numbers: array[int], at: int) -> None:
        tags[at], numbers[at] = tags[-1], numbers[-1]
        tags.pop()
        numbers.pop()
        self._length -= 1

    def _split(self) -> None:
        """Add a page, and put there what belongs to it."""
        if len(self._pages) == 2 << self._bits:
            self._bits += 1
        at = len(self._pages) - (1 << self._bits)
        _, numbers = self._pages[at]
        self._pages[at] = (bytearray(), array("Q"))
        self._pages.append((bytearray(), array("Q")))
        for number in numbers:
            hash = self._hash_of(number)
            if hash is None:
                self._length -= 1
                continue
            tags, page = self._pages[self._page(hash)]
            tags.append(hash & TAG_MASK)
            page.append(number)

    def _join(self) -> None:
        """Put the last page back to the one that it was split from."""
        if len(self._pages) == 1 << self._bits:
            self._bits -= 1
        tags, numbers = self._pages.pop()
        to_tags, to_numbers = self._pages[len(self._pages) - (1 << self._bits)]
        to_tags.extend(tags)
        to_numbers.extend(numbers)
