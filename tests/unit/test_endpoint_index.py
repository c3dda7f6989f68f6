"""Which endpoints a fact is for: by merchant, mode and filter; each once, none on hold."""

from __future__ import annotations

import pytest

from headgate.agents.notify import About, EndpointIndex
from headgate.tables.configuration import Configuration, Endpoint


def endpoint(name: str, *event_types: str, **members: object) -> Endpoint:
    """An endpoint of `mer_1` in test mode."""
    given = {
        "id": name,
        "merchant_id": "mer_1",
        "mode": "test",
        "is_default": False,
        "url": "https://shop.example/",
        "sealed_secret": "sealed",
        "event_types": event_types,
        "enabled": True,
    }
    return Endpoint.model_validate({**given, **members})


FOUND = EndpointIndex(
    Configuration(
        endpoints={
            one.id: one
            for one in (
                endpoint("exact", "payment.success", "payment.failed"),
                endpoint("prefix", "payment.*"),
                endpoint("greedy", "*"),
                endpoint("all three", "payment.success", "payment.*", "*"),
                endpoint("other", "refund.*"),
                endpoint("live", "*", mode="live"),
                endpoint("stranger", "*", merchant_id="mer_2"),
                endpoint("disabled", "*", enabled=False),
                endpoint("deleted", "*", deleted=True),
            )
        }
    )
)


@pytest.mark.parametrize(
    ("event_type", "names"),
    [
        ("payment.success", ["exact", "all three", "prefix", "greedy"]),
        ("payment.captured", ["prefix", "all three", "greedy"]),
        ("refund.failed", ["other", "greedy", "all three"]),
        ("capture.created", ["greedy", "all three"]),
    ],
)
def test_a_fact_goes_once_to_each_endpoint_that_wants_it(event_type: str, names: list[str]) -> None:
    about = About("evt_1", event_type, "mer_1", "test", 0)
    assert [one.id for one in FOUND.of(about)] == names


@pytest.mark.parametrize(
    ("rate_per_s", "allowed_per_min", "limit"),
    [(None, None, None), (5, None, 5.0), (None, 30, 0.5), (5, 30, 0.5), (1, 600, 1.0)],
)
def test_the_lower_limit_holds(
    rate_per_s: int | None, allowed_per_min: int | None, limit: float | None
) -> None:
    one = endpoint("a", "*", rate_per_s=rate_per_s, allowed_per_min=allowed_per_min)
    assert one.attempts_per_s == limit
