"""What requests about merchants and API keys may say, and what they are answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from headgate.http.checkout_origins import ORIGINS_MAX, Origin
from headgate.http.schemas import Asked, one_line, one_of_them
from headgate.tables.api_keys import OVERLAP_S, OVERLAP_S_MAX, KeyStatus
from headgate.tables.scopes import Scope

NAME_CHARACTERS_MAX = 100
RATE_MAX = 1_000_000
SCOPES_MAX = 32

Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX), AfterValidator(one_line)]


class KeyRequest(Asked):
    """The body of `POST /api_keys`."""

    name: Name | None = Field(
        default=None, description="For people, to tell keys apart.", examples=["shop backend"]
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=SCOPES_MAX)] | None = Field(
        default=None,
        description="What it may do; at most what the key that makes it may, which is the default.",
        examples=[["payments:read", "payments:write"]],
    )
    rate_per_s: Annotated[int, Field(ge=1, le=RATE_MAX)] | None = Field(
        default=None,
        description="Writes a second; at most those of the key that makes it, the default.",
        examples=[50],
    )
    strict_parameters: bool = Field(
        default=False, description="Whether unknown members of a body are refused."
    )


class RotateRequest(Asked):
    """The body of `POST /api_keys/{id}/rotate`."""

    overlap_s: Annotated[int, Field(ge=0, le=OVERLAP_S_MAX)] = Field(
        default=OVERLAP_S, description="For how many seconds the old key still works."
    )


class MerchantRequest(Asked):
    """The body of `PATCH /merchant`: what is left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra=one_of_them("name", "require_keys", "checkout_origins")
    )

    name: Name | None = Field(default=None, examples=["Corner Shop"])
    require_keys: bool | None = Field(
        default=None,
        description="Whether what moves money is refused without an Idempotency-Key.",
    )
    checkout_origins: Annotated[list[Origin], Field(max_length=ORIGINS_MAX)] | None = Field(
        default=None,
        description="Origins of the pages that may show the checkout form in a frame.",
        examples=[["https://shop.example.com"]],
    )


class KeyAnswer(BaseModel):
    """An API key. Its secret is shown once, when it is made."""

    id: str = Field(description="The publishable half.", examples=["key_test_abc123"])
    object: Literal["api_key"] = "api_key"
    merchant_id: str
    livemode: bool
    name: str | None
    scopes: list[str]
    rate_per_s: int | None = Field(description="Writes a second; null is the default of the mode.")
    strict_parameters: bool
    status: KeyStatus = Field(
        description="`expiring`: it was rotated and works until `expires_at`."
    )
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    replaced_by: str | None = Field(description="The key that a rotation made in its place.")


class NewKeyAnswer(KeyAnswer):
    """An API key that was made just now, with its secret."""

    secret: str | None = Field(
        description="Shown once. A repeat under the same Idempotency-Key shows it again for five "
        "minutes; later it is null."
    )


class KeyList(BaseModel):
    """A page of API keys, newest first."""

    object: Literal["list"] = "list"
    data: list[KeyAnswer]
    has_more: bool
    next_cursor: str | None = Field(description="Send it as `starting_after` for the next page.")


class MerchantAnswer(BaseModel):
    """The merchant that the API key belongs to."""

    id: str
    object: Literal["merchant"] = "merchant"
    name: str
    email: str
    livemode: bool = Field(description="The mode of the key that asks.")
    require_keys: bool
    checkout_origins: list[str] = Field(
        description="Origins of the pages that may show the checkout form in a frame."
    )
    active: bool = Field(description="One that is not active reads, and changes nothing.")
    created_at: str


class DemoMerchantAnswer(BaseModel):
    """The seed's demo merchant, on one's own machine only."""

    id: str
    email: str
    api_key: str
    seeded: Literal[True] = True
