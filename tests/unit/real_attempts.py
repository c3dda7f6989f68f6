"""Attempts as receivers get them: signed by a real Poster, sent over a real connection."""

from __future__ import annotations

from typing import NamedTuple

from headgate.agents.attempt import Poster
from headgate.streams.clock import now_ms
from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.secrets import SecretBox, draw_secret_key
from headgate.streams.settings import Settings
from headgate.streams.signatures_asymmetric import draw_signing_key
from headgate.tables.configuration import Endpoint, EndpointSecret
from tests.unit.outbound_receiver import OK, answering, receiver, transport

BOX = SecretBox(draw_secret_key())
SIGNING_KEY = draw_signing_key()
EVENT = '{"id":"evt_1","type":"payment.success","note":"žluť ☂ \\u2028"}'


class Received(NamedTuple):
    """What arrived."""

    headers: dict[str, str]
    """Names in lower case."""
    body: str


async def attempt(secret: str, *older: str) -> Received:
    """One attempt to an endpoint with this secret, and these whose overlap has not ended."""
    rotated = [
        EndpointSecret(sealed=BOX.seal(one), expires_at_ms=now_ms() + 60_000) for one in older
    ]
    wanted = DeliveryWanted(
        delivery_id="dlv_1",
        event_id="evt_1",
        endpoint_id="ep_1",
        merchant_id="mer_1",
        mode="test",
        type="payment.success",
        token="dlv_1.1",
        body=EVENT,
        created_at_ms=1,
    )
    async with receiver(answering(OK)) as there, transport() as way_out:
        endpoint = Endpoint(
            id="ep_1",
            merchant_id="mer_1",
            mode="test",
            is_default=True,
            url=there.url,
            sealed_secret=BOX.seal(secret),
            older_secrets=tuple(rotated),
            event_types=("*",),
            enabled=True,
            sealed_headers=BOX.seal('{"X-Tenant":"7","Authorization":"Bearer a b"}'),
            sealed_signing_key=BOX.seal(SIGNING_KEY),
        )
        poster = Poster(Settings(), way_out, BOX)
        posted = await poster.post(endpoint, poster.keys_of(endpoint), wanted)
    assert posted is not None
    assert posted.outcome.kind == "success"
    return _received(there.requests[0])


def _received(request: bytes) -> Received:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:]]
    names = [name.lower() for name, _ in lines]
    assert len(set(names)) == len(names), "no header twice"
    return Received({name.lower(): value for name, value in lines}, body.decode())
