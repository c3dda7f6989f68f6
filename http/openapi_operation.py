"""One method of one path, as the OpenAPI document describes it: what it takes and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from headgate.http.gate import UNLIMITED
from headgate.http.problems import Problem
from headgate.http.problems_of_access import (
    ApiKeyInvalid,
    ApiKeyMissing,
    ApiKeyRevoked,
    LivemodeMismatch,
    MerchantInactive,
    PermissionDenied,
    RateLimited,
)
from headgate.http.problems_of_checkout import ClientSecretInvalid
from headgate.http.problems_of_requests import (
    HeadersTooLarge,
    HttpMalformed,
    JsonMalformed,
    KeyReused,
    MethodNotAllowed,
    ParameterInvalid,
    ParameterMissing,
    ParameterUnknown,
    PayloadTooLarge,
    RequestTimeout,
    ResourceMissing,
    UnsupportedMediaType,
)
from headgate.http.problems_of_services import (
    DependencyAway,
    InternalError,
    KeyInUse,
    LogAway,
    NotCaughtUp,
    OutcomeUnknown,
    Overloaded,
    StoreAway,
)
from headgate.tables.scopes import READING, Scope

API = "/api/v1"

Model = type[BaseModel]
Kinds = tuple[type[Problem], ...]

ALWAYS: Kinds = (
    HttpMalformed,
    MethodNotAllowed,
    RequestTimeout,
    PayloadTooLarge,
    HeadersTooLarge,
    InternalError,
    Overloaded,
)
"""Errors of every route: they come from before it or from below it."""
AUTHENTICATED: Kinds = (
    ApiKeyMissing,
    ApiKeyInvalid,
    ApiKeyRevoked,
    PermissionDenied,
    LivemodeMismatch,
    RateLimited,
    StoreAway,
    DependencyAway,
)
CUSTOMERS: Kinds = (ClientSecretInvalid, RateLimited, StoreAway, DependencyAway)
"""Errors of what a client secret opens."""
BODY: Kinds = (
    JsonMalformed,
    ParameterMissing,
    ParameterInvalid,
    ParameterUnknown,
    UnsupportedMediaType,
)
KEYED: Kinds = (ParameterInvalid, KeyInUse, KeyReused, LogAway, OutcomeUnknown)
REPEATABLE: Kinds = (ParameterInvalid, KeyReused, OutcomeUnknown)
WAITING: Kinds = (LogAway, NotCaughtUp)
"""Errors of reads that wait for settle, for the `problems` of an operation."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `problems` are the errors that do not follow from the rest of it;
    `scope` is what the API key must have, None where none is needed."""

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, Model | str]
    problems: Kinds = ()
    body: Model | None = None
    example: Mapping[str, Any] = field(default_factory=dict)
    query: tuple[str, ...] = ()
    may_be_empty: bool = False
    """Whether no body at all is taken as `{}`."""
    keyed: bool = False
    """Whether it makes a command under an `Idempotency-Key`."""
    repeatable: bool = False
    """Whether it takes an `Idempotency-Key`, though nothing of it goes to the log."""
    scope: Scope | None = None
    client_secret: bool = False
    """Whether the client secret of a checkout session opens it."""

    @property
    def authenticated(self) -> bool:
        """Whether an API key is needed."""
        return self.scope is not None

    @property
    def waits(self) -> bool:
        """Whether it reads, and so takes `Consistent-With`."""
        return self.method == "get" and self.authenticated

    def kinds(self) -> list[type[Problem]]:
        """Every error that this operation may answer with, by status and code."""
        found = {*ALWAYS, *self.problems}
        if self.path.startswith(UNLIMITED):
            found.remove(Overloaded)
        found |= set(AUTHENTICATED if self.authenticated else ())
        found |= set(CUSTOMERS if self.client_secret else ())
        if self.scope is not None and self.scope not in READING:
            found.add(MerchantInactive)
        found |= set(BODY if self.body is not None else ())
        found |= set(KEYED if self.keyed else ())
        found |= set(REPEATABLE if self.repeatable else ())
        if self.query or self.waits:
            found.add(ParameterInvalid)
        if self.waits:
            found.add(NotCaughtUp)
        if "{" in self.path:
            found.add(ResourceMissing)
        return sorted(found, key=lambda kind: (kind.status, kind.code))
