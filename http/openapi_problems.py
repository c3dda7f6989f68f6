"""Errors in the OpenAPI document: a schema for each code, and for each status of an operation the
codes that stand behind it there."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from headgate.http.problems import MEDIA_TYPE, Problem

Schema = dict[str, Any]

REQUEST_ID = "req_aaaaaaaaaaaaaaaaaaaaaaaaaa"
"""The request id of all examples."""

_HEADERS: dict[str, Schema] = {
    "Request-Id": {
        "description": "The id under which our log has this request.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Should-Retry": {
        "description": "Whether the same request may succeed later.",
        "required": True,
        "schema": {"enum": ["true", "false"]},
    },
    "Retry-After": {
        "description": "In how many seconds to try again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "Allow": {
        "description": "The methods that there are.",
        "required": True,
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "required": True,
        "schema": {"type": "string"},
    },
}


def problem_schemas(kinds: Iterable[type[Problem]], whole: Schema) -> Schema:
    """The schema of each error by its name; `whole` is a reference to what all have in common."""
    return {
        name_of(kind): {
            "title": kind.title,
            "description": f"{meaning_of(kind)} {kind.remedy}",
            "allOf": [whole],
            **kind.schema(),
            "examples": [kind.example().document(REQUEST_ID)],
        }
        for kind in kinds
    }


def problem_components(each: Iterable[Iterable[type[Problem]]]) -> Schema:
    """What the `problem_answers` of these operations refer to: headers, and the answers of errors
    that have a status for themselves."""
    alone = {same[0] for kinds in each for same in _by_status(kinds).values() if len(same) == 1}
    return {
        "headers": _HEADERS,
        "responses": {kind.__name__: _answer([kind]) for kind in sorted(alone, key=_place)},
    }


def problem_answers(kinds: Iterable[type[Problem]]) -> Schema:
    """The answers of an operation with these errors, by status."""
    return {str(status): _answer_of(same) for status, same in _by_status(kinds).items()}


def _by_status(kinds: Iterable[type[Problem]]) -> dict[int, list[type[Problem]]]:
    ordered = sorted(kinds, key=_place)
    return {status: list(same) for status, same in groupby(ordered, key=lambda kind: kind.status)}


def _answer_of(kinds: list[type[Problem]]) -> Schema:
    if len(kinds) == 1:
        return {"$ref": f"#/components/responses/{kinds[0].__name__}"}
    return _answer(kinds)


def name_of(kind: type[Problem]) -> str:
    """The name of an error's schema."""
    return f"Problem{kind.__name__}"


def meaning_of(kind: type[Problem]) -> str:
    """What an error means, on one line."""
    return " ".join((kind.__doc__ or "").split())


def _place(kind: type[Problem]) -> tuple[int, str]:
    return kind.status, kind.code


def _answer(kinds: list[type[Problem]]) -> Schema:
    codes = {kind.code: f"#/components/schemas/{name_of(kind)}" for kind in kinds}
    schema: Schema = {"oneOf": [{"$ref": path} for path in codes.values()]}
    schema["discriminator"] = {"propertyName": "code", "mapping": codes}
    if len(kinds) == 1:
        [schema] = schema["oneOf"]
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        "headers": _headers(kinds),
        "content": {MEDIA_TYPE: {"schema": schema}},
    }


def _headers(kinds: list[type[Problem]]) -> Schema:
    """The headers that any of these errors has."""
    sent = {"request-id"}.union(*(kind.example().response(REQUEST_ID).headers for kind in kinds))
    return {
        name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS if name.lower() in sent
    }
