"""Whether what is published today can be read by a consumer that was built for an earlier release.

The consumer's view decides: every record that may be written today must be one that it expects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Schema = Mapping[str, Any]

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_OPEN = "x-extensible-enum"
"""Where a schema lists words that may become more."""
_SAME = ("format", "pattern", "const", "$id")
BESIDE = "Leave it as it was, and add what is new beside it under another name"


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that an earlier consumer does not expect."""

    kind: str
    """The type of record, or the topic."""
    path: str
    """The member, such as `data.payment.amount`; empty for the record itself."""
    problem: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.kind}: {self.path}" if self.path else self.kind
        return f"{where} {self.problem}. {self.remedy}."


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a schema, earlier and now, and the documents that its references are of."""

    kind: str
    path: str
    before: Schema
    now: Schema
    roots: tuple[Schema, Schema]

    def below(self, name: str, before: Schema, now: Schema) -> Place:
        """A part of this part."""
        path = f"{self.path}.{name}" if self.path and name != "[]" else f"{self.path}{name}"
        return Place(self.kind, path, before, now, self.roots)

    def breach(self, problem: str, remedy: str = BESIDE) -> Breach:
        """What is wrong here."""
        return Breach(self.kind, self.path, problem, remedy)


def breaches(before: Mapping[str, Schema], now: Mapping[str, Schema]) -> list[Breach]:
    """What is wrong with the schemas of today, by kind, for consumers of the earlier ones. New
    kinds are fine: consumers pass over a type that they do not know."""
    found: list[Breach] = []
    for kind, schema in before.items():
        if kind not in now:
            problem = "is no longer told, and whoever waits for it waits for ever"
            found.append(Breach(kind, "", problem, "Go on telling it, also beside a new type"))
        else:
            found += _compared(Place(kind, "", schema, now[kind], (schema, now[kind])))
    return found


def _compared(place: Place) -> Iterator[Breach]:
    """Each kind of value that may come now must be one that may have come."""
    known = {_type(one): one for one in _alternatives(place.before, place.roots[0])}
    for one in _alternatives(place.now, place.roots[1]):
        wider = known.get("number") if _type(one) == "integer" else None
        earlier = known.get(_type(one)) or wider
        if earlier is None:
            if "any" not in known:
                were = " or ".join(sorted(known))
                yield place.breach(f"may be {_type(one)} now; it was {were}")
        else:
            yield from _one(replace(place, before=earlier, now=one))


def _one(place: Place) -> Iterator[Breach]:
    yield from _values(place)
    yield from _bounds(place)
    yield from _words(place)
    yield from _members(place)
    for key, name in (("items", "[]"), ("additionalProperties", "*")):
        before, now = place.before.get(key), place.now.get(key)
        if isinstance(before, Mapping):
            yield from _compared(place.below(name, before, now if isinstance(now, Mapping) else {}))


def _values(place: Place) -> Iterator[Breach]:
    for key in _SAME:
        before, now = place.before.get(key), place.now.get(key)
        if before is not None and before != now:
            yield place.breach(f"had the {key} {before!r}, and now {_or_none(now)}")


def _bounds(place: Place) -> Iterator[Breach]:
    for keys, sign in ((_LOWER, 1), (_UPPER, -1)):
        for key in keys:
            before, now = place.before.get(key), place.now.get(key)
            if before is not None and (now is None or sign * now < sign * before):
                yield place.breach(f"had the {key} {before}, and now {_or_none(now)}")


def _words(place: Place) -> Iterator[Breach]:
    """A closed list of words stays closed; an open one may become longer, or be closed. Neither
    loses a word: whoever waits for it would wait for ever."""
    closed, now = place.before.get("enum"), place.now.get("enum", _constant(place.now))
    if closed is not None and now is None:
        yield place.breach(f"could only be one of {closed}, and now anything")
        return
    if closed is not None and (new := [word for word in now if word not in closed]):
        remedy = "Tell it by a member with open words (`x-extensible-enum`), such as `state`"
        yield place.breach(f"has the new words {new} in a list that was closed", remedy)
    words = closed or place.before.get(_OPEN, [])
    listed = now or place.now.get(_OPEN)
    if listed and (gone := [word for word in words if word not in listed]):
        yield place.breach(f"has the words {gone} no longer", "Go on telling them")


def _members(place: Place) -> Iterator[Breach]:
    before, now = place.before.get("properties", {}), place.now.get("properties", {})
    always = set(place.now.get("required", ()))
    for name, schema in before.items():
        member = place.below(name, schema, now.get(name, {}))
        if name not in now:
            yield member.breach("is gone", "Go on telling it, also beside what replaces it")
            continue
        if name in place.before.get("required", ()) and name not in always:
            yield member.breach("was always there and may be absent now", "Always tell it")
        yield from _compared(member)
    if place.before.get("additionalProperties") is False:
        for name in now.keys() - before.keys():
            member = place.below(name, {}, now[name])
            yield member.breach("is new in an object that was closed")


def _alternatives(schema: Schema, root: Schema) -> list[Schema]:
    """What a value may be, one schema per type, without references."""
    if "$ref" in schema:
        found: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return _alternatives(found, root)
    if "anyOf" in schema:
        return [one for branch in schema["anyOf"] for one in _alternatives(branch, root)]
    kinds = schema.get("type", "any")
    return [{**schema, "type": kind} for kind in ([kinds] if isinstance(kinds, str) else kinds)]


def _type(schema: Schema) -> str:
    return str(schema.get("type", "any"))


def _constant(schema: Schema) -> Sequence[Any] | None:
    return [schema["const"]] if "const" in schema else None


def _or_none(value: object) -> str:
    return "none" if value is None else repr(value)
