"""The last keys that were seen, so many of them, so that a repeat costs nothing."""

from __future__ import annotations

from collections import OrderedDict


class Remembered:
    """A set that forgets its oldest member when it is full."""

    __slots__ = ("_keys", "_most")

    def __init__(self, most: int) -> None:
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add(self, key: str) -> None:
        """Remember it."""
        self._keys[key] = None
        if len(self._keys) > self._most:
            self._keys.popitem(last=False)
