"""Signing in and out over ASGI with a real PostgreSQL: cookies, forms, limits, where it leads."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from headgate.dashboard.app import create_dashboard
from headgate.dashboard.everything import place_of
from headgate.dashboard.sessions import Sessions
from headgate.streams.settings import Settings
from headgate.tables import people
from headgate.tables.migrate import migrate
from headgate.tables.people import PersonWanted
from headgate.tables.postgres import Postgres

pytestmark = pytest.mark.system

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
SIGN_IN, PAYMENTS = "/dashboard/sign-in", "/dashboard/payments"
OURS = {"Sec-Fetch-Site": "same-origin"}
THEIRS = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


@pytest.fixture
async def browser(live_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A browser at a dashboard that Ada may see, with room for two wrong passwords."""
    settings = live_settings.model_copy(update={"sign_ins_per_email": 2})
    await migrate(settings)
    postgres = Postgres(settings)
    await people.create(postgres, PersonWanted(EMAIL, "Ada"), PASSWORD)
    place = place_of(settings, postgres, httpx.AsyncClient())
    dashboard = create_dashboard(place, Sessions(settings, postgres))
    transport = httpx.ASGITransport(dashboard)
    async with httpx.AsyncClient(transport=transport, base_url="http://pay.example") as client:
        yield client
    await place.hub.close()
    await postgres.close()


async def sign_in(browser: httpx.AsyncClient, **form: str) -> httpx.Response:
    """Send the form as the page does."""
    given = {"email": EMAIL, "password": PASSWORD, **form}
    return await browser.post(SIGN_IN, data=given, headers=OURS)


async def csrf(browser: httpx.AsyncClient) -> str:
    """The token of the session, from a page."""
    page = await browser.get(PAYMENTS)
    assert page.status_code == 200, page.text
    [first, *others] = re.findall(r'name="csrf" value="([\w-]+)"', page.text)
    assert set(others) <= {first}
    return str(first)


async def test_who_is_not_signed_in_is_led_there_and_back(browser: httpx.AsyncClient) -> None:
    away = await browser.get(f"{PAYMENTS}?q=a%20b")
    assert away.status_code == 303
    page = await browser.get(away.headers["Location"])
    assert page.status_code == 200
    [onward] = re.findall(r'name="next" value="([^"]*)"', page.text)
    assert onward == f"{PAYMENTS}?q=a%20b"
    inside = await sign_in(browser, next=onward)
    assert (inside.status_code, inside.headers["Location"]) == (303, onward)
    assert (await browser.get(PAYMENTS)).status_code == 200
    assert (await browser.get(SIGN_IN)).status_code == 303  # Nothing to do there.


async def test_scripts_are_told_to_sign_in(browser: httpx.AsyncClient) -> None:
    for headers in ({"Accept": "text/event-stream"}, {"X-Quiet": "1"}):
        assert (await browser.get(PAYMENTS, headers=headers)).status_code == 401


async def test_a_form_leads_to_no_other_site(browser: httpx.AsyncClient) -> None:
    inside = await sign_in(browser, next="//evil.example/")
    assert inside.headers["Location"].startswith("/dashboard")


async def test_what_is_wrong_is_told_beside_its_field_which_gets_the_focus(
    browser: httpx.AsyncClient,
) -> None:
    for form, status, field in (
        ({"email": ""}, 422, "email"),
        ({"password": ""}, 422, "password"),
        ({"password": "wrong horse"}, 403, "password"),
    ):
        page = await sign_in(browser, **form)
        assert page.status_code == status
        [wrong] = re.findall(r"<input[^>]*autofocus>", page.text)
        assert f'id="{field}"' in wrong
        assert f'aria-invalid="true" aria-describedby="{field}-wrong"' in wrong
        assert f'id="{field}-wrong"' in page.text
        assert "<title>Error: Sign in" in page.text
        assert "wrong horse" not in page.text
        assert "set-cookie" not in page.headers
        assert f'value="{form.get("email", EMAIL)}"' in page.text


async def test_too_many_wrong_passwords_are_429_with_when_to_try_again(
    browser: httpx.AsyncClient,
) -> None:
    for _ in range(2):
        assert (await sign_in(browser, password="wrong horse")).status_code == 403
    limited = await sign_in(browser)
    assert limited.status_code == 429
    assert 0 < int(limited.headers["Retry-After"]) <= 900
    assert "Try again in 15 min." in limited.text


async def test_signing_out_ends_the_session_for_whoever_copied_the_cookie(
    browser: httpx.AsyncClient,
) -> None:
    await sign_in(browser)
    copied = browser.cookies["headgate_session"]
    token = await csrf(browser)
    out = await browser.post("/dashboard/sign-out", data={"csrf": token}, headers=OURS)
    assert out.status_code == 303
    assert "headgate_session" not in browser.cookies
    assert "You are signed out." in (await browser.get(out.headers["Location"])).text
    browser.cookies.set("headgate_session", copied)
    assert (await browser.get(PAYMENTS)).status_code == 303


async def test_signing_in_again_ends_the_browsers_older_session(browser: httpx.AsyncClient) -> None:
    await sign_in(browser)
    older = browser.cookies["headgate_session"]
    await sign_in(browser)
    assert browser.cookies["headgate_session"] != older
    browser.cookies.clear()
    browser.cookies.set("headgate_session", older)
    assert (await browser.get(PAYMENTS)).status_code == 303


async def test_forms_of_others_change_nothing(browser: httpx.AsyncClient) -> None:
    refused = await browser.post(
        SIGN_IN, data={"email": EMAIL, "password": PASSWORD}, headers=THEIRS
    )
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    await sign_in(browser)
    token = await csrf(browser)
    for path, form in (("sign-out", {}), ("mode", {"mode": "live"}), ("theme", {"theme": "dark"})):
        url = f"/dashboard/{path}"
        for given, headers in (
            ({**form}, OURS),
            ({**form, "csrf": "wrong"}, OURS),
            ({**form, "csrf": token}, THEIRS),
        ):
            assert (await browser.post(url, data=given, headers=headers)).status_code == 403
    page = (await browser.get(PAYMENTS)).text
    assert "test mode" in page
    assert 'data-theme="system"' in page


async def test_mode_and_theme_are_set_and_lead_back(browser: httpx.AsyncClient) -> None:
    await sign_in(browser)
    form = {"csrf": await csrf(browser)}
    headers = {**OURS, "Referer": f"http://pay.example{PAYMENTS}/pay_1?x=1"}
    moved = await browser.post("/dashboard/mode", data={**form, "mode": "live"}, headers=headers)
    assert (moved.status_code, moved.headers["Location"]) == (303, PAYMENTS)
    drawn = await browser.post("/dashboard/theme", data={**form, "theme": "dark"}, headers=headers)
    assert (drawn.status_code, drawn.headers["Location"]) == (303, f"{PAYMENTS}/pay_1?x=1")
    page = (await browser.get(PAYMENTS)).text
    assert "live mode" in page
    assert 'data-theme="dark"' in page
    for path, wrong in (("mode", "both"), ("theme", "pink")):
        refused = await browser.post(
            f"/dashboard/{path}", data={**form, path: wrong}, headers=headers
        )
        assert refused.status_code == 403


async def test_after_the_session_ended_a_form_changes_nothing_and_leads_to_the_sign_in(
    browser: httpx.AsyncClient,
) -> None:
    for path in ("sign-out", "mode", "theme"):
        led = await browser.post(f"/dashboard/{path}", data={"mode": "live"}, headers=OURS)
        assert led.status_code == 303
        assert led.headers["Location"].startswith(SIGN_IN)
