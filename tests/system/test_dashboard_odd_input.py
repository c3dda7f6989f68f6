"""Addresses and forms with what cannot be: each is told so, and none is a fault or an outage."""

from __future__ import annotations

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_dashboard import looking
from tests.system.harness_place import opened

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

LONG = "9" * 5000
PATHS = {
    "/endpoints?after=%00": 400,
    "/payments/%00": 400,
    "/deliveries/%00": 400,
    "/keys/%00": 400,
    "/settings/%00": 400,
    "/records?until=1969-12-31": 400,
    f"/records?partition={LONG}": 400,
    f"/records/payments.commands/{LONG}/0": 404,
    f"/records/payments.commands/0/{LONG}": 404,
    f"/dead-letters/payments.commands.dead/{LONG}/0": 404,
    f"/audit?before={LONG}": 200,
}


async def test_what_cannot_be_is_told_and_is_no_fault(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        for path, status in PATHS.items():
            answer = await looks.get(path)
            assert answer.status_code == status, path
            assert "Something is away" not in answer.text, path
        refused = await looks.post("/keys/revoke", id="\0")
        assert refused.status_code == 400, refused.text
        looks.doorman.viewer = None
        far = await looks.get(f"/records/x/{LONG}/0")
        assert far.headers["location"].startswith("/dashboard/sign-in")
