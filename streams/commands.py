"""Commands: what is asked of a payment. A command may be refused; only facts are decided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from headgate.streams.money import Amount

Mode = Literal["test", "live"]
Method = Literal["upi", "card", "netbanking", "wallet"]
CaptureMethod = Literal["automatic", "manual"]
Outcome = Literal["approved", "declined", "unknown", "not_found"]
Look = Annotated[int, Field(strict=True, ge=0, le=100)]
Id = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]
"""An id, or another short word that a table is keyed by. Anybody may write to the log: what
PostgreSQL would refuse must not be readable, so that it is a dead letter before a bank is asked."""


class Card(BaseModel):
    """What remains of a card behind the edge (00 A15): never its number, never its CVV."""

    model_config = ConfigDict(frozen=True)

    brand: str
    last4: str = Field(pattern=r"^[0-9]{4}$")
    expiry_month: int = Field(ge=1, le=12)
    expiry_year: int = Field(ge=2000, le=2200)
    fingerprint: str
    """Keyed hash of the number: equal for equal cards, useless to anybody else."""


class CommandBase(BaseModel):
    """What every command carries. Its time is the log record's timestamp (00 A1)."""

    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1
    command_id: Id
    payment_id: Id
    merchant_id: Id
    mode: Mode


class CreatePayment(CommandBase):
    """A merchant asks for a payment."""

    type: Literal["payment.create"] = "payment.create"
    fingerprint: str
    """Hash of method, route and canonical body; another one under the same key is refused."""
    idempotency_key: str | None = None
    """The client's key; None when the edge drew one."""
    request_id: str
    amount: Amount
    currency: str
    method: Method
    order_id: str
    vpa: str | None = None
    card: Card | None = None
    scenario: str | None = None
    """What the simulated acquirer is asked to play, when the request held a test value."""
    capture_method: CaptureMethod = "automatic"
    description: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class AcquirerAnswer(CommandBase):
    """A bank answered an attempt, or did not in time (`unknown`)."""

    type: Literal["acquirer.answer"] = "acquirer.answer"
    attempt_id: Id
    operation: Literal["authorize", "inquire"]
    look: Look = 0
    """Which inquiry this answers; 0 is the authorisation itself."""
    outcome: Outcome
    amount: Amount
    reference: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None


Command = Annotated[CreatePayment | AcquirerAnswer, Field(discriminator="type")]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


class AcquirerRequest(BaseModel):
    """What settle asks a bank to do; `attempt_id` is the bank's idempotency key."""

    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1
    type: Literal["authorize", "inquire"]
    payment_id: Id
    merchant_id: Id
    mode: Mode
    attempt_id: Id
    look: Look = 0
    amount: Amount
    currency: str
    method: Method
    vpa: str | None = None
    card: Card | None = None
    scenario: str | None = None


ACQUIRER_REQUEST: TypeAdapter[AcquirerRequest] = TypeAdapter(AcquirerRequest)
