"""Settings: sound defaults, the seed's names, one namespace for everything (08 R7)."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from headgate.streams.settings import Settings


def test_the_seeds_names_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_MODE", "true")
    monkeypatch.setenv("TEST_PROCESSING_DELAY", "7")
    monkeypatch.setenv("UPI_SUCCESS_RATE", "0.5")
    settings = Settings()
    assert settings.test_mode is True
    assert settings.test_processing_delay_ms == 7
    assert settings.upi_success_rate == 0.5


def test_our_names_are_taken_too_and_the_seeds_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_TEST_MODE", "true")
    assert Settings().test_mode is True
    monkeypatch.setenv("TEST_MODE", "false")
    assert Settings().test_mode is False


def test_every_other_setting_has_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_KAFKA", "kafka:9092")
    monkeypatch.setenv("KAFKA", "elsewhere:9092")
    assert Settings().kafka == "kafka:9092"


def test_the_live_system_has_no_prefix() -> None:
    live = Settings()
    assert live.prefix == ""
    assert live.schema_name == "headgate"
    assert live.redis_prefix == "{headgate}:"
    assert live.group("settle") == "headgate-settle"
    assert live.instance_id("settle") == "headgate/settle/0"


def test_a_namespace_is_everywhere_alike() -> None:
    replay = Settings(namespace="replay", instance_slot="2")
    assert replay.prefix == "replay."
    assert replay.schema_name == "headgate_replay"
    assert replay.redis_prefix == "{headgate-replay}:"
    assert replay.group("notify") == "replay.headgate-notify"
    assert replay.instance_id("notify") == "replay/notify/2"


@pytest.mark.parametrize("wrong", ["Replay", "1st", "a.b", "a-b", "x" * 32, "drop table"])
def test_a_namespace_that_could_not_be_a_schema_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Settings(namespace=wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"partitions": 0},
        {"batch_max": -1},
        {"card_success_rate": 1.1},
        {"test_processing_delay_ms": -1},
        {"log_level": "loud"},
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_at_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValidationError):
        Settings().partitions = 9  # type: ignore[misc]


def test_joining_a_group_fits_into_one_request() -> None:
    assert Settings().broker_timeout_ms > Settings().rebalance_timeout_ms


def test_two_calls_to_a_bank_fit_into_the_watchdogs_patience() -> None:
    """Inquire plus authorize acknowledge nothing in between: a healthy worker would be ended."""
    Settings(acquirer_timeout_ms=15_000, stall_timeout_s=30)
    with pytest.raises(ValidationError, match="HEADGATE_STALL_TIMEOUT_S to at least 31"):
        Settings(acquirer_timeout_ms=15_001, stall_timeout_s=30)
