"""A scratch namespace, whose rows may be copies of real ones, reaches nobody (08 R35)."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.agents.acquire import Acquire
from headgate.agents.acquirers.guard import RealBankRefused, permitted
from headgate.agents.acquirers.simulator import Simulator
from headgate.http.auth import Authenticator
from headgate.http.problems_of_access import LivemodeMismatch
from headgate.replay import scratch
from headgate.streams.errors import WebhookUrlForbidden
from headgate.streams.settings import Settings
from headgate.streams.sinks import Sinks
from tests.unit.fake_bank import Desk
from tests.unit.test_http_auth import Copy, bearer, found, key

OWN = "http://127.0.0.1:9009"


def scratch_settings(**members: object) -> Settings:
    """Of a scratch namespace."""
    return Settings.model_validate({"namespace": "scratch_1", **members})


def test_a_namespace_is_scratch_by_its_name() -> None:
    assert scratch_settings().scratch
    assert not Settings().scratch
    assert not Settings(namespace="scratchy").scratch


def test_only_the_simulated_bank_is_asked_there() -> None:
    bank = Desk().bank
    with pytest.raises(RealBankRefused, match="scratch_1 is a scratch namespace"):
        permitted(scratch_settings(), bank)
    with pytest.raises(RealBankRefused):
        Acquire(scratch_settings(), Desk().attempts, Desk().bus, bank)
    assert permitted(Settings(), bank) is bank
    simulator = Simulator(scratch_settings())
    assert permitted(scratch_settings(), simulator) is simulator


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/",
        "http://127.0.0.1:9010/hook",
        "https://127.0.0.1:9009/hook",
        "http://localhost:9009/hook",
    ],
)
def test_nothing_but_its_own_sink_is_sent_to(url: str) -> None:
    sinks = Sinks.of(scratch_settings(scratch_sink=OWN))
    with pytest.raises(WebhookUrlForbidden, match=r"which is http://127\.0\.0\.1:9009"):
        sinks.check_url(url)


def test_its_own_sink_is_sent_to_wherever_on_it_the_endpoint_is() -> None:
    sinks = Sinks.of(scratch_settings(scratch_sink=OWN))
    assert sinks.check_url(f"{OWN}/hooks/1?x=y").port == 9009
    assert sinks.why_not("127.0.0.1") is None


def test_without_a_sink_nothing_is_sent_at_all() -> None:
    sinks = Sinks.of(scratch_settings(webhook_allow_loopback=True))
    for url in ("https://hooks.example.com/", f"{OWN}/"):
        with pytest.raises(WebhookUrlForbidden, match="it names none"):
            sinks.check_url(url)


def test_other_namespaces_do_not_look_at_the_sink() -> None:
    sinks = Sinks.of(Settings(scratch_sink=OWN))
    assert sinks.check_url("https://hooks.example.com/").host == "hooks.example.com"
    with pytest.raises(WebhookUrlForbidden):
        sinks.check_url(OWN)


async def test_live_keys_are_refused_there(tmp_path: Path) -> None:
    settings = scratch_settings(state_dir=tmp_path)
    known = key("t"), key("l", mode="live")
    authenticator = Authenticator(settings, Copy(settings, *known))
    assert (await found(authenticator, bearer("t"))).id == "t"
    with pytest.raises(LivemodeMismatch, match="takes test keys only; l is a live key"):
        await found(authenticator, bearer("l"))


async def test_a_namespace_that_is_no_scratch_is_never_dropped() -> None:
    with pytest.raises(ValueError, match="'shop' is no scratch namespace"):
        await scratch.drop(None, Settings(namespace="shop"))  # type: ignore[arg-type]
