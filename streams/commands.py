"""Commands: what is asked of a payment. A command may be refused; only facts are decided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from headgate.streams.money import Amount

Mode = Literal["test", "live"]
Method = Literal["upi", "card", "netbanking", "wallet"]
CaptureMethod = Literal["automatic", "manual"]
LateAuthorization = Literal["refund", "accept"]
"""What becomes of an approval that arrives after the payment has failed: its money goes back, or
the payment succeeds after all (02 §8.1, rows 15 and 16)."""
Outcome = Literal["approved", "declined", "unknown", "not_found", "challenged"]
"""What a bank says. `challenged`: it asks the customer first, by 3-D Secure or a UPI collect."""
ChildKind = Literal["capture", "void", "refund", "reversal", "increment"]
"""What may happen to a payment's money at the bank after its approval."""
BankCall = Literal["authorize", "inquire", "capture", "void", "refund", "reversal", "increment"]
"""What a bank is asked to do; the kinds of children are calls of the same name."""
TimerKind = Literal["hold", "capture", "action", "refund"]
Look = Annotated[int, Field(strict=True, ge=0, le=1000)]
Id = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]
"""An id, or another short word that a table is keyed by. Anybody may write to the log: what
PostgreSQL would refuse must not be readable, so that it is a dead letter before a bank is asked."""
Milliseconds = Annotated[int, Field(strict=True, ge=0, le=4_102_444_800_000)]
"""A time since 1970, before the year 2100."""


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


class ClientCommand(CommandBase):
    """What the commands of API requests carry besides."""

    fingerprint: str
    """Hash of method, route, path and canonical body; another one under the same key is refused."""
    idempotency_key: str | None = None
    """The client's key; None when the edge drew one."""
    key_id: Id | None = None
    """One per merchant, mode and client key, the same on every route; None for a drawn key."""
    request_id: Id
    actor: Id | None = None
    """The API key, or the operator, that asked."""
    reply_to: Id | None = None
    """The edge whose request waits for the decision (08 R16); None when none does."""


class CreatePayment(ClientCommand):
    """A merchant asks for a payment."""

    type: Literal["payment.create"] = "payment.create"
    amount: Amount
    currency: str
    method: Method
    order_id: str
    vpa: str | None = None
    card: Card | None = None
    scenario: str | None = None
    """What the simulated acquirer is asked to play, when the request held a test value."""
    capture_method: CaptureMethod = "automatic"
    capture_at_ms: Milliseconds | None = None
    """When a manual payment is captured whole by itself."""
    expires_in_s: int | None = Field(default=None, ge=1, le=86_400)
    """How long the customer has when the bank asks back; None takes `ACTION_WINDOW_S`."""
    late_authorization: LateAuthorization = "refund"
    partial_authorization: bool = False
    """Whether an approval of less than `amount` is taken; else it is reversed (08 R22)."""
    customer_id: str | None = None
    statement_descriptor: str | None = None
    return_url: str | None = None
    description: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class CapturePayment(ClientCommand):
    """Take money of an authorised payment."""

    type: Literal["payment.capture"] = "payment.capture"
    amount: Amount | None = None
    """None: everything that can still be captured."""
    final: bool = True
    """Whether this is the last capture: what it leaves is released."""


class CancelPayment(ClientCommand):
    """Give back what is held and not captured, in whole or in part."""

    type: Literal["payment.cancel"] = "payment.cancel"
    amount: Amount | None = None
    """None: everything."""
    reason: str | None = None


class RefundPayment(ClientCommand):
    """Give captured money back."""

    type: Literal["payment.refund"] = "payment.refund"
    amount: Amount | None = None
    """None: everything that is left."""
    reason: str | None = None
    submit_at_ms: Milliseconds | None = None
    """When the bank is asked; until then the refund can be canceled. None: at once."""


class CancelRefund(ClientCommand):
    """Take back a refund that the bank has not been asked for."""

    type: Literal["refund.cancel"] = "refund.cancel"
    refund_id: Id


class ReversePayment(ClientCommand):
    """Undo the payment, by void or refund, whichever applies."""

    type: Literal["payment.reverse"] = "payment.reverse"
    reason: str | None = None


class IncrementPayment(ClientCommand):
    """Hold more."""

    type: Literal["payment.increment"] = "payment.increment"
    amount: Amount
    """By how much."""


class AuthenticatePayment(ClientCommand):
    """The customer came back from the bank's question (3-D Secure)."""

    type: Literal["payment.authenticate"] = "payment.authenticate"
    outcome: Literal["succeeded", "failed"]


class ResolvePayment(ClientCommand):
    """An operator says, with evidence, how something ended that the bank left in doubt (08 R23)."""

    type: Literal["payment.resolve"] = "payment.resolve"
    child_id: Id
    outcome: Literal["succeeded", "failed"]
    evidence: str


class InquirePayment(ClientCommand):
    """An operator asks the bank now, out of turn, what became of something in doubt."""

    type: Literal["payment.inquire"] = "payment.inquire"
    child_id: Id | None = None
    """A capture, void, refund, reversal or increment; None: the payment itself."""
    reason: str


class Timer(CommandBase):
    """Settle reminds itself, through the delay topics."""

    type: Literal["payment.timer"] = "payment.timer"
    timer: TimerKind
    child_id: Id | None = None


class AcquirerAnswer(CommandBase):
    """A bank answered an attempt, or did not in time (`unknown`)."""

    type: Literal["acquirer.answer"] = "acquirer.answer"
    attempt_id: Id
    operation: BankCall
    look: Look = 0
    """Which inquiry this answers; 0 is the call itself."""
    callback: Look = 0
    """Which call back of the bank's own accord this is; 0 is the answer to our call."""
    outcome: Outcome
    amount: Amount
    """What was approved; less than asked is a partial approval."""
    reference: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None


Command = Annotated[
    CreatePayment
    | AcquirerAnswer
    | CapturePayment
    | CancelPayment
    | RefundPayment
    | CancelRefund
    | ReversePayment
    | IncrementPayment
    | AuthenticatePayment
    | ResolvePayment
    | InquirePayment
    | Timer,
    Field(discriminator="type"),
]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


class AcquirerRequest(BaseModel):
    """What settle asks a bank to do; `attempt_id` is the bank's idempotency key."""

    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1
    type: BankCall
    payment_id: Id
    merchant_id: Id
    mode: Mode
    attempt_id: Id
    look: Look = 0
    about: BankCall = "authorize"
    """What `inquire` asks about."""
    payment_attempt_id: Id | None = None
    """The attempt that the bank approved, for calls about its money; None for that attempt."""
    reference: str | None = None
    """The bank's own word for the approved attempt."""
    final: bool = False
    """Whether a capture is the last one, so that the bank releases the rest."""
    ordinal: int = Field(default=1, ge=1)
    """Which call of its kind about this payment it is: banks number partial captures."""
    authenticated: bool = False
    """Whether the customer has passed the bank's question."""
    amount: Amount
    currency: str
    method: Method
    vpa: str | None = None
    card: Card | None = None
    scenario: str | None = None


ACQUIRER_REQUEST: TypeAdapter[AcquirerRequest] = TypeAdapter(AcquirerRequest)
OUTGOING: TypeAdapter[AcquirerRequest | Timer] = TypeAdapter(
    Annotated[AcquirerRequest | Timer, Field(discriminator="type")]
)
"""What a decision may send out: calls to a bank, and reminders of its own."""
