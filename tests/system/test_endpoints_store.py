"""Endpoints in a real PostgreSQL: made once, changed, rotated, held, and never quite gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headgate.streams.commands import Mode
from headgate.streams.ids import draw_id
from headgate.streams.settings import Settings
from headgate.tables import endpoint_secrets, endpoint_states, endpoints, merchants
from headgate.tables.configuration import Configuration, ConfigurationCopy
from headgate.tables.endpoint import (
    Drawn,
    EndpointDeleted,
    EndpointRequestDiffers,
    EndpointUnknown,
    EndpointUnverified,
    EndpointWanted,
    StoredEndpoint,
    TooManyEndpoints,
    TooManySecrets,
    Verdict,
)
from headgate.tables.endpoint_secrets import Rotated, Rotation
from headgate.tables.merchants import OPERATOR_ACTOR
from headgate.tables.migrate import migrate
from headgate.tables.postgres import Postgres

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

WANTED = EndpointWanted("https://shop.example/", ["payment.*"])
MOST = 3


class Shop:
    """A merchant and what it does with its endpoints."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.postgres = Postgres(settings)
        self.copy = ConfigurationCopy(settings, self.postgres)
        self.merchant_id = ""

    async def open(self) -> None:
        await migrate(self.settings)
        pair = await merchants.create(self.postgres, "Shop", "shop@example.com", "test")
        self.merchant_id = pair.merchant_id

    async def made(
        self,
        mode: Mode = "test",
        *,
        drawn: Drawn | None = None,
        verdict: Verdict | None = None,
        wanted: EndpointWanted = WANTED,
    ) -> StoredEndpoint:
        whose = (self.merchant_id, mode)
        fresh = drawn or self.drawn()
        return (await endpoints.create(self.postgres, whose, wanted, fresh, MOST, verdict))[0]

    def drawn(self, request: str = "r", endpoint_id: str | None = None) -> Drawn:
        return Drawn(endpoint_id or draw_id("whe_"), "sealed-0", OPERATOR_ACTOR, request)

    async def rotated(
        self, endpoint_id: str, key: str, *, overlap_s: int = 60, request: str = "r"
    ) -> Rotated:
        rotation = Rotation(key, f"sealed-{key}", overlap_s, OPERATOR_ACTOR, request)
        return await endpoint_secrets.rotate(self.postgres, endpoint_id, rotation, self.whose)

    async def changed(
        self, endpoint: StoredEndpoint, verdict: Verdict | None = None, **members: Any
    ) -> StoredEndpoint:
        return await endpoints.change(
            *(self.postgres, endpoint.id, OPERATOR_ACTOR, (self.merchant_id, endpoint.mode)),
            lambda wanted: replace(wanted, **members),
            verdict,
        )

    @property
    def whose(self) -> tuple[str, str]:
        return (self.merchant_id, "test")

    async def known(self) -> Configuration:
        """The configuration as every process will have it."""
        return await self.copy.refresh()

    async def audited(self) -> list[tuple[str, dict[str, Any]]]:
        async with self.postgres.connection() as connection:
            rows = await connection.fetch("select action, change from audit order by id offset 1")
        return [(row["action"], json.loads(row["change"])) for row in rows]


@pytest.fixture
async def shop(live_settings: Settings, tmp_path: Path) -> AsyncIterator[Shop]:
    shop = Shop(live_settings.model_copy(update={"state_dir": tmp_path}))
    await shop.open()
    yield shop
    await shop.postgres.close()


async def test_all_that_is_wanted_is_stored_and_every_process_knows_it(shop: Shop) -> None:
    wanted = EndpointWanted(
        url="https://shop.example/hooks",
        event_types=["payment.success", "refund.*"],
        description="the shop",
        schedule="custom",
        waits_ms=[1000, 259_200_000],
        sealed_headers="sealed",
        rate_per_s=5,
        fifo=True,
        fifo_blocks=True,
        sealed_signing_key="key",
    )
    made = await shop.made(wanted=wanted)
    assert made.wanted == wanted
    assert (made.status, made.older_secrets, made.is_default) == ("enabled", [], False)
    known = (await shop.known()).endpoints[made.id]
    assert known.event_types == ("payment.success", "refund.*")
    assert (known.schedule, known.waits_ms) == ("custom", (1000, 259_200_000))
    assert (known.sealed_headers, known.sealed_signing_key) == ("sealed", "key")
    assert (known.rate_per_s, known.fifo, known.fifo_blocks) == (5, True, True)
    [(action, said)] = await shop.audited()
    assert action == "webhook_endpoint.create"
    assert (said["sealed_headers"], said["sealed_signing_key"]) == (True, True)
    assert "sealed-0" not in str(said)


async def test_the_same_request_makes_one_endpoint_also_twenty_at_once(shop: Shop) -> None:
    drawn = shop.drawn()
    made = await asyncio.gather(*(shop.made(drawn=drawn) for _ in range(20)))
    assert {one.id for one in made} == {drawn.endpoint_id}
    assert len(await shop.audited()) == 1
    with pytest.raises(EndpointRequestDiffers):
        await shop.made(drawn=replace(drawn, request="another"))


async def test_there_are_only_so_many_however_many_ask_at_once(shop: Shop) -> None:
    made = await asyncio.gather(*(shop.made() for _ in range(10)), return_exceptions=True)
    refused = [one for one in made if isinstance(one, TooManyEndpoints)]
    assert len(refused) == 10 - MOST
    assert len(await endpoints.listed(shop.postgres, shop.whose, 100)) == MOST
    await shop.made("live")


async def test_a_change_writes_what_differs_and_nothing_else(shop: Shop) -> None:
    made = await shop.made()
    changed = await shop.changed(made, rate_per_s=9, description="new")
    assert changed.wanted == replace(WANTED, rate_per_s=9, description="new", waits_ms=[])
    await shop.changed(changed, rate_per_s=9)
    changed = await shop.changed(changed, rate_per_s=None)
    assert changed.rate_per_s is None
    said = [said for action, said in await shop.audited() if action.endswith(".change")]
    assert said == [{"description": "new", "rate_per_s": 9}, {"rate_per_s": None}]


async def test_another_merchant_or_mode_finds_nothing(shop: Shop) -> None:
    made = await shop.made()
    for whose in (("mer_other", "test"), (shop.merchant_id, "live")):
        assert await endpoints.find(shop.postgres, made.id, whose) is None
        with pytest.raises(EndpointUnknown):
            await endpoints.delete(shop.postgres, made.id, OPERATOR_ACTOR, whose)
        with pytest.raises(EndpointUnknown):
            await endpoint_states.enable(shop.postgres, made.id, OPERATOR_ACTOR, whose)


async def test_a_rotated_secret_signs_beside_the_new_one_until_its_overlap_ends_08_r33(
    shop: Shop,
) -> None:
    made = await shop.made()
    await shop.rotated(made.id, "1")
    rotated = await shop.rotated(made.id, "2", overlap_s=3600)
    assert (rotated.repeated, rotated.shown) == (False, True)
    known = (await shop.known()).endpoints[made.id]
    assert known.sealed_secret == "sealed-2"
    assert [one.sealed for one in known.older_secrets] == ["sealed-0", "sealed-1"]
    ends = [one.expires_at_ms or 0 for one in known.older_secrets]
    assert 3_500_000 < ends[1] - ends[0] < 3_600_000
    async with shop.postgres.connection() as connection:
        await connection.execute(
            "update webhook_rotations set expires_at = now() where replaced_secret = 'sealed-0'"
        )
        await connection.execute("update configuration set version = version + 1")
    known = (await shop.known()).endpoints[made.id]
    assert [one.sealed for one in known.older_secrets] == ["sealed-1"]


async def test_three_secrets_sign_at_most_and_no_overlap_ends_all_but_the_new(shop: Shop) -> None:
    made = await shop.made()
    await shop.rotated(made.id, "1")
    await shop.rotated(made.id, "2")
    with pytest.raises(TooManySecrets):
        await shop.rotated(made.id, "3")
    rotated = await shop.rotated(made.id, "4", overlap_s=0)
    assert (rotated.endpoint.sealed_secret, rotated.endpoint.older_secrets) == ("sealed-4", [])
    async with shop.postgres.connection() as connection:
        kept = await connection.fetchval("select count(replaced_secret) from webhook_rotations")
    assert kept == 0


async def test_a_repeated_rotation_rotates_once_and_is_shown_while_it_is_the_last(
    shop: Shop,
) -> None:
    made = await shop.made()
    many = await asyncio.gather(*(shop.rotated(made.id, "1") for _ in range(20)))
    assert [one.repeated for one in many].count(False) == 1
    assert all(one.shown for one in many)
    assert len(many[0].endpoint.older_secrets) == 1
    with pytest.raises(EndpointRequestDiffers):
        await shop.rotated(made.id, "1", request="another")
    await shop.rotated(made.id, "2")
    repeat = await shop.rotated(made.id, "1")
    assert (repeat.repeated, repeat.shown) == (True, False)
    assert repeat.endpoint.sealed_secret == "sealed-2"


async def test_notify_disables_once_with_a_reason_and_never_another_url(shop: Shop) -> None:
    made = await shop.made()

    async def gone(url: str | None = None) -> bool:
        return await endpoint_states.disable(shop.postgres, made.id, "gone", "notify", url=url)

    assert not await gone("https://old.example/")
    assert (await shop.known()).endpoints[made.id].enabled
    many = await asyncio.gather(*(gone() for _ in range(10)))
    assert many.count(True) == 1
    assert not (await shop.known()).endpoints[made.id].enabled
    found = await endpoints.find(shop.postgres, made.id)
    assert found is not None
    assert (found.status, found.disabled_reason) == ("disabled", "gone")
    assert not await endpoint_states.disable(shop.postgres, "whe_nobody", "gone", "notify")
    assert [action for action, _ in await shop.audited()][1:] == ["webhook_endpoint.disable"]


async def test_its_merchant_holds_and_enables_it(shop: Shop) -> None:
    made = await shop.made()
    asked = (shop.postgres, made.id, OPERATOR_ACTOR, shop.whose)
    held, was_enabled = await endpoint_states.hold(*asked)
    assert (held.disabled_reason, was_enabled) == ("merchant", True)
    again, was_enabled = await endpoint_states.hold(*asked)
    assert (again.disabled_at, was_enabled) == (held.disabled_at, False)
    enabled, since = await endpoint_states.enable(*asked)
    assert (enabled.status, enabled.disabled_at, since) == ("enabled", None, held.disabled_at)
    assert (await endpoint_states.enable(*asked))[1] is None


async def test_a_live_endpoint_waits_for_its_receivers_consent(shop: Shop) -> None:
    made = await shop.made("live")
    whose = (shop.merchant_id, "live")
    assert (made.status, made.disabled_reason) == ("disabled", "unverified")
    with pytest.raises(EndpointUnverified):
        await endpoint_states.enable(shop.postgres, made.id, OPERATOR_ACTOR, whose)
    no = Verdict("it said no")
    made = await endpoint_states.judge(shop.postgres, made, no, OPERATOR_ACTOR)
    assert (made.status, made.verification_error) == ("disabled", "it said no")
    yes = Verdict(allowed_per_min=30)
    made = await endpoint_states.judge(shop.postgres, made, yes, OPERATOR_ACTOR)
    assert (made.status, made.verification_error) == ("enabled", None)
    assert made.verified_at is not None
    known = (await shop.known()).endpoints[made.id]
    assert (known.enabled, known.attempts_per_s) == (True, 0.5)
    made = await endpoint_states.judge(shop.postgres, made, no, OPERATOR_ACTOR)
    assert made.status == "enabled", "what is a bad moment later takes nothing away"
    made = await shop.changed(made, url="https://new.example/")
    assert (made.status, made.verified_at, made.disabled_reason) == ("disabled", None, "unverified")
    made = await shop.changed(made, yes, url="https://newer.example/")
    assert made.status == "enabled"


async def test_a_held_live_endpoint_is_not_enabled_at_a_url_without_consent(shop: Shop) -> None:
    """Else one could verify one's own server, hold the endpoint, and point it at a stranger."""
    made = await shop.made("live", verdict=Verdict())
    asked = (shop.postgres, made.id, OPERATOR_ACTOR, (shop.merchant_id, "live"))
    await endpoint_states.hold(*asked)
    changed = await shop.changed(made, Verdict("no"), url="https://stranger.example/")
    assert (changed.status, changed.disabled_reason) == ("disabled", "merchant")
    with pytest.raises(EndpointUnverified):
        await endpoint_states.enable(*asked)
    judged = await endpoint_states.judge(shop.postgres, changed, Verdict(), OPERATOR_ACTOR)
    assert judged.status == "disabled", "its merchant holds it"
    assert (await endpoint_states.enable(*asked))[0].status == "enabled"


async def test_a_verdict_is_for_the_url_that_was_asked(shop: Shop) -> None:
    made = await shop.made("live")
    changed = await shop.changed(made, url="https://new.example/")
    judged = await endpoint_states.judge(shop.postgres, made, Verdict(), OPERATOR_ACTOR)
    assert (judged.status, judged.verified_at) == (changed.status, None)


async def test_a_deleted_endpoint_leaves_a_tombstone_08_r31(shop: Shop) -> None:
    made = await shop.made()
    await shop.rotated(made.id, "1")
    asked = (shop.postgres, made.id, OPERATOR_ACTOR, shop.whose)
    deleted = await endpoints.delete(*asked)
    assert (deleted.status, deleted.older_secrets) == ("deleted", [])
    assert (await endpoints.delete(*asked)).deleted_at == deleted.deleted_at
    assert await endpoints.listed(shop.postgres, shop.whose, 100) == []
    known = (await shop.known()).endpoints[made.id]
    assert (known.deleted, known.enabled) == (True, False)
    with pytest.raises(EndpointDeleted):
        await endpoint_states.enable(*asked)
    with pytest.raises(EndpointDeleted):
        await shop.changed(made, rate_per_s=1)
    with pytest.raises(EndpointDeleted):
        await shop.rotated(made.id, "2")
    assert not await endpoint_states.disable(shop.postgres, made.id, "gone", "notify")


async def test_pages_are_newest_first_and_go_on_behind_the_last(shop: Shop) -> None:
    made = [await shop.made() for _ in range(3)]
    first = await endpoints.listed(shop.postgres, shop.whose, 2)
    assert [one.id for one in first] == [made[2].id, made[1].id]
    rest = await endpoints.listed(shop.postgres, shop.whose, 2, first[-1].id)
    assert [one.id for one in rest] == [made[0].id]
