"""What may be asked of a replay, and what only in so many words (R35)."""

from __future__ import annotations

import argparse

import pytest

from headgate.cli.replay_options import add_options, options_of
from headgate.replay.guards import Allowed, NotAllowed, check_mode, check_topic
from headgate.replay.options import Options, WrongOptions
from headgate.streams.settings import Settings

LIVE, OTHER = Settings(namespace=""), Settings(namespace="shop")


def said(words: str) -> Options:
    """The options of a command line."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    return options_of(parser.parse_args(["log", *words.split()]), ("log",))


@pytest.mark.parametrize("settings", [LIVE, OTHER])
@pytest.mark.parametrize(
    ("topic", "needed"),
    [
        ("webhooks.ready", "--resend-webhooks"),
        ("webhooks.attempts", "--resend-webhooks"),
        ("webhooks.events", "--resend-webhooks"),
        ("acquirer.requests", "--call-acquirer"),
        ("delay.5s", "--call-acquirer"),
    ],
)
def test_what_reaches_the_world_is_refused_and_the_words_for_it_named(
    settings: Settings, topic: str, needed: str
) -> None:
    for name in (settings.prefix + topic, "payments_eu." + topic):
        with pytest.raises(NotAllowed, match=needed):
            check_topic(name, settings, Allowed())
        check_topic(name, settings, Allowed(resend_webhooks=True, call_acquirer=True))


def test_delays_need_both_words() -> None:
    with pytest.raises(NotAllowed, match="--resend-webhooks"):
        check_topic("delay.1s", LIVE, Allowed(call_acquirer=True))


@pytest.mark.parametrize(
    "topic", ["payments.facts", "payments.commands.dead", "shop.payments.facts"]
)
def test_what_workers_alone_write_is_never_written(topic: str) -> None:
    with pytest.raises(NotAllowed, match="never writes there"):
        check_topic(topic, LIVE, Allowed(resend_webhooks=True, call_acquirer=True))


def test_raw_commands_into_ones_own_namespace_are_the_same_ids() -> None:
    with pytest.raises(NotAllowed, match="--same-ids"):
        check_topic("shop.payments.commands", OTHER, Allowed(call_acquirer=True))
    with pytest.raises(NotAllowed, match="--call-acquirer"):
        check_topic("payments.commands", OTHER, Allowed())


def test_other_topics_and_scratch_namespaces_are_free() -> None:
    for name in ("my.topic", "scratch_a.payments.facts", "scratch_a.webhooks.ready"):
        check_topic(name, LIVE, Allowed())


def test_a_name_that_only_begins_like_a_scratch_namespace_is_not_free() -> None:
    for name in ("scratchpad.acquirer.requests", "scratch.payments.commands"):
        with pytest.raises(NotAllowed, match="--call-acquirer"):
            check_topic(name, LIVE, Allowed())


def test_a_live_key_needs_the_words() -> None:
    with pytest.raises(NotAllowed, match=r"key_live_a is a live key.*--call-acquirer"):
        check_mode("key_live_a", live=True, allowed=Allowed(resend_webhooks=True))
    check_mode("key_live_a", live=True, allowed=Allowed(call_acquirer=True))
    check_mode("key_test_a", live=False, allowed=Allowed())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--rate 5 --as-fast", "one of --speed, --rate and --as-fast"),
        ("--speed 5 --rate 5", "one of"),
        ("--shape ramp", "needs --rate"),
        ("--rate 5 --shape burst", "--burst"),
        ("--rate 5 --shape soak", "--for"),
        ("--sink commands", "--into"),
        ("--sink kafka", "there are rest, commands, topic:NAME"),
        ("--sink topic:", "there are"),
        ("--same-ids", "--key and --secret of the merchant"),
        ("--same-ids --sink commands --into other", "no --into"),
        ("--key k", "belong together"),
        ("--same-ids --key k --secret s --rate 5 --shape soak --for 1h", "new ids"),
    ],
)
def test_options_that_do_not_go_together_say_what_to_do(words: str, told: str) -> None:
    with pytest.raises(WrongOptions, match=told):
        said(words)


@pytest.mark.parametrize("words", ["--speed 0", "--rate -1", "--rate many", "--rate nan"])
def test_a_speed_is_a_number_above_zero(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        said(words)
    assert "is no number above 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "pace"),
    [
        ("", "x1"),
        ("--speed x10", "x10"),
        ("--rate 500/s", "500/s"),
        ("--as-fast", "as fast as it goes"),
        ("--rate 800 --shape step --stairs 4 --every 5s", "4 steps of 5 s up to 800/s"),
        ("--rate 8 --shape ramp --over 2m", "ramp from 1/s to 8/s in 120 s"),
        ("--rate 8 --shape burst --burst 9", "8/s, and 9 at once every 10 s"),
        ("--rate 8 --shape soak --for 1h", "8/s"),
    ],
)
def test_each_way_of_saying_how_fast_has_its_pace(words: str, pace: str) -> None:
    assert str(said(words).pace(0)) == pace


def test_a_journal_gives_the_same_options_back_and_tables_get_no_secret() -> None:
    options = said("--key key_test_a --secret hush --rate 5 --shape soak --for 1h")
    assert Options.remembered(options.record) == options
    assert "hush" not in str(options.shown) + repr(options)
    assert options.shown["for_s"] == 3600
