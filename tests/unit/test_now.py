"""What only operators see on the screen Now, and what it says while Kafka is away."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any, cast

import pytest

from headgate.dashboard.now import _gauges, measures_of
from headgate.dashboard.place import Place
from headgate.dashboard.viewer import Viewer
from headgate.streams.errors import LogUnavailable
from headgate.streams.log_reader import Extent

OPERATOR = Viewer("opr_1", "Olga", None, "test", "csrf")
MERCHANT = dataclasses.replace(OPERATOR, id="usr_1", merchant_id="mer_1")
KAFKA_IS_AWAY = {"lag": None, "dead": None}


def place(*, away: bool = False) -> Place:
    """One claim at 7, a topic that ends at 10, and three dead letters."""

    async def fetch(name: str) -> list[dict[str, Any]]:
        assert name == "dashboard_claims"
        return [{"topic": "payments.commands", "partition": 0, "next_offset": 7}]

    async def behind(claims: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        if away:
            raise LogUnavailable("Kafka is away")
        return {part: 10 - offset for part, offset in claims.items()}

    async def extents() -> dict[tuple[str, int], Extent]:
        return {("x.facts.dead", 0): Extent(2, 5), ("x.facts", 0): Extent(0, 99)}

    watch = SimpleNamespace(behind=behind, extents=SimpleNamespace(get=extents))
    stores = SimpleNamespace(fetch=fetch)
    return cast("Place", SimpleNamespace(postgres=stores, machine=SimpleNamespace(watch=watch)))


@pytest.mark.parametrize(
    ("away", "wanted"), [(False, {"lag": 3, "dead": 3}), (True, KAFKA_IS_AWAY)]
)
async def test_lag_and_dead_letters_are_counted_or_unknown(
    away: bool, wanted: dict[str, int | None]
) -> None:
    assert await _gauges(place(away=away), OPERATOR) == wanted


async def test_merchants_are_told_nothing_of_the_machine() -> None:
    assert await _gauges(place(), MERCHANT) == {}
    assert {one.name for one in measures_of(OPERATOR)} - {
        one.name for one in measures_of(MERCHANT)
    } == {"lag", "dead"}
