"""The life of API keys on a real edge and PostgreSQL: made, used, rotated, expired, revoked."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from headgate.embedded.stack import Stack
from headgate.streams.settings import Settings
from headgate.tables import api_keys, configuration, delivery_weeks, merchants, migrate
from headgate.tables.api_keys import Drawn, KeyWanted
from headgate.tables.merchants import DEMO_KEY, draw_pair
from headgate.tables.postgres import Postgres
from headgate.tables.scopes import DEFAULT_SCOPES, SCOPES, in_order
from tests.system.harness_edge import PAYMENTS, Edge, other_merchant, running_edge, with_demo
from tests.system.harness_place import Place, opened, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

KEYS = "/api/v1/api_keys"
GOOD = {"amount": 500, "order_id": "o", "method": "upi", "vpa": "a@b"}


@pytest.fixture
async def edge(stack: Stack, tmp_path: Path) -> AsyncIterator[Edge]:
    """An edge with the demo merchant."""
    async with opened(stack) as place, running_edge(await with_demo(place), tmp_path) as edge:
        yield edge


async def asked(
    edge: Edge, method: str, path: str, secret: str | None = None, **more: Any
) -> httpx.Response:
    """What a key (the demo merchant's unless it is said) is answered."""
    headers = dict(more.pop("headers", {}))
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    return await edge.client.request(method, path, headers=headers, **more)


async def made(edge: Edge, secret: str | None = None, **body: Any) -> dict[str, Any]:
    """A new key."""
    answer = await asked(edge, "POST", KEYS, secret, json=body)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def code(edge: Edge, method: str, path: str, secret: str, **more: Any) -> str:
    """The problem's code, or the status of an answer that is none."""
    answer = await asked(edge, method, path, secret, **more)
    return str(answer.json()["code"]) if answer.status_code >= 400 else str(answer.status_code)


@asynccontextmanager
async def database(place: Place) -> AsyncIterator[Postgres]:
    """PostgreSQL as the command line uses it."""
    postgres = Postgres(place.settings)
    try:
        yield postgres
    finally:
        await postgres.close()


async def test_a_key_is_made_shown_once_and_works(edge: Edge) -> None:
    key = await made(edge, name="shop", scopes=["payments:read", "payments:write"])
    assert key["id"].startswith("key_test_")
    assert key["secret"].startswith("secret_test_")
    assert (key["status"], key["livemode"], key["name"]) == ("active", False, "shop")
    answer = await asked(edge, "POST", PAYMENTS, key["secret"], json=GOOD)
    assert answer.status_code == 201
    pair = {"X-Api-Key": key["id"], "X-Api-Secret": key["secret"]}
    async with httpx.AsyncClient(base_url=edge.client.base_url) as plain:
        assert (await plain.get(PAYMENTS, headers=pair)).status_code == 200
    shown = (await edge.get(f"{KEYS}/{key['id']}")).json()
    assert shown == {name: value for name, value in key.items() if name != "secret"}
    listed = (await edge.get(KEYS)).json()
    assert [one["id"] for one in listed["data"]] == [key["id"], DEMO_KEY]
    assert "secret" not in str(listed)
    first = (await edge.get(KEYS, limit="1")).json()
    assert (first["has_more"], first["next_cursor"]) == (True, key["id"])
    second = (await edge.get(KEYS, limit="1", starting_after=key["id"])).json()
    assert [one["id"] for one in second["data"]] == [DEMO_KEY]
    assert (second["has_more"], second["next_cursor"]) == (False, None)
    assert (await edge.get(KEYS, starting_after="nobody")).json()["code"] == "parameter_invalid"


async def test_repeats_make_no_second_key_and_show_the_secret_again_for_a_while(
    edge: Edge,
) -> None:
    """One Idempotency-Key, one API key: also for twenty at once, and after its secret is gone."""
    repeat: dict[str, Any] = {"json": {"name": "one"}, "headers": {"Idempotency-Key": "make-1"}}
    answers = await asyncio.gather(*(asked(edge, "POST", KEYS, **repeat) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert replayed.count("true") == 19
    assert {answer.headers["Idempotency-Key"] for answer in answers} == {"make-1"}
    secret = answers[0].json()["secret"]
    assert await code(edge, "GET", PAYMENTS, secret) == "200"
    other = await asked(
        edge, "POST", KEYS, json={"name": "two"}, headers={"Idempotency-Key": "make-1"}
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await edge.place.number("select count(*) from api_keys") == 2
    drawn = await asked(edge, "POST", KEYS, json={})
    echoed = {"Idempotency-Key": drawn.headers["Idempotency-Key"]}
    assert (await asked(edge, "POST", KEYS, json={}, headers=echoed)).content == drawn.content
    await edge.place.rows("update api_keys set created_at = created_at - interval '6 minutes'")
    late = await asked(edge, "POST", KEYS, **repeat)
    assert (late.status_code, late.json()["secret"]) == (201, None)
    assert late.json()["id"] == answers[0].json()["id"]


async def test_secrets_are_nowhere_but_in_the_answer(edge: Edge) -> None:
    """I16: not in PostgreSQL, not in the remembered configuration, not in the log."""
    key = await made(edge, name="shop")
    rows = await edge.place.rows("select row_to_json(k)::text from api_keys k")
    rows = [*rows, *await edge.place.rows("select row_to_json(a)::text from audit a")]
    assert key["id"] in str(rows)
    assert key["secret"] not in str(rows)
    await asked(edge, "GET", PAYMENTS, key["secret"])
    remembered = [
        file.read_text() for file in edge.place.settings.state_dir.glob("configuration-*.json")
    ]
    assert any(key["id"] in text for text in remembered)
    assert not any(key["secret"] in text for text in [*remembered, edge.log.read_text()])


async def test_scopes_are_kept_and_nobody_hands_out_more_than_they_have(edge: Edge) -> None:
    maker = await made(edge, scopes=["keys:write", "keys:read", "payments:read"])
    reader = await made(edge, maker["secret"], scopes=["payments:read"])
    assert await code(edge, "GET", PAYMENTS, reader["secret"]) == "200"
    assert await code(edge, "POST", PAYMENTS, reader["secret"], json=GOOD) == "permission_denied"
    assert await code(edge, "POST", KEYS, reader["secret"], json={}) == "permission_denied"
    assert await code(edge, "GET", KEYS, reader["secret"]) == "permission_denied"
    refused = await asked(edge, "POST", KEYS, maker["secret"], json={"scopes": ["refunds:write"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert "refunds:write" in refused.json()["detail"]
    same = await made(edge, maker["secret"])
    assert same["scopes"] == maker["scopes"]
    assert (await made(edge))["scopes"] == in_order(DEFAULT_SCOPES)
    operator = await asked(edge, "POST", KEYS, json={"scopes": ["operator"]})
    assert (operator.status_code, operator.json()["code"]) == (403, "permission_denied")
    unknown = await asked(edge, "POST", KEYS, json={"scopes": ["all"]})
    assert (unknown.status_code, unknown.json()["param"]) == (400, "scopes.0")
    # Rotating a stronger key would hand out its secret; so would repeating the request for one.
    path = f"{KEYS}/{DEMO_KEY}/rotate"
    assert await code(edge, "POST", path, maker["secret"]) == "permission_denied"
    header = {"Idempotency-Key": "strong"}
    strong = await asked(edge, "POST", KEYS, json={}, headers=header)
    assert strong.json()["secret"]
    weak = await asked(edge, "POST", KEYS, maker["secret"], json={}, headers=header)
    assert (weak.json()["id"], weak.json()["secret"]) == (strong.json()["id"], None)


async def test_a_rotated_key_works_beside_its_successor_until_the_overlap_ends(edge: Edge) -> None:
    old = await made(edge, name="shop", scopes=["payments:read"], rate_per_s=70)
    path = f"{KEYS}/{old['id']}/rotate"
    header = {"Idempotency-Key": "rotate-1"}
    answer = await asked(edge, "POST", path, json={"overlap_s": 2}, headers=header)
    new = answer.json()
    kept = ("name", "scopes", "rate_per_s", "strict_parameters", "livemode", "merchant_id")
    assert [new[name] for name in kept] == [old[name] for name in kept]
    assert await code(edge, "GET", PAYMENTS, new["secret"]) == "200"
    assert await code(edge, "GET", PAYMENTS, old["secret"]) == "200"
    told = (await edge.get(f"{KEYS}/{old['id']}")).json()
    assert (told["status"], told["replaced_by"]) == ("expiring", new["id"])
    again = await asked(edge, "POST", path, json={"overlap_s": 2}, headers=header)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (answer.content, "true")
    twice = await asked(edge, "POST", path)
    assert (twice.status_code, twice.json()["code"]) == (400, "api_key_not_active")

    async def expired() -> bool:
        return await code(edge, "GET", PAYMENTS, old["secret"]) == "api_key_revoked"

    await until(expired, 10, "the overlap ends")
    over = await asked(edge, "GET", PAYMENTS, old["secret"])
    assert over.status_code == 401
    assert f"replaced by {new['id']} and expired at" in over.json()["detail"]
    assert (await edge.get(f"{KEYS}/{old['id']}")).json()["status"] == "expired"
    assert await code(edge, "GET", PAYMENTS, new["secret"]) == "200"


async def test_a_rotation_under_load_fails_no_request(edge: Edge) -> None:
    """07 §6, row 43: whoever still has the old key, and whoever has the new one already."""
    old = await made(edge)
    held = {"secret": old["secret"]}
    answers: list[int] = []
    done = asyncio.Event()

    async def shop() -> None:
        while not done.is_set():
            answer = await asked(edge, "POST", PAYMENTS, held["secret"], json=GOOD)
            answers.append(answer.status_code)

    async def answered(count: int) -> None:
        wanted = len(answers) + count

        async def reached() -> bool:
            return len(answers) >= wanted

        await until(reached, 30, "requests during the rotation")

    shops = [asyncio.create_task(shop()) for _ in range(4)]
    await answered(20)
    new = (await asked(edge, "POST", f"{KEYS}/{old['id']}/rotate")).json()
    await answered(20)
    held["secret"] = new["secret"]
    await answered(20)
    done.set()
    await asyncio.gather(*shops)
    assert set(answers) == {201}


async def test_a_key_may_rotate_itself_but_not_so_that_a_lost_answer_locks_out(edge: Edge) -> None:
    own = await made(edge)
    path = f"{KEYS}/{own['id']}/rotate"
    hasty = await asked(edge, "POST", path, own["secret"], json={"overlap_s": 0})
    assert (hasty.status_code, hasty.json()["param"]) == (400, "overlap_s")
    answer = await asked(edge, "POST", path, own["secret"])
    assert answer.status_code == 201
    told = (await edge.get(f"{KEYS}/{own['id']}")).json()
    assert told["expires_at"] > told["created_at"]
    day = await edge.place.number(
        "select extract(epoch from expires_at - now())::int from api_keys where id = $1", own["id"]
    )
    assert 86_000 < day <= 86_400
    assert await code(edge, "GET", PAYMENTS, own["secret"]) == "200"


async def test_a_revoked_key_is_refused_at_once_here_and_soon_at_every_edge(
    edge: Edge, tmp_path: Path
) -> None:
    key = await made(edge)
    async with running_edge(edge.place, tmp_path) as second:
        assert await code(second, "GET", PAYMENTS, key["secret"]) == "200"
        answer = await asked(edge, "DELETE", f"{KEYS}/{key['id']}")
        assert (answer.status_code, answer.json()["status"]) == (200, "revoked")
        assert await code(edge, "GET", PAYMENTS, key["secret"]) == "api_key_revoked"

        async def refused() -> bool:
            return await code(second, "GET", PAYMENTS, key["secret"]) == "api_key_revoked"

        await until(refused, 10, "the other edge knows")
    again = await asked(edge, "DELETE", f"{KEYS}/{key['id']}")
    assert (again.status_code, again.content) == (200, answer.content)
    assert await code(edge, "POST", f"{KEYS}/{key['id']}/rotate", DEMO) == "api_key_not_active"
    rows = await edge.place.rows("select actor, action from audit where subject = $1", key["id"])
    assert [tuple(row) for row in rows] == [
        (DEMO_KEY, "api_key.create"),
        (DEMO_KEY, "api_key.revoke"),
    ]


async def test_a_stolen_key_makes_no_successor_where_its_end_is_not_known_yet(
    edge: Edge, tmp_path: Path
) -> None:
    """An edge that knows of nothing for an hour: what is asked of PostgreSQL is decided there."""
    late = {"HEADGATE_CONFIGURATION_REFRESH_MS": "3600000"}
    stolen, victim = await made(edge), await made(edge)
    async with running_edge(edge.place, tmp_path, **late) as unaware:
        assert await code(unaware, "GET", PAYMENTS, stolen["secret"]) == "200"
        await asked(edge, "DELETE", f"{KEYS}/{stolen['id']}")
        assert await code(unaware, "GET", PAYMENTS, stolen["secret"]) == "200"
        for method, path in (
            ("POST", KEYS),
            ("POST", f"{KEYS}/{victim['id']}/rotate"),
            ("DELETE", f"{KEYS}/{victim['id']}"),
        ):
            answer = await code(unaware, method, path, stolen["secret"], json={})
            assert answer == "api_key_revoked", path
    assert await edge.place.number("select count(*) from api_keys") == 3


async def test_a_key_does_not_end_itself_by_mistake(edge: Edge) -> None:
    key = await made(edge)
    path = f"{KEYS}/{key['id']}"
    refused = await asked(edge, "DELETE", path, key["secret"])
    assert (refused.status_code, refused.json()["param"]) == (400, "confirm")
    sure = await asked(edge, "DELETE", path, key["secret"], params={"confirm": key["id"]})
    assert sure.status_code == 200
    assert await code(edge, "GET", PAYMENTS, key["secret"]) == "api_key_revoked"


async def test_test_and_live_are_two_worlds(edge: Edge) -> None:
    [row] = await edge.place.rows("select id from merchants")
    key_id, secret = draw_pair("live")
    async with database(edge.place) as postgres:
        await api_keys.create(postgres, KeyWanted(row["id"], "live"), Drawn(key_id, secret))
    mine = (await edge.create()).json()
    assert mine["livemode"] is False
    listed = (await asked(edge, "GET", KEYS, secret)).json()
    assert [one["id"] for one in listed["data"]] == [key_id]
    assert (await made(edge, secret))["livemode"] is True
    assert await code(edge, "GET", f"{KEYS}/{DEMO_KEY}", secret) == "resource_missing"
    assert await code(edge, "DELETE", f"{KEYS}/{DEMO_KEY}", secret) == "resource_missing"
    assert await code(edge, "GET", f"{KEYS}/{key_id}", DEMO) == "resource_missing"
    assert (await asked(edge, "GET", PAYMENTS, secret)).json()["data"] == []
    async with httpx.AsyncClient(base_url=edge.client.base_url) as plain:
        for pair in ((DEMO_KEY, secret), (key_id, DEMO)):
            headers = dict(zip(("X-Api-Key", "X-Api-Secret"), pair, strict=True))
            mixed = await plain.get(PAYMENTS, headers=headers)
            assert (mixed.status_code, mixed.json()["code"]) == (403, "livemode_mismatch")


async def test_another_merchant_finds_nothing(edge: Edge) -> None:
    """I17."""
    theirs = (await other_merchant(edge.place))["Authorization"].removeprefix("Bearer ")
    key = await made(edge)
    for method, path in (
        ("GET", f"{KEYS}/{key['id']}"),
        ("DELETE", f"{KEYS}/{key['id']}"),
        ("POST", f"{KEYS}/{key['id']}/rotate"),
    ):
        assert await code(edge, method, path, theirs) == "resource_missing"
        unknown = path.replace(key["id"], "key_test_nobody")
        assert await code(edge, method, unknown, theirs) == "resource_missing"
    assert len((await asked(edge, "GET", KEYS, theirs)).json()["data"]) == 1
    cursor = await asked(edge, "GET", KEYS, theirs, params={"starting_after": key["id"]})
    assert cursor.json()["code"] == "parameter_invalid"
    same: dict[str, Any] = {"headers": {"Idempotency-Key": "k"}, "json": {}}
    first, second = [await asked(edge, "POST", KEYS, who, **same) for who in (DEMO, theirs)]
    assert first.json()["id"] != second.json()["id"]
    assert await code(edge, "GET", PAYMENTS, key["secret"]) == "200"


async def test_a_merchant_reads_and_changes_itself_and_its_operator_may_stop_it(edge: Edge) -> None:
    told = (await edge.get("/api/v1/merchant")).json()
    assert (told["name"], told["active"], told["livemode"]) == ("Test Merchant", True, False)
    changed = await asked(
        edge, "PATCH", "/api/v1/merchant", json={"name": "Corner Shop", "require_keys": True}
    )
    assert (changed.json()["name"], changed.json()["require_keys"]) == ("Corner Shop", True)
    assert (await edge.create()).json()["code"] == "idempotency_key_missing"
    assert (await edge.create("k1")).status_code == 201
    assert (await asked(edge, "PATCH", "/api/v1/merchant", json={})).status_code == 400
    demo = (await asked(edge, "GET", "/api/v1/test/merchant")).json()
    assert demo == {
        "id": told["id"],
        "email": "test@example.com",
        "api_key": DEMO_KEY,
        "seeded": True,
    }
    async with database(edge.place) as postgres:
        await merchants.change(postgres, told["id"], "operator", active=False)

        async def stopped() -> bool:
            return await code(edge, "POST", PAYMENTS, DEMO, json=GOOD) == "merchant_inactive"

        await until(stopped, 10, "the edge knows")
        assert (await edge.get(PAYMENTS)).status_code == 200
        assert (await edge.get("/api/v1/merchant")).json()["active"] is False
        assert await code(edge, "POST", KEYS, DEMO, json={}) == "merchant_inactive"
        await merchants.change(postgres, told["id"], "operator", active=True)

    async def going() -> bool:
        return (await edge.create("k2")).status_code == 201

    await until(going, 10, "it may go on")


async def test_a_strict_key_is_told_of_what_the_others_have_ignored(edge: Edge) -> None:
    """07 §8."""
    strict = await made(edge, strict_parameters=True)
    body = {**GOOD, "status": "success"}
    assert await code(edge, "POST", PAYMENTS, strict["secret"], json=body) == "parameter_unknown"
    assert await code(edge, "POST", PAYMENTS, strict["secret"], json=GOOD) == "201"
    assert await code(edge, "POST", PAYMENTS, DEMO, json=body) == "201"
    assert await code(edge, "POST", KEYS, strict["secret"], json={"nmae": 1}) == "parameter_unknown"


async def test_keys_from_before_there_were_scopes_may_do_what_they_did(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, live_settings: Settings
) -> None:
    """The migration of a database that has keys."""
    del stack
    place = Place(live_settings, {})
    monkeypatch.setattr(migrate, "available", lambda: every[:1])
    with pytest.MonkeyPatch.context() as before_weeks:
        before_weeks.setattr(delivery_weeks, "tend", nothing)
        await migrate.migrate(live_settings)
    await place.rows("insert into merchants(id, name, email) values('mer_1', 'Old', 'o@e.c')")
    await place.rows(
        "insert into api_keys(id, merchant_id, mode, secret_hash) values($1, 'mer_1', 'test', $2)",
        "key_test_old",
        b"hash",
    )
    monkeypatch.setattr(migrate, "available", lambda: every)
    assert "0003_keys.sql" in await migrate.migrate(live_settings)
    async with database(place) as postgres:
        now = await configuration.read(postgres)
    key = now.keys["key_test_old"]
    assert (key.scopes, key.rate_per_s, key.strict_parameters) == (DEFAULT_SCOPES, None, False)
    assert now.merchants["mer_1"].active


every = migrate.available()


async def nothing(*_: object) -> None:
    """What weeks need before there were any."""


BAD: list[tuple[str, str, bytes, int, str]] = [
    ("POST", KEYS, b"", 415, "unsupported_media_type"),
    ("POST", KEYS, b"[]", 400, "parameter_invalid"),
    ("POST", KEYS, b'{"name": ""}', 400, "parameter_invalid"),
    ("POST", KEYS, b'{"name": "a\\u0000b"}', 400, "parameter_invalid"),
    ("POST", KEYS, b'{"name": "4111 1111 1111 1111"}', 400, "parameter_invalid"),
    ("POST", KEYS, b'{"name": "%s"}' % (b"x" * 101), 400, "parameter_invalid"),
    ("POST", KEYS, b'{"scopes": []}', 400, "parameter_invalid"),
    ("POST", KEYS, b'{"scopes": "payments:read"}', 400, "parameter_invalid"),
    ("POST", KEYS, b'{"rate_per_s": 0}', 400, "parameter_invalid"),
    ("POST", KEYS, b'{"rate_per_s": true}', 400, "parameter_invalid"),
    ("POST", KEYS, b'{"rate_per_s": 1%s}' % (b"0" * 400), 400, "parameter_invalid"),
    ("POST", KEYS, b'{"strict_parameters": "yes"}', 400, "parameter_invalid"),
    ("PATCH", KEYS, b"{}", 405, "method_not_allowed"),
    ("GET", f"{KEYS}?limit=0", b"", 400, "parameter_invalid"),
    ("GET", f"{KEYS}/..%2f..%2fetc", b"", 404, "resource_missing"),
    ("GET", f"{KEYS}/%00", b"", 404, "resource_missing"),
    ("DELETE", f"{KEYS}/%00", b"", 404, "resource_missing"),
    ("DELETE", f"{KEYS}/{'x' * 5000}", b"", 404, "resource_missing"),
    ("POST", f"{KEYS}/%ED%A0%80/rotate", b"", 404, "resource_missing"),
    ("POST", f"{KEYS}/{DEMO_KEY}/rotate", b'{"overlap_s": -1}', 400, "parameter_invalid"),
    ("POST", f"{KEYS}/{DEMO_KEY}/rotate", b'{"overlap_s": 2592001}', 400, "parameter_invalid"),
    ("POST", f"{KEYS}/{DEMO_KEY}/rotate", b'{"overlap_s": "1h"}', 400, "parameter_invalid"),
    ("PATCH", "/api/v1/merchant", b'{"name": 7}', 400, "parameter_invalid"),
    ("PATCH", "/api/v1/merchant", b'{"active": false}', 400, "parameter_missing"),
    ("DELETE", "/api/v1/merchant", b"", 405, "method_not_allowed"),
]


async def test_what_makes_no_sense_is_a_problem_and_changes_nothing(edge: Edge) -> None:
    """07 §8 for these routes: no 500, nothing in the raw."""
    for method, path, body, status, wanted in BAD:
        headers = {"Content-Type": "application/json"} if body else {}
        answer = await asked(edge, method, path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, wanted), (path, body)
        assert "4111" not in answer.text
    assert await edge.place.number("select count(*) from api_keys") == 1
    assert "Traceback" not in edge.log.read_text()


async def test_limits_hold_and_a_key_hands_out_no_more_than_its_own(
    stack: Stack, tmp_path: Path
) -> None:
    """07 §8: beyond the limit 429 with Retry-After, until there are tokens again."""
    limits = {"HEADGATE_WRITES_PER_S_TEST": "1000", "HEADGATE_WRONG_KEYS_PER_MIN": "10"}
    async with (
        opened(stack) as place,
        running_edge(await with_demo(place), tmp_path, **limits) as edge,
    ):
        assert (await edge.create()).headers["RateLimit"].startswith('"default";r=9')
        greedy = await asked(edge, "POST", KEYS, json={"rate_per_s": 1001})
        assert (greedy.status_code, greedy.json()["param"]) == (400, "rate_per_s")
        slow = await made(edge, rate_per_s=1)

        async def create() -> httpx.Response:
            return await asked(edge, "POST", PAYMENTS, slow["secret"], json=GOOD)

        answers = await asyncio.gather(*(create() for _ in range(40)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {201, 429}
        refused = answers[statuses.index(429)]
        assert (refused.json()["code"], refused.json()["reason"]) == ("rate_limited", "key")
        assert refused.headers["RateLimit-Policy"] == '"default";q=1;w=1'
        assert refused.headers["Should-Retry"] == "true"
        assert refused.headers["Retry-After"] == "1"

        async def allowed() -> bool:
            return (await create()).status_code == 201

        await until(allowed, 10, "there are tokens again")
        assert (await edge.create()).status_code == 201, "another key is not concerned"
        guesses = [await code(edge, "GET", PAYMENTS, f"guess{n}") for n in range(11)]
        assert guesses[:10] == ["api_key_invalid"] * 10
        assert guesses[10] == "rate_limited"
        assert (await edge.get(PAYMENTS)).status_code == 200, "right keys are always taken"


async def test_operators_grant_what_keys_cannot(edge: Edge) -> None:
    [row] = await edge.place.rows("select id from merchants")
    key_id, secret = draw_pair("test")
    wanted = KeyWanted(row["id"], "test", scopes=frozenset(SCOPES), rate_per_s=7)
    async with database(edge.place) as postgres:
        await api_keys.create(postgres, wanted, Drawn(key_id, secret))
        child = await made(edge, secret)
        assert (child["scopes"], child["rate_per_s"]) == (in_order(DEFAULT_SCOPES), 7)
        path = f"{KEYS}/{key_id}/rotate"
        assert await code(edge, "POST", path, secret) == "permission_denied"
        new_id, new_secret = draw_pair("test")
        rotated = await api_keys.rotate(postgres, key_id, Drawn(new_id, new_secret), 60)
        assert set(rotated.key.scopes) == set(SCOPES)
        assert await code(edge, "GET", KEYS, new_secret) == "200"


async def command(place: Place, *words: str) -> tuple[int, str]:
    """What `headgate merchant …` ends with, and what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "headgate", "merchant", *words,
        env=place.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, output.decode()


def printed(output: str, what: str) -> str:
    """The word behind a label, such as `api key`."""
    found = re.search(rf"^{what} +(\S+)", output, re.MULTILINE)
    assert found, output
    return found[1]


async def test_the_command_line_does_what_an_operator_orders(edge: Edge) -> None:
    place, who = edge.place, "shop@example.com"
    ended, output = await command(place, "create", "--name", "Shop", "--email", who)
    assert ended == 0
    assert await code(edge, "GET", PAYMENTS, printed(output, "api secret")) == "200"
    assert (await command(place, "create", "--name", "Shop", "--email", who))[0] == 1
    words = ("key", "create", who, "--live", "--scope", "payments:read,operator", "--name", "ops")
    ended, output = await command(place, *words, "--rate", "9", "--strict")
    assert (ended, printed(output, "scopes")) == (0, "payments:read,operator")
    key, secret = printed(output, "api key"), printed(output, "api secret")
    assert key.startswith("key_live_")
    assert await code(edge, "GET", PAYMENTS, secret) == "200"
    _, output = await command(place, "key", "list", who)
    assert re.search(rf"^{key} +active +payments:read,operator +9 +ops$", output, re.MULTILINE)
    assert secret not in output
    ended, output = await command(place, "key", "rotate", key, "--overlap", "0")
    assert (ended, printed(output, "scopes")) == (0, "payments:read,operator")
    successor = printed(output, "api secret")

    async def replaced() -> bool:
        return await code(edge, "GET", PAYMENTS, secret) == "api_key_revoked"

    await until(replaced, 10, "the edge knows")
    assert await code(edge, "GET", PAYMENTS, successor) == "200"
    ended, again = await command(place, "key", "rotate", key)
    assert ended == 1
    assert f"The key {key} is expired; {printed(output, 'api key')} replaced it." in again
    assert (await command(place, "key", "revoke", printed(output, "api key")))[0] == 0
    assert (await command(place, "deactivate", who))[0] == 0
    _, output = await command(place, "list")
    assert re.search(rf"^mer_\w+ +inactive +{who} +Shop$", output, re.MULTILINE)
    assert (await command(place, "activate", who))[0] == 0
    for lost in (("key", "list", "nobody"), ("key", "revoke", "nobody"), ("activate", "nobody")):
        ended, output = await command(place, *lost)
        assert (ended, "Traceback" in output) == (1, False)
        assert "nobody" in output
    assert (await command(place, "key", "rotate", key, "--overlap", "31d"))[0] == 1


DEMO = merchants.DEMO_SECRET
