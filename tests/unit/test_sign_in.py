"""Signing in, as far as no session is needed: where it leads, whose forms it takes, cookies."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard import session_cookie, stands
from headgate.dashboard.forms import FormRefused, check_origin, check_token
from headgate.dashboard.sign_in import _back, _missing, local_path
from headgate.dashboard.stands import Stands
from headgate.dashboard.viewer import Viewer
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings

VIEWER = Viewer("opr_1", "Ada", None, "test", "csrf")


def asked(scheme: str = "http", **headers: str) -> Request:
    """A request with these headers."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "scheme": scheme, "path": "/", "headers": raw})


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/payments?q=a%20b&x=1", "/"])
def test_a_path_of_ours_is_led_to(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "dashboard",
        "//evil.example",
        "/\\evil.example",
        "/a\\b",
        "https://evil.example/",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=1",
        "/a b",
        "/\t/evil.example",
        "/" + "a" * 2000,
    ],
)
def test_what_could_lead_elsewhere_is_not(path: str) -> None:
    assert local_path(path) is None


def test_of_where_the_form_was_only_the_path_counts() -> None:
    assert _back(asked(referer="http://pay.example/dashboard/log?x=1")) == "/dashboard/log?x=1"
    assert _back(asked(referer="http://evil.example//evil.example/")) is None
    assert _back(asked()) is None


def test_what_was_left_empty_is_told_in_the_order_of_the_form() -> None:
    assert list(_missing(" ", "")) == ["email", "password"]
    assert list(_missing("a@b", "")) == ["password"]
    assert _missing("a@b", "x") == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin", "origin": "https://pay.example", "host": "10.0.0.1"},
        {"origin": "http://pay.example:8000", "host": "pay.example:8000"},
        {"host": "pay.example"},
    ],
)
def test_forms_of_ours_are_taken(headers: dict[str, str]) -> None:
    check_origin(asked(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "origin": "http://pay.example", "host": "pay.example"},
        {"origin": "https://evil.example", "host": "pay.example"},
        {"origin": "http://pay.example:8001", "host": "pay.example:8000"},
        {"origin": "null", "host": "pay.example"},
    ],
)
def test_forms_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(FormRefused, match="Another site"):
        check_origin(asked(**headers))


@pytest.mark.parametrize("token", [None, "", "another session's"])
def test_a_form_is_not_believed_without_its_sessions_token(token: str | None) -> None:
    """Whatever its headers say or leave out (ADR 0034)."""
    viewer = Viewer("opr_1", "Olga", None, "test", csrf="this session's")
    with pytest.raises(FormRefused, match="older session"):
        check_token({} if token is None else {"csrf": token}, viewer)
    check_token({"csrf": "this session's"}, viewer)


@pytest.mark.parametrize(
    ("request_", "public_url", "start", "secure"),
    [
        (asked(), "", "headgate_session=s;", False),
        (asked(origin="http://pay.example"), "http://pay.example", "headgate_session=s;", False),
        (asked(origin="https://pay.example"), "", "__Host-headgate_session=s;", True),
        (asked("https"), "", "__Host-headgate_session=s;", True),
        (asked(), "https://pay.example", "__Host-headgate_session=s;", True),
    ],
)
def test_a_cookie_is_as_safe_as_the_connection_allows(
    request_: Request, public_url: str, start: str, secure: bool
) -> None:
    response = Response()
    session_cookie.put(response, request_, Settings(public_url=public_url), "s")
    said = response.headers["set-cookie"]
    assert said.startswith(start)
    assert ("Secure" in said) is secure
    for rule in ("HttpOnly", "Path=/", "SameSite=lax"):
        assert rule in said
    assert "Domain" not in said


def test_the_safer_cookie_wins_and_over_https_is_the_only_one() -> None:
    both = "headgate_session=tossed; __Host-headgate_session=ours"
    plain, local = "headgate_session=tossed", Settings()
    assert session_cookie.secret_of(asked(cookie=both), local) == "ours"
    assert session_cookie.secret_of(asked(cookie="headgate_session=local"), local) == "local"
    assert session_cookie.secret_of(asked("https", cookie=plain), local) == ""
    assert session_cookie.secret_of(asked(), local) == ""
    proxied = Settings(public_url="https://pay.example")  # The proxy speaks http to us.
    assert session_cookie.secret_of(asked(cookie=plain), proxied) == ""
    assert session_cookie.secret_of(asked(cookie=both), proxied) == "ours"


@pytest.mark.parametrize(
    ("public_url", "origin", "kept"),
    [
        ("https://pay.example", "http://10.0.0.1:8000", False),
        ("https://pay.example", "https://pay.example", True),
        ("https://pay.example", "http://localhost:8000", True),
        ("https://pay.example", "http://a.localhost", True),
        ("http://pay.example", "http://pay.example", True),
        ("", "http://10.0.0.1:8000", True),
    ],
)
def test_a_cookie_for_https_is_not_given_to_a_browser_that_drops_it(
    public_url: str, origin: str, kept: bool
) -> None:
    settings = Settings(public_url=public_url)
    assert session_cookie.is_kept(asked(origin=origin), settings) is kept


@pytest.mark.parametrize(
    ("found", "sent"), [(VIEWER, 3), (None, 1), (Viewer("opr_1", "Ada", None, "live", "csrf"), 1)]
)
async def test_a_stream_ends_when_its_session_does(
    monkeypatch: pytest.MonkeyPatch, found: Viewer | None, sent: int
) -> None:
    closed = []

    async def stream() -> AsyncIterator[int]:
        try:
            for number in range(3):
                yield number
                monkeypatch.setattr(stands, "LOOK_EVERY_S", 0.0)  # From now on it asks each time.
        finally:
            closed.append(True)

    async def find() -> Viewer | None:
        return found

    seen = [chunk async for chunk in Stands(find, VIEWER).while_it_does(stream())]
    assert (seen, closed) == (list(range(sent)), [True])


async def test_postgresql_away_ends_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    async def find() -> Viewer | None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(stands, "LOOK_EVERY_S", 0.0)
    assert await Stands(find, VIEWER).now()
