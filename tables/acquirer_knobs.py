"""What a merchant has set for the simulated bank: how slow, faulty or away it is (08 R24)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from headgate.streams.cards import find_number
from headgate.tables.merchants import audit, changing
from headgate.tables.postgres import Postgres, statements

LATENCY_MAX_MS = 60_000

Ratio = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
"""A share: 0 is never, 1 is always."""
Latency = Annotated[int, Field(strict=True, ge=0, le=LATENCY_MAX_MS)]
_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


def _outage(value: object) -> object:
    """Times are told as text: a number would be taken for seconds, and a merchant might mean
    milliseconds."""
    if isinstance(value, bool | datetime):
        return value
    try:
        if isinstance(value, str):
            return _TIME.validate_python(value)
    except ValidationError:
        pass
    raise PydanticCustomError(
        "outage",
        "it must be true, false or a time with its zone such as {like}",
        {"like": "2026-11-26T12:00:00Z"},
    )


def _no_card(text: str) -> str:
    if find_number(text) is not None:
        raise PydanticCustomError("card_number_misplaced", "it must not hold a card number")
    return text


Outage = Annotated[bool | AwareDatetime, BeforeValidator(_outage)]
Seed = Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,64}$"), AfterValidator(_no_card)]


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
    outage: Outage = Field(
        default=False,
        description="The bank does not answer at all, also to inquiries and test values: `true`, "
        "or until a time.",
    )
    seed: Seed | None = Field(
        default=None, description="The same calls and seed have the same outcomes."
    )

    def is_out(self, at_ms: int) -> bool:
        """Whether the bank does not answer at this time."""
        if isinstance(self.outage, datetime):
            return at_ms < self.outage.timestamp() * 1000
        return self.outage


DEFAULTS = Knobs()


async def stored(postgres: Postgres, merchant_id: str) -> Knobs:
    """What the merchant has set. Raises StoreUnavailable."""
    row = await postgres.fetch_row("acquirer_knobs_of", merchant_id)
    return Knobs.model_validate_json(row["knobs"]) if row else DEFAULTS


async def store(postgres: Postgres, merchant_id: str, knobs: Knobs, actor: str) -> None:
    """Set all of it, in one transaction with the audit row. Raises StoreUnavailable."""
    said = knobs.model_dump(mode="json", exclude_defaults=True)
    async with changing(postgres) as connection:
        if said:
            await connection.execute(
                statements()["set_acquirer_knobs"], merchant_id, knobs.model_dump_json()
            )
        else:
            await connection.execute(statements()["reset_acquirer_knobs"], merchant_id)
        await audit(connection, actor, "test_acquirer.set", merchant_id, said)
