"""The REST surface as the dashboard uses it: everyone's, on behalf of the person who looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from headgate.streams.commands import Mode

API = "/api/v1"
WAIT_S = 10.0
"""How long an answer is waited for; the edge itself answers within its own, shorter limits."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the edge said."""

    status: int
    document: Any
    """The JSON, None when there was none."""

    @property
    def ok(self) -> bool:
        """Whether it did what was asked, or will (202)."""
        return 200 <= self.status < 300  # noqa: PLR2004

    @property
    def code(self) -> str:
        """The problem's stable code; empty when it did what was asked, or said nothing."""
        return str(self.document.get("code", "")) if isinstance(self.document, dict) else ""

    @property
    def refusal(self) -> str:
        """Why not, in the problem's own words."""
        if isinstance(self.document, dict):
            return str(self.document.get("detail") or self.document.get("title") or self.status)
        return f"The edge answered {self.status}."


class Rest:
    """Asks as `token` says; see `tables.acting` for how tokens are made."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(
        self,
        token: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Answered:
        """Ask the edge for `path` below `/api/v1`. An edge that is away is an answer, too: 503."""
        if not (idempotency_key or "").isascii():
            return Answered(400, {"detail": "The form was damaged; open it anew."})
        headers = {"Authorization": f"Bearer {token}"}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        try:
            answer = await self._client.request(
                method, API + path, json=body, headers=headers, timeout=WAIT_S
            )
        except httpx.HTTPError as error:
            detail = f"The edge did not answer ({type(error).__name__}). Look before trying again."
            return Answered(503, {"detail": detail})
        is_json = "json" in answer.headers.get("content-type", "")
        return Answered(answer.status_code, answer.json() if is_json else None)


def mode_of(value: str) -> Mode:
    """`test` or `live`; anything else is test, where nothing costs anything."""
    return "live" if value == "live" else "test"
