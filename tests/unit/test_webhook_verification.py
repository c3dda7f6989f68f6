"""The receiver's consent: what counts as one, what never does, and how often anybody is asked."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from headgate.http.problems_of_access import RateLimited
from headgate.http.webhook_verification import Verifier, judged
from headgate.streams.outbound.outcome import BlockedAddress
from headgate.streams.settings import Settings
from headgate.tables.endpoint import Verdict

WHOSE = ("mer_1", "live")
URL = "https://hooks.example.com/in?x=1"


class Receiver(httpx.AsyncBaseTransport):
    """Answers every request alike, and keeps them."""

    def __init__(self, answer: httpx.Response | Exception) -> None:
        self.answer = answer
        self.asked: list[httpx.Request] = []
        self.at_once = self.most_at_once = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, in the next turn."""
        self.asked.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def answered(status: int = 200, **headers: str) -> httpx.Response:
    """An answer with these headers, underscores for hyphens."""
    return httpx.Response(
        status, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def verifier(receiver: Receiver, **settings: object) -> Verifier:
    """A verifier of `pay.example`."""
    given = {"webhook_origin": "pay.example", **settings}
    return Verifier(Settings.model_validate(given), receiver)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (answered(webhook_allowed_origin="pay.example"), Verdict()),
        (answered(204, webhook_allowed_origin="*"), Verdict()),
        (answered(webhook_allowed_origin=" Pay.Example "), Verdict()),
        (answered(webhook_allowed_origin="*", webhook_allowed_rate="*"), Verdict()),
        (
            answered(webhook_allowed_origin="*", webhook_allowed_rate="30"),
            Verdict(allowed_per_min=30),
        ),
    ],
)
def test_a_receiver_agrees_by_naming_us(answer: httpx.Response, verdict: Verdict) -> None:
    assert judged(answer, "pay.example") == verdict


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (answered(), "has no WebHook-Allowed-Origin; send pay.example"),
        (answered(access_control_allow_origin="*"), "has no WebHook-Allowed-Origin"),
        (answered(webhook_allowed_origin="other.example"), "is another's"),
        (answered(webhook_allowed_origin="pay.example.evil.example"), "is another's"),
        (answered(webhook_allowed_origin="other.example, pay.example"), "is another's"),
        (answered(405, webhook_allowed_origin="*"), "answered 405"),
        (answered(302, webhook_allowed_origin="*", location="/"), "answered 302"),
        (answered(500), "answered 500"),
        *(
            (answered(webhook_allowed_origin="*", webhook_allowed_rate=rate), "whole number")
            for rate in ("0", "-1", "many", "1.5", "9" * 30, "")
        ),
    ],
)
def test_anything_else_is_no_consent(answer: httpx.Response, why: str) -> None:
    assert why in str(judged(answer, "pay.example").error)


async def test_the_question_is_that_of_cloudevents() -> None:
    receiver = Receiver(answered(webhook_allowed_origin="*"))
    asking = verifier(receiver)
    assert await asking.ask(URL, 5, WHOSE) == Verdict()
    await asking.ask(URL, None, WHOSE)
    first, second = receiver.asked
    assert (first.method, str(first.url)) == ("OPTIONS", URL)
    assert first.headers["webhook-request-origin"] == "pay.example"
    assert first.headers["webhook-request-rate"] == "300"
    assert "webhook-request-rate" not in second.headers


async def test_no_answer_is_no_consent_and_a_blocked_address_tells_no_details() -> None:
    """04 §10.7: an answer that tells why would map a network."""
    request = httpx.Request("OPTIONS", URL)
    silent = Receiver(httpx.ConnectError("hooks.example.com refused the connection"))
    assert "refused the connection" in str((await verifier(silent).ask(URL, None, WHOSE)).error)
    blocked = Receiver(BlockedAddress("10.0.0.7 is a private network", request=request))
    assert "10.0.0.7" not in str((await verifier(blocked).ask(URL, None, WHOSE)).error)


async def test_a_merchant_has_so_many_tries_a_minute_and_others_have_their_own() -> None:
    receiver = Receiver(answered(webhook_allowed_origin="*"))
    asking = verifier(receiver, webhook_verifications_per_min=3)
    for _ in range(3):
        await asking.ask(URL, None, WHOSE)
    with pytest.raises(RateLimited) as limited:
        await asking.ask(URL, None, WHOSE)
    assert limited.value.headers["Retry-After"] == "20"
    assert len(receiver.asked) == 3
    await asking.ask(URL, None, ("mer_2", "live"))
    free = verifier(receiver, webhook_verifications_per_min=0)
    for _ in range(20):
        await free.ask(URL, None, WHOSE)


async def test_so_many_receivers_are_asked_at_a_time() -> None:
    receiver = Receiver(answered(webhook_allowed_origin="*"))
    asking = verifier(receiver, webhook_verifications_per_min=0, webhook_verifications_max=3)
    await asyncio.gather(*(asking.ask(URL, None, WHOSE) for _ in range(20)))
    assert (len(receiver.asked), receiver.most_at_once) == (20, 3)
