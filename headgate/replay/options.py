"""What was asked of a replay, in a form that a journal can keep, and the pace that follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from headgate.replay.guards import Allowed
from headgate.replay.pace import AsFast, AsRecorded, Pace, Shaped
from headgate.replay.sender import IN_FLIGHT_MAX, PATIENCE_S, Limits
from headgate.replay.shapes import Burst, Ramp, Shape, Stairs, Steady
from headgate.streams.errors import HeadgateError

TOPIC = "topic:"
STAIRS, EVERY_S, OVER_S = 8, 10.0, 60.0
"""What shapes take when nothing else is said."""


class WrongOptions(HeadgateError):
    """Options that do not go together."""


@dataclass(frozen=True, slots=True)
class Options:
    """All of it. `None` is: not said."""

    source: tuple[str, ...]
    """Words of the command line that open the very same records again."""
    sink: str = "rest"
    """`rest`, `commands`, or `topic:` and a topic's full name."""
    to: str | None = None
    """Base URL of the edge."""
    into: str | None = None
    """The namespace whose commands topic is written to."""
    key: str | None = None
    secret: str | None = field(default=None, repr=False)
    receiver: str | None = None
    speed: float | None = None
    rate: float | None = None
    as_fast: bool = False
    shape: str | None = None
    start_rate: float = 1.0
    stairs: int = STAIRS
    every_s: float = EVERY_S
    over_s: float = OVER_S
    burst: int | None = None
    for_s: float | None = None
    in_flight: int = IN_FLIGHT_MAX
    patience_s: float = PATIENCE_S
    settle_within_s: float = 60.0
    same_ids: bool = False
    resend_webhooks: bool = False
    call_acquirer: bool = False

    @classmethod
    def remembered(cls, said: Mapping[str, Any]) -> Options:
        """From a journal."""
        return cls(**{**said, "source": tuple(said["source"])})

    @property
    def record(self) -> dict[str, Any]:
        """For the journal; it holds the secret."""
        return asdict(self)

    @property
    def shown(self) -> dict[str, Any]:
        """For people and tables: what was said, without secrets."""
        said = {name: value for name, value in asdict(self).items() if value not in (None, False)}
        return {name: value for name, value in said.items() if name not in ("secret", "source")}

    @property
    def allowed(self) -> Allowed:
        """What was said in so many words."""
        return Allowed(self.resend_webhooks, self.call_acquirer)

    @property
    def topic(self) -> str | None:
        """The full name of the topic that raw records go to; None for other sinks."""
        return self.sink.removeprefix(TOPIC) if self.sink.startswith(TOPIC) else None

    @property
    def repeats_log(self) -> bool:
        """Whether the very same records are appended to the commands topic again."""
        return self.same_ids and self.sink == "commands"

    @property
    def plays_for_somebody(self) -> bool:
        """Whether there is a merchant for whom it is done."""
        return self.topic is None and not self.repeats_log

    @property
    def limits(self) -> Limits:
        """What bounds the sender."""
        return Limits(self.in_flight, self.patience_s, self.for_s)

    @property
    def turns(self) -> bool:
        """Whether the source is gone through again and again, until the time is over."""
        return self.shape == "soak"

    def checked(self) -> Options:
        """Itself. Raises WrongOptions."""
        paces = [self.speed is not None, self.as_fast, self.rate is not None]
        if sum(paces) > 1:
            raise WrongOptions("say one of --speed, --rate and --as-fast")
        if self.shape is not None and self.rate is None:
            raise WrongOptions(f"--shape {self.shape} needs --rate, its highest steady rate")
        if self.shape == "burst" and self.burst is None:
            raise WrongOptions("--shape burst needs --burst, how many come at once")
        if self.shape == "soak" and self.for_s is None:
            raise WrongOptions("--shape soak needs --for, how long it goes on")
        if self.same_ids and self.shape == "soak":
            raise WrongOptions("a soak needs new ids each time: leave --same-ids out")
        if (self.key is None) != (self.secret is None):
            raise WrongOptions("--key and --secret belong together")
        self._check_sink()
        return self

    def _check_sink(self) -> None:
        if self.sink == "commands" and self.into is None and not self.same_ids:
            raise WrongOptions("--sink commands needs --into, the namespace that is to decide")
        if self.sink not in ("rest", "commands") and not self.topic:
            raise WrongOptions(f"--sink {self.sink} is none; there are rest, commands, topic:NAME")
        if self.same_ids and self.sink == "rest" and self.key is None:
            raise WrongOptions(
                "--same-ids through an edge needs --key and --secret of the merchant that sent"
                " the recorded requests"
            )
        if self.same_ids and self.into is not None:
            raise WrongOptions("--same-ids is for the namespace that was recorded: no --into")

    def pace(self, first_at_ms: int) -> Pace:
        """When steps are due; as recorded, unless something else is said."""
        if self.as_fast:
            return AsFast()
        if self.rate is not None:
            return Shaped(self._shape(self.rate))
        return AsRecorded(first_at_ms, self.speed or 1.0)

    def _shape(self, rate: float) -> Shape:
        if self.shape == "ramp":
            return Ramp(self.start_rate, rate, self.over_s)
        if self.shape == "step":
            return Stairs(rate, self.stairs, self.every_s)
        if self.shape == "burst":
            return Burst(rate, self.burst or 1, self.every_s)
        return Steady(rate)
