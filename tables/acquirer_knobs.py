"""What a merchant has set for the simulated bank: how slow, faulty or away it is (08 R24)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    model_validator,
)
from pydantic_core import PydanticCustomError

LATENCY_MAX_MS = 60_000
SEED_CHARACTERS_MAX = 64

Ratio = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
"""A share: 0 is never, 1 is always."""
Latency = Annotated[int, Field(strict=True, ge=0, le=LATENCY_MAX_MS)]


def _text(value: object) -> object:
    """Times are told as text: a number would be taken for seconds, and a merchant would mean
    milliseconds."""
    if isinstance(value, str | datetime):
        return value
    raise PydanticCustomError("time", "it must be true, false or a time such as {like}",
                              {"like": "2026-11-26T12:00:00Z"})  # fmt: skip


Until = Annotated[AwareDatetime, BeforeValidator(_text)]


class LatencyRange(BaseModel):
    """How long the bank takes over a call, in milliseconds, evenly spread."""

    model_config = ConfigDict(frozen=True)

    min: Latency = 0
    max: Latency = 0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise PydanticCustomError("order", "min must not be above max")
        return self


class Knobs(BaseModel):
    """The simulated bank as this merchant has set it, for test payments. What is left out is as
    the gateway's settings say. The ratios hold for payments without a test value."""

    model_config = ConfigDict(frozen=True)

    latency_ms: LatencyRange | None = Field(
        default=None, description="How long the bank takes over each call."
    )
    approve_ratio: Ratio | None = Field(
        default=None, description="Share of payments that are approved."
    )
    error_ratio: Ratio = Field(
        default=0.0, description="Share of calls that are declined with `issuer_unavailable`."
    )
    timeout_ratio: Ratio = Field(
        default=0.0,
        description="Share of calls that the bank does, but whose answer is never heard: they are "
        "in doubt until it is asked.",
    )
    duplicate_ratio: Ratio = Field(
        default=0.0,
        description="Share of calls whose answer the bank repeats three times, not in order.",
    )
    outage: StrictBool | Until = Field(
        default=False,
        description="The bank does not answer at all, also to inquiries and test values: `true`, "
        "or until a time.",
    )
    seed: Annotated[str, Field(min_length=1, max_length=SEED_CHARACTERS_MAX)] | None = Field(
        default=None, description="The same calls and seed have the same outcomes."
    )

    def is_out(self, at_ms: int) -> bool:
        """Whether the bank does not answer at this time."""
        if isinstance(self.outage, datetime):
            return at_ms < self.outage.timestamp() * 1000
        return self.outage


DEFAULTS = Knobs()
