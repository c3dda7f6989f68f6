"""People and their sessions on a real PostgreSQL: signed in, limited, ended, audited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.streams.settings import Settings
from headgate.tables import merchants, people
from headgate.tables.migrate import migrate
from headgate.tables.passwords import PasswordRefused
from headgate.tables.people import PersonRefused, PersonUnknown, PersonWanted
from headgate.tables.postgres import Postgres
from headgate.tables.sessions import Session, SessionStore, session_id
from headgate.tables.signing_in import SWEPT_MAX, Asked, SigningIn, SignInRefused, TooManySignIns

pytestmark = pytest.mark.system

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
PER_EMAIL, PER_ADDRESS = 3, 6


class House:
    """A database with one operator, and what is asked of it."""

    def __init__(self, settings: Settings, postgres: Postgres) -> None:
        self.postgres = postgres
        self.signing_in = SigningIn(settings, postgres)
        self.sessions = SessionStore(settings, postgres)

    async def sign_in(
        self, email: str = EMAIL, password: str = PASSWORD, address: str = "192.0.2.1"
    ) -> str:
        """The secret of a new session."""
        return await self.signing_in.open(Asked(email, password, address))

    async def session(self, secret: str) -> Session:
        """The session of a secret that has one."""
        found = await self.sessions.find(secret)
        assert found is not None
        return found

    async def run(self, sql: str, *arguments: object) -> list[Any]:
        """What PostgreSQL answers."""
        async with self.postgres.connection() as connection:
            return list(await connection.fetch(sql, *arguments))

    async def audit(self) -> list[tuple[str, str, str]]:
        """Who did what to whom."""
        sql = "select actor, action, subject from audit order by id"
        return [tuple(row) for row in await self.run(sql)]


@pytest.fixture
async def house(live_settings: Settings) -> AsyncIterator[House]:
    """A migrated database with Ada in it, and small limits."""
    limits = {"sign_ins_per_email": PER_EMAIL, "sign_ins_per_address": PER_ADDRESS}
    settings = live_settings.model_copy(update=limits)
    await migrate(settings)
    postgres = Postgres(settings)
    await people.create(postgres, PersonWanted(EMAIL.upper(), "Ada"), PASSWORD)
    yield House(settings, postgres)
    await postgres.close()


async def refused(house: House, times: int, **how: str) -> None:
    """Wrong passwords, each refused."""
    for _ in range(times):
        with pytest.raises(SignInRefused, match="address or the password is wrong"):
            await house.sign_in(password="wrong horse", **how)


async def test_an_operator_signs_in_looks_around_and_signs_out(house: House) -> None:
    secret = await house.sign_in(" Ada@Example.com")
    session = await house.session(secret)
    assert (session.name, session.kind, session.merchant_id) == ("Ada", "operator", None)
    assert (session.mode, session.theme) == ("test", "system")
    assert session.person_id.startswith("opr_")
    await house.sessions.set_mode(secret, "live")
    await house.sessions.set_theme(secret, "dark")
    changed = await house.session(secret)
    assert (changed.mode, changed.theme) == ("live", "dark")
    again = await house.session(await house.sign_in())
    assert (again.mode, again.theme) == ("test", "dark")
    assert again.csrf != session.csrf
    await house.sessions.end(secret)
    await house.sessions.end(secret)
    assert await house.sessions.find(secret) is None
    who = session.person_id
    assert await house.audit() == [
        ("operator", "person.create", who),
        (session.actor, "person.sign_in", who),
        (session.actor, "person.sign_in", who),
        (session.actor, "person.sign_out", who),
    ]


async def test_neither_passwords_nor_the_secrets_of_sessions_are_stored(house: House) -> None:
    secret = await house.sign_in()
    await refused(house, 1, email="hunter2")
    for table in ("people", "sessions", "sign_in_attempts", "audit"):
        for row in await house.run(f"select to_jsonb(t)::text as text from {table} t"):  # noqa: S608
            for word in (PASSWORD, secret, "hunter2", "wrong horse"):
                assert word not in row["text"]


async def test_guesses_at_one_person_are_limited_and_the_right_password_waits_too(
    house: House,
) -> None:
    await refused(house, PER_EMAIL - 1)
    await house.sign_in()  # Forgets them.
    await refused(house, PER_EMAIL)
    with pytest.raises(TooManySignIns) as told:
        await house.sign_in(EMAIL.upper(), address="192.0.2.2")
    assert 0 < told.value.wait_s <= 900
    await house.run("update sign_in_attempts set at = at - interval '15 minutes'")
    await house.sign_in()
    actions = [action for _, action, _ in await house.audit()]
    assert actions.count("person.sign_in_refused") == 2 * PER_EMAIL - 1


async def test_guesses_from_one_network_are_limited(house: House) -> None:
    for number in range(PER_ADDRESS):
        await refused(house, 1, email=f"guess{number}@example.com", address=f"2001:db8::{number}")
    with pytest.raises(TooManySignIns):
        await house.sign_in(address="2001:db8::ffff")
    await house.sign_in(address="2001:db8:0:1::1")


async def test_many_guesses_at_once_do_not_slip_through(house: House) -> None:
    guesses = [house.sign_in(password="wrong horse", address=f"192.0.2.{n}") for n in range(12)]
    told = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(one, SignInRefused) for one in told) == PER_EMAIL
    assert sum(isinstance(one, TooManySignIns) for one in told) == 12 - PER_EMAIL


async def test_another_password_ends_every_session_and_lets_in_who_was_limited(
    house: House,
) -> None:
    secrets = [await house.sign_in() for _ in range(2)]
    await refused(house, PER_EMAIL)
    ada = await people.find(house.postgres, EMAIL, "operator")
    await people.set_password(house.postgres, ada, "another horse battery")
    assert [await house.sessions.find(secret) for secret in secrets] == [None, None]
    await refused(house, 1)
    await house.sign_in(password="another horse battery")


async def test_who_is_disabled_is_out_until_enabled_again(house: House) -> None:
    secret = await house.sign_in()
    ada = await people.find(house.postgres, EMAIL, "operator")
    await people.set_disabled(house.postgres, ada, disabled=True)
    assert await house.sessions.find(secret) is None
    with pytest.raises(SignInRefused):
        await house.sign_in()
    [listed] = await people.listed(house.postgres, "operator")
    assert listed.disabled_at is not None
    await people.set_disabled(house.postgres, ada, disabled=False)
    assert await house.sessions.find(secret) is None
    await house.sign_in()


async def test_a_session_ends_when_it_is_idle_or_old(house: House) -> None:
    idle, old, used = [await house.sign_in() for _ in range(3)]
    for secret, change in (
        (idle, "seen_at = seen_at - interval '1 hour'"),
        (old, "expires_at = now()"),
        (used, "seen_at = seen_at - interval '59 minutes'"),
    ):
        await house.run(f"update sessions set {change} where id = $1", session_id(secret))  # noqa: S608
    assert await house.sessions.find(idle) is None
    assert await house.sessions.find(old) is None
    await house.session(used)
    sql = "select now() - seen_at < interval '1 minute' as fresh from sessions where id = $1"
    assert [row["fresh"] for row in await house.run(sql, session_id(used))] == [True]


async def test_what_is_over_is_deleted_a_few_at_a_time(house: House) -> None:
    await house.sign_in()
    await house.run(
        "insert into sessions(id, person_id, csrf, mode, expires_at) select n::text::bytea, id, '',"
        " 'test', now() - interval '1 s' from people, generate_series(1, $1) as n",
        SWEPT_MAX + 1,
    )
    await house.run(
        "insert into sign_in_attempts(bucket, at) select 'b', now() - interval '1 day'"
        " from generate_series(1, $1)",
        SWEPT_MAX + 1,
    )
    for left in (1, 0):
        await house.sign_in()
        for table, more in (("sessions", " where expires_at < now()"), ("sign_in_attempts", "")):
            [row] = await house.run(f"select count(*) as many from {table}{more}")  # noqa: S608
            assert row["many"] == left


async def test_another_text_is_no_session(house: House) -> None:
    for secret in ("", "short", "\x00" * 43, "x" * 43, "x" * 10_000):
        assert await house.sessions.find(secret) is None


async def test_a_merchants_user_belongs_to_it(house: House) -> None:
    pair = await merchants.create(house.postgres, "Shop", "shop@example.com", "test")
    wanted = PersonWanted("bob@shop.example", "Bob", pair.merchant_id)
    user = await people.create(house.postgres, wanted, PASSWORD)
    session = await house.session(await house.sign_in("bob@shop.example"))
    assert (session.merchant_id, session.actor) == (pair.merchant_id, f"merchant_user:{user}")
    found = await people.listed(house.postgres, "merchant_user", pair.merchant_id)
    assert [person.id for person in found] == [user]
    assert await people.listed(house.postgres, "merchant_user", "mer_other") == []
    with pytest.raises(PersonUnknown, match="no operator"):
        await people.find(house.postgres, "bob@shop.example", "operator")


async def test_who_cannot_be_is_refused(house: House) -> None:
    for wanted, told in (
        (PersonWanted(EMAIL, "Ada"), "exists"),
        (PersonWanted("ada", "Ada"), "no e-mail address"),
        (PersonWanted("c@d", " "), "name"),
        (PersonWanted("c@d", "Cid", "mer_none"), "no such merchant"),
    ):
        with pytest.raises(PersonRefused, match=told):
            await people.create(house.postgres, wanted, PASSWORD)
    with pytest.raises(PasswordRefused):
        await people.create(house.postgres, PersonWanted("c@d", "Cid"), "short")


async def test_the_demo_operator_is_made_once_where_the_demo_merchant_may_be(
    house: House, live_settings: Settings
) -> None:
    assert await people.create_demo(live_settings) is None  # Ada is there.
    await house.run("delete from people")
    away = live_settings.model_copy(update={"test_mode": False})
    assert await people.create_demo(away) is None
    password = await people.create_demo(live_settings)
    assert password is not None
    assert await people.create_demo(live_settings) is None
    session = await house.session(await house.sign_in(people.DEMO_EMAIL, password))
    assert session.kind == "operator"
