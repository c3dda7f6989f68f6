"""A table whose changes last: memory now, and the record that makes the change durable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import faust
from faust.types import TP, EventT

from headgate.streams.bus import Position, Record
from headgate.streams.codec import Headers
from headgate.streams.settings import Settings


class DurableTable(faust.Table[bytes, bytes]):
    """A cache by raw bytes, restored by Faust from its changelog after every assignment.

    Stock tables send their changelog unawaited, lose it with the first produce error (03 §2.1 L13,
    L14) and can be written only while a stream is iterated (L17). Here the caller publishes what
    `put` and `delete` return, together with its other outputs, and acknowledges after that.
    A key lives in the partition of its source record and leaves with it.
    """

    def __init__(self, app: faust.App, name: str, settings: Settings) -> None:
        super().__init__(
            app,
            name=name,
            partitions=settings.partitions,
            key_type=bytes,
            value_type=bytes,
        )
        self._values: dict[bytes, bytes] = {}
        self._keys: dict[int, set[bytes]] = {}
        self._durable: dict[int, int] = {}
        app.tables.add(self)

    def __hash__(self) -> int:
        return object.__hash__(self)

    def get(self, key: bytes) -> bytes | None:  # type: ignore[override]
        """The value, None when there is none here."""
        return self._values.get(key)

    def size(self) -> int:
        """How many keys are held."""
        return len(self._values)

    def put(self, partition: int, key: bytes, value: bytes, headers: Headers = ()) -> Record:
        """Remember the value. The record must be published and acked before the source is."""
        self._apply(partition, key, value)
        return Record(self.changelog_topic_name, partition, key, value, headers)

    def delete(self, partition: int, key: bytes, headers: Headers = ()) -> Record:
        """Forget the key. The record must be published and acked before the source is."""
        self._apply(partition, key, None)
        return Record(self.changelog_topic_name, partition, key, None, headers)

    def acked(self, positions: Iterable[Position]) -> None:
        """Optional: say how far the changelog holds what memory holds, so that a rebalance that
        leaves a partition here need not read it all again. Other topics are ignored."""
        for position in positions:
            if position.topic == self.changelog_topic_name:
                durable = self._durable.get(position.partition, -1)
                self._durable[position.partition] = max(durable, position.offset)

    def _apply(self, partition: int, key: bytes, value: bytes | None) -> None:
        keys = self._keys.setdefault(partition, set())
        if value is None:
            self._values.pop(key, None)
            keys.discard(key)
        else:
            self._values[key] = value
            keys.add(key)

    # What Faust's recovery asks of a table

    def persisted_offset(self, tp: TP) -> int | None:
        """Up to where the changelog of a partition need not be read."""
        return self._durable.get(tp.partition)

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]]) -> None:
        """Take over what the changelog says."""
        for event in batch:
            message = event.message
            self._apply(message.partition, message.key or b"", message.value)

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Drop partitions that are not ours: another worker changes them."""
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        kept = {tp.partition for tp in assigned if tp.topic == self.changelog_topic_name}
        for partition in self._keys.keys() - kept:
            for key in self._keys.pop(partition):
                self._values.pop(key, None)
        self._durable = {part: offset for part, offset in self._durable.items() if part in kept}

    def reset_state(self) -> None:
        """Forget everything; it is read again."""
        self._values.clear()
        self._keys.clear()
        self._durable.clear()

    def send_changelog(self, *arguments: Any, **options: Any) -> NoReturn:
        """Refuse Faust's own way of writing: `table[key] = value` would not wait for an ack."""
        raise TypeError(f"{self.name} is written by put() and delete()")
