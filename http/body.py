"""Request bodies: one JSON object in UTF-8, read strictly and once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from headgate.http.problems_of_requests import JsonMalformed, ParameterInvalid, UnsupportedMediaType
from headgate.streams.cards import quoted

Members = dict[str, Any]
"""A JSON object as it was sent; a model makes it typed."""


def check_media_type(headers: Mapping[str, str]) -> None:
    """Refuse bodies that are compressed or not declared as JSON."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise UnsupportedMediaType(
            f"Content-Encoding is {quoted(encoding)}; send the body uncompressed."
        )
    declared = headers.get("content-type", "")
    if declared == "application/json":
        return
    media_type, _, parameters = declared.partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if media_type.strip().lower() != "application/json" or charset not in ("", "utf-8"):
        shown = quoted(declared, 60) if declared else "missing"
        raise UnsupportedMediaType(f"Content-Type is {shown}; send application/json.")


def parse_object(body: bytes) -> Members:
    """The members of the object in `body`, without those that are null.

    Null means left out, for every member alike. Raises JsonMalformed for what is not JSON, has a
    name twice or is nested absurdly; ParameterInvalid for JSON that is not an object.
    """
    try:
        value = _DECODER.decode(body.decode())
    except UnicodeDecodeError:
        raise JsonMalformed("The body is not valid UTF-8.") from None
    except json.JSONDecodeError as error:
        raise JsonMalformed(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
            if body
            else "The body is empty; send a JSON object."
        ) from None
    except RecursionError:
        raise JsonMalformed("The body is nested too deeply.") from None
    except ValueError as error:  # A number of more digits than Python reads.
        raise JsonMalformed(f"The body holds a number that is too long: {error}") from None
    if not isinstance(value, dict):
        raise ParameterInvalid("The body is JSON, but not an object; send {…}.")
    return {name: member for name, member in value.items() if member is not None}


def _without_repeats(pairs: list[tuple[str, Any]]) -> Members:
    """The members as a dict. Of two with one name, two readers may believe a different one."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonMalformed("The body has the same name twice in one object.")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise JsonMalformed(f"{name} is not JSON.")


_DECODER = json.JSONDecoder(object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
