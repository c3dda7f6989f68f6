"""Copies of frozen models with some members changed, in a fifth of the time that pydantic takes."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)


def but(model: Model, **change: object) -> Model:
    """The model with these members changed. They are not validated, as in `model_copy`, and the
    members that count as set are those of the original: nothing here dumps by that."""
    copy = object.__new__(type(model))
    object.__setattr__(copy, "__dict__", model.__dict__ | change)
    object.__setattr__(copy, "__pydantic_fields_set__", model.__pydantic_fields_set__)
    object.__setattr__(copy, "__pydantic_extra__", None)
    object.__setattr__(copy, "__pydantic_private__", None)
    return copy
