"""What leaves this house is judged by libraries that others wrote: Python, JavaScript and Go."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypedDict

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from headgate.streams.secrets import draw_webhook_secret
from headgate.streams.signatures import standard_form
from tests.unit.real_attempts import Received, attempt

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "tests/referees"
CACHE = ROOT / ".headgate/referees"

FETCH_WITHIN_S = 200
pytestmark = pytest.mark.timeout(300)  # The first run fetches and builds the referees.


class Case(TypedDict):
    """One question to a referee."""

    secret: str
    headers: dict[str, str]
    body: str


Referee = Callable[[list[Case]], Awaitable[list[bool]]]
"""Says of each case whether it is accepted."""


async def python() -> Referee:
    async def judge(cases: list[Case]) -> list[bool]:
        return [_accepts(case) for case in cases]

    return judge


def _accepts(case: Case) -> bool:
    try:
        Webhook(case["secret"]).verify(case["body"], case["headers"])
    except WebhookVerificationError:
        return False
    return True


async def javascript() -> Referee:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    CACHE.mkdir(parents=True, exist_ok=True)
    shutil.copy(SOURCES / "verify.mjs", CACHE)
    lock, installed = (SOURCES / "package-lock.json").read_bytes(), CACHE / "installed.json"
    if not (installed.exists() and installed.read_bytes() == lock):
        shutil.copy(SOURCES / "package.json", CACHE)
        (CACHE / "package-lock.json").write_bytes(lock)
        await fetch(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], CACHE)
        installed.write_bytes(lock)
    return _asking(["node", "verify.mjs"])


async def go() -> Referee:
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    CACHE.mkdir(parents=True, exist_ok=True)
    await fetch(["go", "build", "-buildvcs=false", "-o", str(CACHE / "referee"), "."], SOURCES)
    return _asking([str(CACHE / "referee")])


def _asking(command: list[str]) -> Referee:
    async def judge(cases: list[Case]) -> list[bool]:
        verdicts: list[bool] = json.loads(await run(command, CACHE, json.dumps(cases)))
        return verdicts

    return judge


async def fetch(command: list[str], folder: Path) -> None:
    """Run what may fetch something. A machine without a way to it has no such referee."""
    try:
        async with asyncio.timeout(FETCH_WITHIN_S):
            await run(command, folder)
    except (AssertionError, TimeoutError) as error:
        pytest.skip(f"{command[0]} could not prepare its referee: {str(error)[-300:] or error!r}")


async def run(command: list[str], folder: Path, said: str = "") -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate(said.encode())
    assert process.returncode == 0, f"{command}: {err.decode()}"
    return out.decode()


def case(secret: str, received: Received) -> Case:
    return {"secret": secret, "headers": received.headers, "body": received.body}


@pytest.mark.parametrize("prepared", [python, javascript, go])
async def test_every_attempt_is_accepted_with_every_live_secret_and_no_other(
    prepared: Callable[[], Awaitable[Referee]],
) -> None:
    """04 §11: conformance in three languages, also during a rotation (08 R33)."""
    referee = await prepared()  # Before the attempts, whose timestamps hold for five minutes.
    oldest, old, new = (draw_webhook_secret() for _ in range(3))
    raw = "my own secret ☂"
    plain, rotated = await attempt(new), await attempt(new, oldest, old)
    from_raw = await attempt(new, raw)
    holds = [
        case(new, plain),
        *[case(secret, rotated) for secret in (oldest, old, new)],
        case(standard_form(raw), from_raw),
        case(new, from_raw),
    ]
    fails = [
        case(old, plain),
        case(draw_webhook_secret(), rotated),
        case(new, plain._replace(body=plain.body + " ")),
        case(new, plain._replace(headers=plain.headers | {"webhook-id": "evt_2"})),
        case(new, plain._replace(headers=plain.headers | {"webhook-timestamp": "1614265330"})),
    ]
    verdicts = await referee(holds + fails)
    assert verdicts == [True] * len(holds) + [False] * len(fails)


async def test_an_attempt_carries_all_three_kinds_of_signature_and_the_merchants_headers() -> None:
    received = await attempt(draw_webhook_secret(), draw_webhook_secret())
    versions = [word.partition(",")[0] for word in received.headers["webhook-signature"].split(" ")]
    assert versions == ["v1", "v1", "v1a"]
    assert len(received.headers["x-webhook-signature"]) == 64
    assert received.headers["x-tenant"] == "7"
    assert received.headers["authorization"] == "Bearer a b"
