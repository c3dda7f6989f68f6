"""The options of `headgate replay`, by what they are about."""

from __future__ import annotations

import argparse

from headgate.cli import values
from headgate.cli.selecting import add_selection
from headgate.cli.verifying import add_verify
from headgate.replay.options import EVERY_S, OVER_S, STAIRS, Options, WrongOptions
from headgate.replay.sender import IN_FLIGHT_MAX, PATIENCE_S

RATE_MAX = 1_000_000
_ANEW = ("resume", "report", "json")
"""What a run that goes on is told anew; all else is as it was when it began."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """All of them."""
    parser.add_argument(
        "source", nargs="?", metavar="SOURCE", help="a capture file, or `log`: what was recorded"
    )
    parser.add_argument("--resume", metavar="RUN", help="go on with a run that was cut off")
    parser.add_argument("--run-id", default=None, metavar="RUN", help="the new run's name")
    add_selection(parser)
    parser.add_argument(
        "--partial", action="store_true", help="take a capture file that is cut, as far as it goes"
    )
    _add_sink(parser.add_argument_group("where it is sent"))
    _add_speed(parser.add_argument_group("how fast"))
    _add_guards(parser.add_argument_group("what is not done unless it is said"))
    _add_verdict(parser.add_argument_group("verdict and report"))
    add_verify(parser)


def _add_sink(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--sink",
        default="rest",
        metavar="SINK",
        help="rest: an edge (default); commands: the commands topic of --into; topic:NAME: raw"
        " records to any topic",
    )
    group.add_argument("--to", metavar="URL", help="the edge (default: the one on this machine)")
    group.add_argument("--into", metavar="NAMESPACE", help="whose commands topic")
    group.add_argument(
        "--key", default=None, metavar="KEY", help="play for this merchant (default: a new one)"
    )
    group.add_argument("--secret", default=None, help="the secret of --key")
    group.add_argument("--receiver", metavar="URL", help="whose webhooks are sent there")
    group.add_argument(
        "--same-ids",
        action="store_true",
        help="send the very same again, under the recorded ids: nothing may change",
    )
    group.add_argument(
        "--in-flight",
        type=values.count,
        default=IN_FLIGHT_MAX,
        metavar="N",
        help=f"steps that wait for an answer at a time (default: {IN_FLIGHT_MAX})",
    )
    group.add_argument(
        "--patience",
        type=values.seconds,
        default=round(PATIENCE_S),
        metavar="TIME",
        help="how long nothing may be answered before the run is cut off (default: 60s)",
    )


def _add_speed(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--speed", type=rate, metavar="N", help="N times as fast as recorded (default: 1)"
    )
    group.add_argument("--rate", type=rate, metavar="N", help="so many steps a second")
    group.add_argument("--as-fast", action="store_true", help="as fast as it goes")
    group.add_argument(
        "--shape",
        choices=("step", "ramp", "soak", "burst"),
        help="how the load grows to --rate: in steps, evenly, not at all but for --for and from the"
        " beginning again, or with --burst at once every so often",
    )
    group.add_argument(
        "--start-rate", type=rate, default=1.0, metavar="N", help="where a ramp begins (default: 1)"
    )
    group.add_argument(
        "--over", type=values.seconds, default=round(OVER_S), metavar="TIME", help="a ramp's length"
    )
    group.add_argument(
        "--stairs", type=values.count, default=STAIRS, metavar="N", help="how many steps"
    )
    group.add_argument(
        "--every",
        type=values.seconds,
        default=round(EVERY_S),
        metavar="TIME",
        help="how long each of the steps is, or how often a burst comes (default: 10s)",
    )
    group.add_argument("--burst", type=values.count, metavar="N", help="how many come at once")
    group.add_argument(
        "--for", dest="for_s", type=values.seconds, metavar="TIME", help="end after this time"
    )


def _add_guards(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--resend-webhooks",
        action="store_true",
        help="write to topics whose records make a worker post webhooks",
    )
    group.add_argument(
        "--call-acquirer",
        action="store_true",
        help="write to topics whose records make a worker call banks; use a live key",
    )


def _add_verdict(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--settle-within",
        type=values.seconds,
        default=60,
        metavar="TIME",
        help="how long nothing may move before the verdict waits no longer (default: 60s)",
    )
    group.add_argument("--report", metavar="FILE", help="write one HTML page with charts")
    group.add_argument("--json", metavar="FILE", help="write everything for machines; - is stdout")


def options_of(given: argparse.Namespace, source: tuple[str, ...]) -> Options:
    """What was said; `source` are the words that open the very same records again. Raises
    WrongOptions."""
    return Options(
        source=source,
        sink=given.sink,
        to=given.to,
        into=given.into,
        key=given.key,
        secret=given.secret,
        receiver=given.receiver,
        speed=given.speed,
        rate=given.rate,
        as_fast=given.as_fast,
        shape=given.shape,
        start_rate=given.start_rate,
        stairs=given.stairs,
        every_s=given.every,
        over_s=given.over,
        burst=given.burst,
        for_s=given.for_s,
        in_flight=given.in_flight,
        patience_s=given.patience,
        settle_within_s=given.settle_within,
        same_ids=given.same_ids,
        resend_webhooks=given.resend_webhooks,
        call_acquirer=given.call_acquirer,
    ).checked()


def check_resumed_alone(given: argparse.Namespace) -> None:
    """Whether `--resume` has nothing beside it that would not be heeded. Raises WrongOptions."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    plain = parser.parse_args([])
    beside = [
        " or ".join(action.option_strings) or str(action.metavar)
        for action in parser._actions  # noqa: SLF001  there is no public way to their names
        if action.dest in plain and action.dest not in _ANEW
        if getattr(given, action.dest) != getattr(plain, action.dest)
    ]
    if beside:
        raise WrongOptions(
            f"--resume goes on with what the run was told when it began: leave {', '.join(beside)}"
            " out; only --report and --json may be said anew"
        )


def rate(text: str) -> float:
    """A number above zero; `x10` is 10."""
    try:
        found = float(text.removeprefix("x").removesuffix("/s"))
    except ValueError:
        found = 0.0
    if not 0 < found <= RATE_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0, up to {RATE_MAX}")
    return found
