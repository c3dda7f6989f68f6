"""What every handler knows of its request beyond the body of ASGI: id, route, body, headers."""

from __future__ import annotations

import re
from typing import NamedTuple, cast
from urllib.parse import parse_qsl

from starlette.types import Scope

from headgate.http.problems_of_requests import ParameterInvalid
from headgate.streams.cards import is_number, quoted
from headgate.tables.configuration import ApiKey

REQUEST_ID, ROUTE, BODY = "headgate.request_id", "headgate.route", "headgate.body"
LIMITS = "headgate.limits"
KEPT = "headgate.kept"
"""How long browsers may keep the answer, where they may: a `Cache-Control`."""
"""Where the gate, the routes and the limits leave what they know in the scope."""
API_KEY, PAYMENT_ID = "headgate.api_key", "headgate.payment_id"
"""Where handlers leave for the request log whose request it is, and which payment it is about."""
ABORT = "headgate.abort"
"""Where the protocol leaves how the connection is cut: by a call."""

KEY_CHARACTERS_MAX = 255
LIMIT_DEFAULT = 10
_BARE_KEY = re.compile(r"[\x20-\x7e]+")
_QUOTED_KEY = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"')
_NUMBER_DIGITS_MAX = 12
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,255}")


class Preference(NamedTuple):
    """What `Prefer` asks for (RFC 7240); what cannot be read there is ignored, as it says."""

    wait_s: int | None = None
    respond_async: bool = False

    @property
    def wait_ms(self) -> int | None:
        """How long to wait; None when that is left to us."""
        if self.respond_async:
            return 0
        return None if self.wait_s is None else self.wait_s * 1000


WAIT_S_MAX = 30
_WAIT = re.compile(r'wait\s*=\s*"?([0-9]{1,9})"?', re.IGNORECASE)


class Exchange:
    """One request, read."""

    __slots__ = ("_scope", "headers")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }

    @property
    def method(self) -> str:
        """The HTTP method."""
        return cast("str", self._scope["method"])

    @property
    def target(self) -> str:
        """The path, decoded."""
        return cast("str", self._scope["path"])

    @property
    def route(self) -> str:
        """The template of the route: `/api/v1/payments/{id}`."""
        return cast("str", self._scope[ROUTE])

    @property
    def client(self) -> str:
        """The address that the connection comes from; empty when it has none."""
        client = self._scope.get("client")
        return cast("str", client[0]) if client else ""

    @property
    def origin(self) -> str:
        """Scheme and host that the request was sent to: `https://pay.example.com`."""
        host = self.headers.get("host", "")
        return f"{self._scope['scheme']}://{host if _HOST.fullmatch(host) else 'localhost'}"

    def keep(self, cache_control: str) -> None:
        """Let browsers keep the answer, which nothing else lets them."""
        self._scope[KEPT] = cache_control

    def tell_limit(self, policy: str, state: str) -> None:
        """Have the answer tell a limit that applies, besides those told before."""
        told = self._scope.get(LIMITS)
        if told is not None:
            policy, state = f"{told[0]}, {policy}", f"{told[1]}, {state}"
        self._scope[LIMITS] = (policy, state)

    def asked_by(self, api_key: ApiKey) -> None:
        """Let the request log know whose request this is."""
        self._scope[API_KEY] = api_key

    def is_about(self, payment_id: str) -> None:
        """Let the request log know which payment this is about: an id of ours, not just any that
        stands in the path."""
        self._scope[PAYMENT_ID] = payment_id

    @property
    def request_id(self) -> str:
        """The id under which our log has this request."""
        return cast("str", self._scope[REQUEST_ID])

    @property
    def body(self) -> bytes:
        """The whole body, within the limit."""
        return cast("bytes", self._scope[BODY])

    def path(self, name: str) -> str:
        """A part of the path."""
        return cast("str", self._scope["path_params"][name])

    def pairs(self) -> list[tuple[str, str]]:
        """The query's parameters in their order."""
        raw = self._scope["query_string"].decode("latin-1")
        return parse_qsl(raw, keep_blank_values=True) if raw else []

    def query(self) -> dict[str, str]:
        """The query's parameters; of two with one name the last counts."""
        return dict(self.pairs())

    def preference(self) -> Preference:
        """What the client prefers; more than `WAIT_S_MAX` seconds are taken as so many."""
        given = self.headers.get("prefer")
        if given is None:
            return Preference()
        wait_s, respond_async = None, False
        for part in given.split(","):
            word = part.partition(";")[0].strip()
            wait = _WAIT.fullmatch(word)
            if wait and wait_s is None:
                wait_s = min(int(wait[1]), WAIT_S_MAX)
            respond_async |= word.lower() == "respond-async"
        return Preference(wait_s, respond_async)

    def idempotency_key(self) -> str | None:
        """The client's key, bare or as a quoted string (01 §7.3). Raises ParameterInvalid."""
        given = self.headers.get("idempotency-key")
        if given is None:
            return None
        quoted = _QUOTED_KEY.fullmatch(given)
        key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else given
        torn = given.startswith('"') and quoted is None
        if torn or not _BARE_KEY.fullmatch(key) or len(key) > KEY_CHARACTERS_MAX:
            raise ParameterInvalid(
                f"Idempotency-Key must have 1 to {KEY_CHARACTERS_MAX} printable ASCII characters; "
                f"this one has {len(given)} characters.",
                param="Idempotency-Key",
            )
        if is_number(key.replace(" ", "").replace("-", "")):
            raise ParameterInvalid(
                "Idempotency-Key is a card number, or looks like one; draw a random one.",
                param="Idempotency-Key",
            )
        return key


def whole_number(query: dict[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """A query parameter that is a whole number. Raises ParameterInvalid."""
    given = query.get(name)
    if given is None:
        return default
    digits = given.isascii() and given.isdigit() and len(given) <= _NUMBER_DIGITS_MAX
    if not digits or not least <= int(given) <= most:
        raise ParameterInvalid(
            f"{name} is {quoted(given)}; it must be a whole number from {least} to {most}.",
            param=name,
        )
    return int(given)
