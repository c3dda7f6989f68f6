"""One mock broker per test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stream.broker import MockBroker, mock_broker


@pytest.fixture(scope="module")
def broker() -> Iterator[MockBroker]:
    """The module's mock broker."""
    with mock_broker() as running:
        yield running


@pytest.fixture
def own_broker() -> Iterator[MockBroker]:
    """A mock broker that this test may break."""
    with mock_broker() as running:
        yield running
