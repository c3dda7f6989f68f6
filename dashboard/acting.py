"""Acting: what a person does on a screen, asked of the REST surface in that person's name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.dashboard.place import Place
from headgate.dashboard.rest import Answered
from headgate.dashboard.viewer import Viewer
from headgate.streams.clock import now_ms
from headgate.streams.commands import Mode
from headgate.tables import acting
from headgate.tables.scopes import Scope


@dataclass(frozen=True, slots=True)
class Acting:
    """A person who acts for one merchant, in one mode, with one scope: those of the row that the
    action is about, which may be anybody's when an operator looks."""

    place: Place
    viewer: Viewer
    merchant_id: str
    mode: Mode
    scope: Scope
    more: Collection[Scope] = ()
    """Further scopes: who makes an API key must have what the key is to have."""

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Answered:
        """What the edge answers. `key` is the idempotency key under which a repeat does nothing."""
        token = acting.mint(
            self.place.settings.secret_key,
            self.viewer.actor,
            self.merchant_id,
            self.mode,
            {self.scope, *self.more},
            now_ms(),
        )
        return await self.place.rest.ask(token, method, path, body, key)
