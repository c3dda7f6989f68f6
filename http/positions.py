"""Log positions as headers and answers name them: `payments.commands/3@18422` (08 R17)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from headgate.http.problems_of_requests import ParameterInvalid
from headgate.streams.cards import quoted
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS

_POSITION = re.compile(
    r"(?P<topic>[A-Za-z0-9._-]{1,249})/(?P<partition>[0-9]{1,9})@(?P<offset>[0-9]{1,18})"
)


class Positions:
    """Reads and writes the positions of one namespace."""

    def __init__(self, settings: Settings) -> None:
        self._topic = PAYMENT_COMMANDS.full_name(settings)
        self._partitions = settings.partitions

    def parse(self, text: str, param: str) -> dict[int, int]:
        """The last offset by partition. Raises ParameterInvalid, which names `param`."""
        found: dict[int, int] = {}
        for part in text.split(","):
            position = _POSITION.fullmatch(part.strip())
            if position is None:
                raise ParameterInvalid(
                    f"{param} holds {quoted(part.strip(), 60)}; a position has the form "
                    f"{self._topic}/3@18422, several are separated by commas.",
                    param=param,
                )
            partition, offset = int(position["partition"]), int(position["offset"])
            self._check(position["topic"], partition, param)
            found[partition] = max(offset, found.get(partition, 0))
        return found

    def _check(self, topic: str, partition: int, param: str) -> None:
        if topic != self._topic:
            raise ParameterInvalid(
                f"{param} names the topic {quoted(topic, 60)}; positions are of {self._topic}.",
                param=param,
            )
        if partition >= self._partitions:
            raise ParameterInvalid(
                f"{param} names partition {partition}; {self._topic} has {self._partitions}.",
                param=param,
            )

    def show(self, settled: Mapping[int, int]) -> str | None:
        """What has been settled, from the next offset by partition; None when nothing has."""
        told = [
            f"{self._topic}/{partition}@{next_offset - 1}"
            for partition, next_offset in sorted(settled.items())
            if next_offset > 0
        ]
        return ",".join(told) or None
