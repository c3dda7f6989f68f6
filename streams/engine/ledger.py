"""What was delivered of one partition, and how far it is acknowledged without a gap (08 R4)."""

from __future__ import annotations

from collections import OrderedDict


class Ledger:
    """Offsets of one partition in one assignment, from the position where reading began.

    Kept in the order of delivery and strongly: a record that failed, or that nobody refers to any
    more, holds the commit back all the same. Faust's own set is weak and knows only what a stream
    has begun, so it commits past both (03 §2.1).
    """

    def __init__(self, position: int) -> None:
        self.next = position
        """The offset to deliver next."""
        self.saved = position
        """What the group is known to have committed, or where reading began."""
        self.unacknowledged = 0
        """How many records are delivered and not acknowledged."""
        self._done = position
        self._delivered: OrderedDict[int, object | None] = OrderedDict()

    def deliver(self, offset: int, message: object) -> None:
        """Note a delivery of `next`."""
        self._delivered[offset] = message
        self.unacknowledged += 1
        self.next = offset + 1

    def acknowledge(self, offset: int, message: object) -> bool:
        """Note the end of the work on `message`. False when this very copy is not awaited: it was
        acknowledged before, or is superseded by a redelivery."""
        if self._delivered.get(offset) is not message:
            return False
        self._delivered[offset] = None
        self.unacknowledged -= 1
        return True

    def rewind(self, offset: int) -> None:
        """Deliver from `offset` on, again or for the first time; later copies no longer count."""
        while self._delivered and next(reversed(self._delivered)) >= offset:
            _, message = self._delivered.popitem()
            self.unacknowledged -= message is not None
        if not self._delivered:
            self._done = offset
        self.next = offset

    def committable(self) -> int:
        """The offset behind the longest acknowledged run, in order of delivery."""
        while self._delivered:
            offset, message = next(iter(self._delivered.items()))
            if message is not None:
                break
            del self._delivered[offset]
            self._done = offset + 1
        return self._done
