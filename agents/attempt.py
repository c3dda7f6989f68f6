"""One attempt: the body is signed with the secret of this moment, posted, and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from headgate.agents.attempt_traces import request_of, traced
from headgate.agents.keyring import Keyring, Keys
from headgate.streams.clock import now_ms
from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.errors import SecretUnreadable
from headgate.streams.outbound.transport import Answer, DeliveryFailed
from headgate.streams.secrets import SecretBox
from headgate.streams.settings import Settings
from headgate.streams.signatures import sign
from headgate.tables.configuration import Endpoint
from headgate.tables.deliveries import Outcome, Trace, answered, no_answer

log = structlog.get_logger(__name__)

DISABLED = no_answer("the endpoint is disabled; enable it and retry", blocked=True)


class Sender(Protocol):
    """Posts webhooks; `streams.outbound.transport.PinnedTransport`."""

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_ms: int,
        *,
        livemode: bool = False,
    ) -> Answer:
        """Any status is an answer. Raises DeliveryFailed when there was none."""


@dataclass(frozen=True, slots=True)
class Posted:
    """An attempt that was made."""

    endpoint: Endpoint
    """As it was configured then."""
    outcome: Outcome
    trace: Trace


class Poster:
    """Makes attempts."""

    def __init__(self, settings: Settings, sender: Sender, secrets: SecretBox) -> None:
        self._timeout_ms = settings.webhook_timeout_ms
        self._sender = sender
        self._keyring = Keyring(secrets)

    def keys_of(self, endpoint: Endpoint) -> Keys:
        """What the endpoint's attempts are signed with and carry. Raises SecretUnreadable."""
        return self._keyring.of(endpoint, now_ms())

    def readable(self, endpoint: Endpoint) -> bool:
        """Whether its keys can be opened with the secret key of this process."""
        try:
            self.keys_of(endpoint)
        except SecretUnreadable:
            return False
        return True

    async def post(self, endpoint: Endpoint, keys: Keys, wanted: DeliveryWanted) -> Posted | None:
        """Sign and post, within the deadline. No answer, of whatever kind, is an outcome; None
        means that nothing was sent, since too much is under way to the receiver's address."""
        body, at_ms, headers = wanted.body.encode(), now_ms(), dict[str, str]()
        try:
            headers = _headers(keys, wanted, body, at_ms)
            livemode = endpoint.mode == "live"
            answer = await self._sender.post(
                endpoint.url, body, headers, self._timeout_ms, livemode=livemode
            )
        except DeliveryFailed as failure:
            if failure.kind == "crowded":
                return None
            outcome = no_answer(failure.reason, blocked=failure.kind == "blocked")
            trace = Trace(at_ms, round(failure.duration_ms), request_of(keys, headers))
        except Exception:  # one endpoint must not end the process: its records would come again
            log.exception("attempt failed in here", delivery_id=wanted.delivery_id)
            outcome = no_answer("the attempt failed inside Headgate")
            trace = Trace(at_ms, now_ms() - at_ms, request_of(keys, headers))
        else:
            outcome = answered(answer.status, answer.header("Retry-After"), now_ms())
            trace = traced(answer, at_ms, request_of(keys, headers))
        return Posted(endpoint, outcome, trace)


def _headers(keys: Keys, wanted: DeliveryWanted, body: bytes, at_ms: int) -> dict[str, str]:
    """The merchant's own headers, and the signatures of this moment."""
    signed = sign(keys.live(at_ms), wanted.event_id, at_ms // 1000, body, keys.signing_key)
    return keys.headers | signed
