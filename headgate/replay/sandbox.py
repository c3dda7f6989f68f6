"""Whom a run plays for: a fresh test merchant of its own, whose webhooks come to the run itself."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from headgate.replay.receiver import Arrivals, Receiver
from headgate.streams import ids
from headgate.streams.errors import HeadgateError, WebhookUrlForbidden
from headgate.streams.event_filters import EVERYTHING
from headgate.streams.secrets import SecretBox, draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.streams.sinks import Sinks
from headgate.tables import endpoints, merchants
from headgate.tables.endpoint import Drawn, EndpointWanted
from headgate.tables.postgres import Postgres

KNOWN_WITHIN_S = 15.0
"""How long an edge may take to know a new merchant; it reads the configuration every second."""
ASK_EVERY_S = 0.2
ASK_WAIT_S = 10.0
"""How long an edge may take over one answer."""
WAITS_S = (1, 2, 5, 10, 20, 30, 60, 60, 120, 300, 600, 1800, 3600)
"""The waits between tries to reach the receiver: short ones, since it is away only while its run is
being resumed, and enough of them for the run to be resumed within two hours."""
_ENDPOINTS = "/api/v1/webhook_endpoints"


class SandboxRefused(HeadgateError):
    """The target does not let a run make what it needs; the message says what to do."""


class ReceiverForbidden(SandboxRefused):
    """The target sends no webhooks to the run's receiver."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A merchant that a run may write for. It goes into the run's journal, so that the run can be
    resumed; that file is for its owner's eyes only."""

    merchant_id: str
    key: str
    secret: str = field(repr=False)
    endpoint_id: str | None = None
    """The endpoint that is the run's own receiver; None where there is none, and so nothing can be
    said about what was delivered."""
    receiver_url: str | None = None
    webhook_secret: str = field(default="", repr=False)
    own: bool = False
    """Whether the run made the merchant, so that all its rows are the run's."""
    why_untold: str = ""
    """Why there is no endpoint."""

    @property
    def headers(self) -> dict[str, str]:
        """What its requests to the edge carry."""
        return {"X-Api-Key": self.key, "X-Api-Secret": self.secret}

    @property
    def record(self) -> dict[str, Any]:
        """All of it, for the journal."""
        return asdict(self)

    @classmethod
    def remembered(cls, record: Mapping[str, Any]) -> Sandbox:
        """From the journal."""
        return cls(**record)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom a run shall play for. With nothing said it makes a merchant and listens itself."""

    run_id: str
    edge: str | None = None
    """Base URL of the edge that the run's requests go to; None when they go around it."""
    known: Sandbox | None = None
    """Of an earlier sitting, that goes on."""
    pair: tuple[str, str] | None = None
    """Key and secret of a merchant that there is (`--key`, `--secret`)."""
    receiver: str | None = None
    """URL of somebody else's receiver (`--receiver`)."""
    arrivals: Path | None = None
    """Where the own receiver remembers what has arrived."""


@dataclass(slots=True)
class Played:
    """A sandbox that is open, and the receiver that listens for it; None when others do, or when
    nobody is sent anything."""

    sandbox: Sandbox
    receiver: Receiver | None = None

    @property
    def arrivals(self) -> Arrivals | None:
        """What the own receiver has seen."""
        return self.receiver.arrivals if self.receiver else None


@asynccontextmanager
async def playing(postgres: Postgres, settings: Settings, wanted: Wanted) -> AsyncIterator[Played]:
    """A sandbox for as long as the block runs: made, or opened again, with its webhooks coming to
    this process. Where the target forbids that, it has no endpoint, and `why_untold` says why.

    Raises SandboxRefused, StoreUnavailable and ArrivalsUnreadable.
    """
    played = Played(wanted.known or await _whom(postgres, wanted))
    if wanted.pair is None or wanted.receiver is not None:
        await _listen(played, postgres, settings, wanted)
    try:
        yield played
    finally:
        if played.receiver is not None:
            await played.receiver.stop()


async def _whom(postgres: Postgres, wanted: Wanted) -> Sandbox:
    if wanted.pair is None:
        return await made(postgres, wanted.run_id)
    return await given(postgres, *wanted.pair)


async def _listen(played: Played, postgres: Postgres, settings: Settings, wanted: Wanted) -> None:
    url = wanted.receiver
    if url is None:
        arrivals = Arrivals(played.sandbox.webhook_secret, wanted.arrivals)
        played.receiver = Receiver(arrivals)
        await played.receiver.start()
        url = played.receiver.url
    try:
        played.sandbox = await subscribed(
            played.sandbox,
            url,
            settings,
            postgres=postgres,
            edge=wanted.edge,
            run_id=wanted.run_id,
        )
    except ReceiverForbidden as forbidden:
        if wanted.receiver is not None:
            raise
        why = f"{forbidden} Or name a receiver that it may reach: --receiver URL."
        played.sandbox = replace(played.sandbox, why_untold=why)
    finally:
        if played.receiver is not None and played.sandbox.endpoint_id is None:
            await played.receiver.stop()
            played.receiver = None


async def retire(postgres: Postgres, sandbox: Sandbox) -> None:
    """Delete the endpoint of a run that is over: nobody listens there any more. The merchant and
    all rows stay, to be looked at. Raises StoreUnavailable, ActorNotActive."""
    if sandbox.endpoint_id is None:
        return
    made = await endpoints.find(postgres, sandbox.endpoint_id)
    if made is not None:
        await endpoints.delete(postgres, made.id, sandbox.key, (made.merchant_id, made.mode))


async def made(postgres: Postgres, run_id: str) -> Sandbox:
    """A new test merchant without an endpoint. Raises StoreUnavailable."""
    drawn = secrets.token_hex(4)
    email = f"replay-{run_id}-{drawn}@headgate.invalid"
    pair = await merchants.create(postgres, f"Replay {run_id}", email, "test")
    secret = draw_webhook_secret()
    return Sandbox(pair.merchant_id, pair.key, pair.secret, webhook_secret=secret, own=True)


async def given(postgres: Postgres, key: str, secret: str) -> Sandbox:
    """A merchant by its key pair. Raises StoreUnavailable; SandboxRefused for an unknown key."""
    row = await postgres.fetch_row("verdict_key_owner", key)
    if row is None:
        raise SandboxRefused(f"--key is {key}, which the target's PostgreSQL does not know.")
    why = "the merchant was given: its webhooks go where it wants them (--receiver URL adds one)"
    return Sandbox(
        row["merchant_id"], key, secret, webhook_secret=draw_webhook_secret(), why_untold=why
    )


async def subscribed(
    sandbox: Sandbox,
    url: str,
    settings: Settings,
    *,
    postgres: Postgres,
    edge: str | None,
    run_id: str,
) -> Sandbox:
    """The sandbox with its webhooks coming to this URL: its endpoint is made, or moved when it is
    there from an earlier sitting. Through the edge where there is one, which applies its own rules;
    else with the rules of our own settings. Each run makes one of its own, also where several play
    for the same merchant.

    Raises ReceiverForbidden when webhooks may not go there, SandboxRefused when the edge does not
    come to know the merchant, StoreUnavailable.
    """
    if edge is None:
        endpoint_id = await _by_tables(sandbox, url, settings, postgres, run_id)
    else:
        endpoint_id = await _by_edge(sandbox, url, edge, run_id)
    return replace(sandbox, endpoint_id=endpoint_id, receiver_url=url, why_untold="")


async def _by_tables(
    sandbox: Sandbox, url: str, settings: Settings, postgres: Postgres, run_id: str
) -> str:
    try:
        Sinks.of(settings).check_url(url)
    except WebhookUrlForbidden as error:
        raise ReceiverForbidden(str(error)) from error
    whose, actor = (sandbox.merchant_id, "test"), sandbox.key
    if sandbox.endpoint_id is not None:
        moved = await endpoints.change(
            postgres, sandbox.endpoint_id, actor, whose, lambda wanted: replace(wanted, url=url)
        )
        return moved.id
    drawn = Drawn(
        ids.endpoint_id(*whose, f"replay-{run_id}"),
        SecretBox(settings.secret_key).seal(sandbox.webhook_secret),
        actor,
        "replay",
    )
    wanted = EndpointWanted(
        url, [EVERYTHING], schedule="custom", waits_ms=[wait * 1000 for wait in WAITS_S]
    )
    endpoint, _ = await endpoints.create(
        postgres, whose, wanted, drawn, settings.webhook_endpoints_max
    )
    return endpoint.id


async def _by_edge(sandbox: Sandbox, url: str, edge: str, run_id: str) -> str:
    wanted: dict[str, Any] = {"url": url}
    method, path = "PATCH", f"{_ENDPOINTS}/{sandbox.endpoint_id}"
    if sandbox.endpoint_id is None:
        method, path = "POST", _ENDPOINTS
        wanted |= {
            "event_types": [EVERYTHING],
            "waits_s": WAITS_S,
            "secret": sandbox.webhook_secret,
            "description": "the receiver of a replay",
        }
    headers = {**sandbox.headers, "Idempotency-Key": f"replay-{run_id}"}
    async with httpx.AsyncClient(base_url=edge, timeout=ASK_WAIT_S, trust_env=False) as client:
        answer = await _until_known(
            client, client.build_request(method, path, json=wanted, headers=headers)
        )
    if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        raise ReceiverForbidden(_words(answer))
    if not answer.is_success:
        said = f"({answer.status_code}): {_words(answer)}"
        raise SandboxRefused(f"The edge at {edge} refuses the run's endpoint {said}")
    return str(answer.json()["id"])


async def _until_known(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """The answer, once the edge knows the key. Raises SandboxRefused."""
    end = time.monotonic() + KNOWN_WITHIN_S
    where = f"the edge at {client.base_url}"
    while True:
        said = ""
        try:
            answer = await client.send(request)
            if answer.status_code not in (401, 503):
                return answer
            said = f"answered {answer.status_code}: {_words(answer)}"
        except httpx.HTTPError as error:
            said = f"did not answer: {str(error) or type(error).__name__}"
        if time.monotonic() > end:
            raise SandboxRefused(
                f"Within {KNOWN_WITHIN_S:g} s {where} {said}. The run's merchant is in PostgreSQL "
                "as HEADGATE_POSTGRES and HEADGATE_NAMESPACE name it: does that edge use the same?"
            )
        await asyncio.sleep(ASK_EVERY_S)


def _words(answer: httpx.Response) -> str:
    """The sentence for people in a problem, or whatever was answered."""
    try:
        problem = answer.json()
        return str(problem.get("detail") or problem["error"])
    except (ValueError, KeyError, AttributeError):
        return answer.text[:300]
