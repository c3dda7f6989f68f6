"""`/.well-known/webhook-keys/{endpoint}`: the public keys that verify an endpoint's `v1a`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field
from starlette.responses import Response

from headgate.http.exchange import Exchange
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.routing import json_answer
from headgate.streams.cards import quoted
from headgate.streams.secrets import SecretBox
from headgate.streams.signatures_asymmetric import public_jwk, public_key
from headgate.tables.configuration import ConfigurationCopy


class PublicKey(BaseModel):
    """An ed25519 key as a JSON Web Key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    alg: Literal["EdDSA"]
    use: Literal["sig"]
    kid: str
    x: str = Field(description="The 32 bytes of the key in base64url, without padding.")


class WebhookKeysAnswer(BaseModel):
    """The public keys of one endpoint, a JSON Web Key Set with the same keys in the form of
    Standard Webhooks beside them."""

    keys: list[PublicKey]
    public_keys: list[str] = Field(description="`whpk_` and base64, as verify helpers take them.")


class WebhookKeys:
    """Public by its nature: no API key is asked for, and nothing is told but the keys. It reads
    the copy of the configuration, so it answers while PostgreSQL is away."""

    def __init__(self, configuration: ConfigurationCopy, box: SecretBox) -> None:
        self._configuration = configuration
        self._box = box

    async def show(self, exchange: Exchange) -> Response:
        """The keys. An endpoint without one is not told from one that does not exist."""
        endpoint_id = exchange.path("endpoint")
        endpoint = self._configuration.now.endpoints.get(endpoint_id)
        if endpoint is None or endpoint.sealed_signing_key is None or endpoint.deleted:
            raise ResourceMissing(f"There are no public keys of {quoted(endpoint_id)}.")
        signing_key = self._box.open(endpoint.sealed_signing_key)
        found = WebhookKeysAnswer(
            keys=[PublicKey.model_validate(public_jwk(signing_key, endpoint.id))],
            public_keys=[public_key(signing_key)],
        )
        return json_answer(found.model_dump())
