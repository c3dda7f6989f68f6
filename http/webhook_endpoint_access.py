"""What all requests about webhook endpoints share: whose they are, their repeats, their answers."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from headgate.http.api_keys import told
from headgate.http.auth import Authenticator
from headgate.http.exchange import Exchange
from headgate.http.problems_of_access import ApiKeyRevoked
from headgate.http.problems_of_requests import KeyReused, ResourceMissing
from headgate.http.problems_of_webhooks import (
    EndpointNotVerified,
    TooManyEndpointSecrets,
    TooManyWebhookEndpoints,
)
from headgate.http.routing import json_answer
from headgate.http.unsure import stored_or_unsure
from headgate.http.webhook_endpoint_schemas import (
    EndpointAnswer,
    NewSecretAnswer,
    OlderSecretAnswer,
)
from headgate.http.webhook_headers import masked_headers
from headgate.streams.cards import quoted
from headgate.streams.clock import iso
from headgate.streams.errors import SecretUnreadable, StoreUnavailable
from headgate.streams.secrets import SecretBox, mask
from headgate.streams.settings import Settings
from headgate.streams.signatures import standard_form
from headgate.streams.signatures_asymmetric import public_key
from headgate.tables import api_keys, endpoint, endpoints
from headgate.tables.configuration import ApiKey, ConfigurationCopy
from headgate.tables.endpoint import Owner, StoredEndpoint
from headgate.tables.postgres import Postgres
from headgate.tables.scopes import Scope

ENDPOINT_ID = re.compile(r"whe_[a-z2-7]{26}")
API_ENDPOINTS = "/api/v1/webhook_endpoints"


class EndpointAccess:
    """Every key sees and changes the endpoints of its own merchant and mode, no others."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        postgres: Postgres,
        configuration: ConfigurationCopy,
        box: SecretBox,
    ) -> None:
        self.postgres = postgres
        self.box = box
        self._authenticator = authenticator
        self._configuration = configuration
        self._retry_after_s = settings.retry_after_s
        self._print_key = hmac.digest(
            settings.secret_key.encode(), b"headgate endpoint request", "sha256"
        )

    async def key_of(self, exchange: Exchange, scope: Scope) -> ApiKey:
        """The API key behind the request; raises as the Authenticator does."""
        return await self._authenticator.key_of(exchange, scope)

    async def find(self, endpoint_id: str, api_key: ApiKey) -> StoredEndpoint | None:
        """The merchant's endpoint with this id. Raises StoreUnavailable."""
        if not ENDPOINT_ID.fullmatch(endpoint_id):
            return None
        return await endpoints.find(self.postgres, endpoint_id, owner(api_key))

    async def of_path(self, exchange: Exchange, api_key: ApiKey) -> StoredEndpoint:
        """The endpoint that the path names. Raises ResourceMissing, StoreUnavailable."""
        endpoint_id = exchange.path("id")
        found = await self.find(endpoint_id, api_key)
        if found is None:
            raise ResourceMissing(f"There is no webhook endpoint {quoted(endpoint_id)}.")
        return found

    async def alive(self, exchange: Exchange, api_key: ApiKey) -> StoredEndpoint:
        """The same, to be changed: one that was deleted is missing as well."""
        found = await self.of_path(exchange, api_key)
        if found.deleted_at is not None:
            raise ResourceMissing(f"The webhook endpoint {found.id} was deleted.")
        return found

    async def default(self, exchange: Exchange, api_key: ApiKey) -> StoredEndpoint:
        """The endpoint that the seed's settings are about. Raises as `alive` does."""
        del exchange
        row = await self.postgres.fetch_row("default_endpoint", *owner(api_key))
        found = await self.find(row["id"], api_key) if row else None
        if found is None:
            raise ResourceMissing("There is no default endpoint yet; set one with webhook_url.")
        return found

    def print_of(self, exchange: Exchange, asked: BaseModel) -> str:
        """What a request is known again by. Keyed: it is made from secrets too."""
        said = [exchange.method, exchange.target, asked.model_dump(exclude_unset=True)]
        raw = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        return hmac.new(self._print_key, raw, hashlib.sha256).hexdigest()

    @asynccontextmanager
    async def changing(self, key: str | None = None) -> AsyncIterator[None]:
        """Problems in place of what the transaction raises. Its COMMIT may have come through
        without an answer, so nobody is told that nothing happened (08 R15)."""
        try:
            with stored_or_unsure(self._retry_after_s, key):
                yield
        except (endpoint.EndpointUnknown, endpoint.EndpointDeleted) as error:
            raise ResourceMissing(str(error)) from None
        except api_keys.ActorNotActive as error:
            raise ApiKeyRevoked(str(error)) from None
        except endpoint.EndpointUnverified as error:
            raise EndpointNotVerified(str(error)) from None
        except endpoint.TooManyEndpoints as error:
            raise TooManyWebhookEndpoints(str(error)) from None
        except endpoint.TooManySecrets as error:
            raise TooManyEndpointSecrets(str(error)) from None
        except endpoint.EndpointRequestDiffers as error:
            raise KeyReused(str(error), param="Idempotency-Key") from None
        with contextlib.suppress(StoreUnavailable):  # It is stored; the copy follows in a second.
            await self._configuration.refresh()

    def answer(self, found: StoredEndpoint) -> Response:
        """The endpoint as it is answered."""
        return json_answer(self.shown(found).model_dump_json().encode())

    def new_secret(
        self, found: StoredEndpoint, key: str, *, repeated: bool, shown: bool
    ) -> Response:
        """The answer to a request that made a secret, or to its repeat."""
        headers = {"Idempotency-Key": key, "Location": f"{API_ENDPOINTS}/{found.id}"}
        if repeated:
            headers["Idempotent-Replayed"] = "true"
        members = self.shown(found).model_dump()
        standard = None
        if shown:
            members["secret"] = secret = self.box.open(found.sealed_secret)
            standard = standard_form(secret)
        answer = NewSecretAnswer(**members, standard_secret=standard)
        return json_answer(answer.model_dump_json().encode(), 201, headers)

    def shown(self, found: StoredEndpoint) -> EndpointAnswer:
        """An endpoint as it is shown: all but what is secret."""
        return EndpointAnswer(
            id=found.id,
            livemode=found.mode == "live",
            url=found.url,
            event_types=list(found.event_types),
            description=found.description,
            is_default=found.is_default,
            status=found.status,
            disabled_reason=found.disabled_reason,
            disabled_at=told(found.disabled_at) if found.disabled_at else None,
            schedule=found.schedule,
            waits_s=[wait_ms // 1000 for wait_ms in found.waits_ms],
            headers=masked_headers(self.box, found.sealed_headers),
            rate_per_s=found.rate_per_s,
            allowed_per_min=found.allowed_per_min,
            fifo=found.fifo,
            fifo_blocks=found.fifo_blocks,
            asymmetric=found.sealed_signing_key is not None,
            public_key=self._public_key(found.sealed_signing_key),
            secret=self._masked(found.sealed_secret),
            older_secrets=[
                OlderSecretAnswer(
                    secret=self._masked(one.sealed), expires_at=iso(one.expires_at_ms or 0)
                )
                for one in found.older_secrets
            ],
            verified_at=told(found.verified_at) if found.verified_at else None,
            verification_error=found.verification_error,
            created_at=told(found.created_at),
            updated_at=told(found.updated_at),
            deleted_at=told(found.deleted_at) if found.deleted_at else None,
        )

    def _masked(self, sealed: str) -> str:
        try:
            return mask(self.box.open(sealed))
        except SecretUnreadable:
            return mask("")  # Another HEADGATE_SECRET_KEY sealed it; reading need not fail.

    def _public_key(self, sealed: str | None) -> str | None:
        with contextlib.suppress(SecretUnreadable):
            return public_key(self.box.open(sealed)) if sealed else None
        return None


def owner(api_key: ApiKey) -> Owner:
    """Whose endpoints an API key is for."""
    return (api_key.merchant_id, api_key.mode)
