"""People who sign in: operators, and the users of merchants; each change with its audit row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from headgate.streams.errors import HeadgateError
from headgate.streams.ids import draw_id
from headgate.streams.settings import Settings
from headgate.tables.acting import PersonKind
from headgate.tables.merchants import OPERATOR_ACTOR, Connection, audit, demo_allowed
from headgate.tables.passwords import Passwords, draw_password
from headgate.tables.postgres import Postgres, RowRefused, statements

DEMO_EMAIL = "operator@example.com"
EMAIL_CHARACTERS_MAX = 254
NAME_CHARACTERS_MAX = 100
PREFIXES: dict[PersonKind, str] = {"operator": "opr_", "merchant_user": "usr_"}
_EMAIL = re.compile(r"[^@\s\x00]+@[^@\s\x00]+")


class PersonRefused(HeadgateError):
    """Somebody who cannot be made: the e-mail address is taken, or none."""


class PersonUnknown(HeadgateError):
    """There is nobody of this kind with this e-mail address."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in."""

    id: str
    email: str
    name: str
    kind: PersonKind
    merchant_id: str | None
    """Whose rows they see; None for operators, who see all."""
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class PersonWanted:
    """Who a new person is to be; an operator has no merchant."""

    email: str
    name: str
    merchant_id: str | None = None

    @property
    def kind(self) -> PersonKind:
        """What they are."""
        return "operator" if self.merchant_id is None else "merchant_user"


def normal_email(text: str) -> str | None:
    """An e-mail address as it is stored and looked for; None for what is none."""
    email = text.strip().lower()
    fits = len(email) <= EMAIL_CHARACTERS_MAX and _EMAIL.fullmatch(email)
    return email if fits else None


def bucket_of_email(email: str) -> str:
    """Under what sign-ins with this address are counted. Its hash: whoever mistook the field for
    that of the password must not find it stored."""
    said = normal_email(email) or email
    return "email:" + hashlib.sha256(said.encode()).hexdigest()


async def create(
    postgres: Postgres, wanted: PersonWanted, password: str, actor: str = OPERATOR_ACTOR
) -> str:
    """A new person; their id. Raises PersonRefused, PasswordRefused, StoreUnavailable."""
    email = normal_email(wanted.email)
    if email is None:
        raise PersonRefused(f"{wanted.email} is no e-mail address.")
    if not 0 < len(wanted.name.strip()) <= NAME_CHARACTERS_MAX:
        raise PersonRefused(f"A name has 1 to {NAME_CHARACTERS_MAX} characters.")
    person_id = draw_id(PREFIXES[wanted.kind])
    row = (person_id, email, wanted.name.strip(), wanted.kind, wanted.merchant_id)
    hashed = await Passwords().hashed(password)
    try:
        async with postgres.connection() as connection, connection.transaction():
            await connection.execute(statements()["create_person"], *row, hashed)
            said = {"email": email, "merchant_id": wanted.merchant_id}
            await audit(connection, actor, "person.create", person_id, said)
    except RowRefused:
        raise PersonRefused(
            f"Somebody with the e-mail address {email} exists, or there is no such merchant."
        ) from None
    return person_id


async def find(postgres: Postgres, email: str, kind: PersonKind) -> Person:
    """The person of this kind with this e-mail address. Raises PersonUnknown."""
    normal = normal_email(email)
    row = await postgres.fetch_row("person", normal, kind) if normal else None
    if row is None:
        what = "operator" if kind == "operator" else "merchant's user"
        raise PersonUnknown(f"There is no {what} with the e-mail address {email}.")
    return Person(**dict(row))


async def listed(
    postgres: Postgres, kind: PersonKind, merchant_id: str | None = None
) -> Sequence[Person]:
    """Everybody of a kind, oldest first; of this merchant if it is given."""
    return [Person(**dict(row)) for row in await postgres.fetch("people", kind, merchant_id)]


async def set_password(
    postgres: Postgres, person: Person, password: str, actor: str = OPERATOR_ACTOR
) -> None:
    """Give somebody another password, and end all of their sessions; whoever guessed too often at
    the old one keeps them waiting no longer. Raises PasswordRefused."""
    hashed = await Passwords().hashed(password)
    async with postgres.connection() as connection, connection.transaction():
        await connection.execute(statements()["set_password"], person.id, hashed)
        await _end_sessions(connection, person)
        forget = statements()["forget_sign_in_attempts"]
        await connection.execute(forget, bucket_of_email(person.email), [])
        await audit(connection, actor, "person.password", person.id, {})


async def set_disabled(
    postgres: Postgres, person: Person, *, disabled: bool, actor: str = OPERATOR_ACTOR
) -> None:
    """Let somebody in no longer, and end all of their sessions; or let them in again."""
    action = "person.disable" if disabled else "person.enable"
    async with postgres.connection() as connection, connection.transaction():
        await connection.execute(statements()["set_person_disabled"], person.id, disabled)
        await _end_sessions(connection, person)
        await audit(connection, actor, action, person.id, {})


async def _end_sessions(connection: Connection, person: Person) -> None:
    await connection.execute(statements()["end_sessions_of"], person.id)


async def create_demo(settings: Settings) -> str | None:
    """The demo operator, once; their password if they were made now. Where the demo merchant may
    not be, neither may they."""
    if not demo_allowed(settings):
        return None
    postgres, password = Postgres(settings), draw_password()
    try:
        if await listed(postgres, "operator"):
            return None
        await create(postgres, PersonWanted(DEMO_EMAIL, "Demo operator"), password)
    finally:
        await postgres.close()
    return password
