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

_HEADERS = {
    "Request-Id": "The id under which our log has this request.",
    "Should-Retry": "Whether the same request may succeed later: `true` or `false`.",
    "Retry-After": "In how many seconds to try again.",
    "Allow": "The methods that there are.",
    "WWW-Authenticate": "How to authenticate.",
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


def problem_answers(kinds: Iterable[type[Problem]]) -> Schema:
    """The answers of an operation with these errors, by status."""
    by_status = groupby(sorted(kinds, key=_place), key=lambda kind: kind.status)
    return {str(status): _answer(list(same)) for status, same in by_status}


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
    """The headers of these errors; required where all of them have it."""
    sent = [{*kind.example().response(REQUEST_ID).headers, "request-id"} for kind in kinds]
    return {
        name: {
            "description": text,
            "required": all(name.lower() in each for each in sent),
            "schema": {"type": "string"},
        }
        for name, text in _HEADERS.items()
        if any(name.lower() in each for each in sent)
    }
