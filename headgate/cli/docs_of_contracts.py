"""The AsyncAPI document and the JSON Schemas in `docs/reference`, as an edge serves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson

from headgate.http.asyncapi import document
from headgate.streams.schemas import PUBLISHED, Published
from headgate.streams.settings import Settings


def asyncapi() -> str:
    """The document of an installation without settings of its own."""
    return _shown(document(Settings.model_construct()))


def _schema(published: Published) -> str:
    return _shown(published.schema())


def _shown(content: Mapping[str, Any]) -> str:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n"


CONTRACTS: dict[str, Callable[[], str]] = {
    "docs/reference/asyncapi.json": asyncapi,
    **{f"docs/reference/schemas/{n}.json": partial(_schema, one) for n, one in PUBLISHED.items()},
}
"""Every file that is made, by its path in the checkout."""
