"""Sees to it that somebody owns every partition of a worker's topics.

A leader assigns what it sees of the cluster, and one that joins just after Kafka came back may not
see all topics yet; Faust's assignor passes over what is missing. Kafka then gives that assignment
to a static member that restarts again and again without asking for a new one, so that the topic
would have no owner until all members are gone for a session: found by killing notify and Kafka
right after each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import KafkaError

log = structlog.get_logger(__name__)

LOOK_INTERVAL_S = 5.0
"""How often the group is looked at."""
LOOK_INTERVAL_MAX_S = 300.0
"""The longest pause after a new assignment did not help; each is twice the one before."""
TIMEOUT_S = 5.0
"""How long Kafka may take to describe the group."""
STABLE = "Stable"
"""The state of a group that no rebalance is under way in."""

Assignment = Mapping[str, Collection[int]]
"""Partitions by topic."""


def unowned(wanted: Assignment, owned: Iterable[Assignment]) -> list[tuple[str, int]]:
    """The wanted partitions that nobody owns."""
    found = {(topic, part) for each in owned for topic, parts in each.items() for part in parts}
    return sorted(
        (topic, part)
        for topic, parts in wanted.items()
        for part in parts
        if (topic, part) not in found
    )


async def assignments(bootstrap: str, group: str) -> list[Assignment] | None:
    """What each member of a group owns; None while it rebalances, or when Kafka does not say."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await admin.start()
            [answer] = await admin.describe_consumer_groups([group])
    except (KafkaError, OSError, TimeoutError) as error:
        log.debug("the group is not described", group=group, reason=repr(error))
        return None
    finally:
        await admin.close()
    [described] = answer.to_object()["groups"]
    if described["state"] != STABLE:
        return None
    return [_assignment(member["member_assignment"]) for member in described["members"]]


def _assignment(encoded: bytes) -> Assignment:
    if not encoded:
        return {}
    return {
        topic: tuple(parts)
        for topic, parts in ConsumerProtocol.ASSIGNMENT.decode(encoded).assignment
    }


class Coverage:
    """Asks for a new assignment when partitions have no owner in two looks one after the other."""

    def __init__(
        self,
        wanted: Callable[[], Assignment],
        look: Callable[[], Awaitable[list[Assignment] | None]],
        reassign: Callable[[], Awaitable[None]],
    ) -> None:
        """`reassign` joins the group anew; the leader's doing so makes it assign anew."""
        self._wanted = wanted
        self._look = look
        self._reassign = reassign
        self._missed: list[tuple[str, int]] = []
        self.pause_s = LOOK_INTERVAL_S
        """Until the next look."""

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self.pause_s)
            await self.look()

    async def look(self) -> None:
        """One look, and what follows from it."""
        owned = await self._look()
        if owned is None:
            return
        missing, before = unowned(self._wanted(), owned), self._missed
        self._missed = missing
        if not missing:
            self.pause_s = LOOK_INTERVAL_S
        elif missing == before:
            log.warning("partitions have no owner, asking for a new assignment", missing=missing)
            self._missed = []
            self.pause_s = min(self.pause_s * 2, LOOK_INTERVAL_MAX_S)
            await self._reassign()
