"""An answer that is an error: an RFC 9457 problem with the seed's `error` member.

Problem
├── problems_of_requests   what is wrong with a request: 400, 404, 405, 408, 413, 415, 422, 431
├── problems_of_access     who asks, for what, and how often: 401, 403, 429
├── problems_of_payments   what a payment refuses: 400, 402
├── problems_of_checkout   what a checkout session refuses: 401, 409
├── problems_of_replays    what a replay of webhooks refuses: 400, 409
├── problems_of_webhooks   what a webhook endpoint refuses: 400
└── problems_of_services   what happened here: 409, 422, 500, 503

A class with a `code` is one error of 01 §7.5, and owns what there is to say about it: its docstring
is its meaning, `remedy` what to do; its schema, its page and its example are made from these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

import orjson
from starlette.responses import Response

from headgate.streams.cards import masked
from headgate.streams.errors import HeadgateError

Json: TypeAlias = str | int | float | bool | Sequence["Json"] | Mapping[str, "Json"] | None

MEDIA_TYPE = "application/problem+json"
DETAIL_CHARACTERS_MAX = 400
ERRORS_MAX = 8
"""Most entries of `errors`; with the detail's limit a problem stays below 2 kB."""


_by_code: dict[str, type[Problem]] = {}


class Flaw(NamedTuple):
    """One thing that is wrong with the request: where, and which of the codes of 01 §7.5."""

    pointer: str
    code: str
    detail: str


class Problem(HeadgateError):
    """An answer that is an error. A subclass without a code is a family and never raised."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    remedy: ClassVar[str]
    """What the caller does about it, in sentences."""
    sample: ClassVar[str]
    """A detail as it may stand in an answer, for the example."""
    sample_param: ClassVar[str | None] = None
    seed_code: ClassVar[str] = "BAD_REQUEST_ERROR"
    seed_description: ClassVar[str | None] = None
    """The seed's own words in its error object; without any, `detail` stands there."""
    retryable: ClassVar[bool] = False
    closes: ClassVar[bool] = False
    """Whether the connection is closed after the answer."""

    def __init_subclass__(cls) -> None:
        """Enter the class under its code, which no other class may have."""
        super().__init_subclass__()
        code = cls.__dict__.get("code")
        if code is not None and _by_code.setdefault(code, cls) is not cls:
            raise TypeError(f"{cls.__name__} has the code of {_by_code[code].__name__}: {code}")

    def __init__(
        self,
        detail: str,
        *,
        param: str | None = None,
        flaws: Sequence[Flaw] = (),
        seed_error: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`seed_error` is the string that the seed answers on this route in place of its error
        object, where it has one."""
        super().__init__(detail)
        self.detail = masked(detail)[:DETAIL_CHARACTERS_MAX]
        self.param = param
        self.flaws = flaws
        self.seed_error = seed_error
        self.headers = dict(headers or {})
        self.decline_code: str | None = None
        self.advice_code: str | None = None
        self.more: dict[str, Json] = {}
        """Members that only this problem has."""

    @classmethod
    def example(cls) -> Self:
        """The problem as it may be answered, for the docs."""
        return cls(cls.sample, param=cls.sample_param)

    def document(self, request_id: str) -> dict[str, Json]:
        """The problem as JSON."""
        described = self.seed_description or self.detail
        return {
            "type": f"/errors/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": f"/requests/{request_id}",
            "code": self.code,
            "param": self.param,
            "errors": [flaw._asdict() for flaw in self.flaws[:ERRORS_MAX]],
            "decline_code": self.decline_code,
            "advice_code": self.advice_code,
            "retryable": self.retryable,
            "request_id": request_id,
            **self.more,
            "error": self.seed_error or {"code": self.seed_code, "description": described},
        }

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """JSON schema of what distinguishes this error from the other ones."""
        return {
            "properties": {
                "type": {"const": f"/errors/{cls.code}"},
                "title": {"const": cls.title},
                "status": {"const": cls.status},
                "code": {"const": cls.code},
                "retryable": {"const": cls.retryable},
            }
        }

    def response(self, request_id: str) -> Response:
        """The problem as an answer. `Should-Retry` tells clients that look at headers only."""
        headers = {"Should-Retry": "true" if self.retryable else "false", **self.headers}
        if self.closes:
            headers["Connection"] = "close"
        body = orjson.dumps(self.document(request_id))
        return Response(body, self.status, headers, MEDIA_TYPE)


class Later(Problem):
    """An error that passes: `Retry-After` says in how many seconds to try again."""

    retryable = True

    def __init__(
        self, detail: str, *, retry_after_s: int, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s), **(headers or {})})

    @classmethod
    def example(cls) -> Self:
        """The problem as it may be answered, for the docs."""
        return cls(cls.sample, retry_after_s=1)


def kind_of(code: str) -> type[Problem] | None:
    """The error with this code, if its module was imported; `problem_kinds` imports all."""
    return _by_code.get(code)
