"""The operators' dashboard. Its screens are not built yet; the folder keeps its place."""

from __future__ import annotations
