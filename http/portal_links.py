"""`POST /api/v1/portal_links`: an address that shows a merchant's webhooks, for an hour or so."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field
from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.exchange import Exchange
from headgate.http.problems_of_access import PermissionDenied
from headgate.http.routing import json_answer
from headgate.http.schemas import Asked
from headgate.http.unsure import stored_or_unsure
from headgate.http.validation import body_as
from headgate.streams import ids
from headgate.streams.clock import iso, now_ms
from headgate.streams.settings import Settings
from headgate.tables import merchants
from headgate.tables.configuration import ApiKey
from headgate.tables.portal_links import Access, PortalLink, token_of
from headgate.tables.postgres import Postgres

LIFE_S = 3600
LIFE_S_MIN, LIFE_S_MAX = 60, 43_200
"""A link is good for up to half a day: it opens whatever it shows to whoever has it."""


class PortalLinkRequest(Asked):
    """The body of `POST /portal_links`."""

    access: Access = Field(
        default="read",
        description="`read`: look at endpoints and deliveries. `full`: also change endpoints and "
        "send again, which needs a key with the scope webhooks:write.",
    )
    expires_in: Annotated[int, Field(ge=LIFE_S_MIN, le=LIFE_S_MAX)] = Field(
        default=LIFE_S, description="For how many seconds it is good."
    )


class PortalLinkAnswer(BaseModel):
    """A link to the portal. Whoever has it is let in, so show it to one person only."""

    id: str = Field(examples=["ptl_aaaaaaaaaaaaaaaaaaaaaaaaaa"])
    object: Literal["portal_link"] = "portal_link"
    livemode: bool
    access: Access
    url: str = Field(description="For the `src` of a frame, or to be opened by itself.")
    expires_at: str


class PortalLinks:
    """Links are made, and end by themselves or with the key that asked for them."""

    def __init__(
        self, settings: Settings, authenticator: Authenticator, postgres: Postgres
    ) -> None:
        self._secret_key = settings.secret_key
        self._public_url = settings.public_url
        self._retry_after_s = settings.retry_after_s
        self._authenticator = authenticator
        self._postgres = postgres

    async def create(self, exchange: Exchange) -> Response:
        """Make a link; every request makes another one."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:read")
        asked = body_as(PortalLinkRequest, exchange, api_key, may_be_empty=True)
        if asked.access == "full" and "webhooks:write" not in api_key.scopes:
            raise PermissionDenied(
                f"A link with full access needs the scope webhooks:write, which {api_key.id} does "
                "not have."
            )
        link = PortalLink(
            id=ids.draw_id("ptl_"),
            merchant_id=api_key.merchant_id,
            mode=api_key.mode,
            access=asked.access,
            key_id=api_key.id,
            expires_ms=now_ms() + asked.expires_in * 1000,
        )
        await self._note(link, api_key)
        base_url = self._public_url or exchange.origin
        answer = PortalLinkAnswer(
            id=link.id,
            livemode=link.mode == "live",
            access=link.access,
            url=f"{base_url}/portal/{token_of(self._secret_key, link)}",
            expires_at=iso(link.expires_ms),
        )
        return json_answer(answer.model_dump(), 201)

    async def _note(self, link: PortalLink, api_key: ApiKey) -> None:
        """Who acts through it is named by its id, so the audit says where that comes from."""
        said = {
            "merchant_id": link.merchant_id,
            "mode": link.mode,
            "access": link.access,
            "expires_at": iso(link.expires_ms),
        }
        with stored_or_unsure(self._retry_after_s):
            async with self._postgres.connection() as connection:
                await merchants.audit(connection, api_key.id, "portal_link.create", link.id, said)
