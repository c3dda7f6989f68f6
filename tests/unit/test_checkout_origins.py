"""Who may frame the checkout form: origins that can say one thing only, and their header."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from headgate.http.checkout_origins import OWN_MACHINE, Origin, ancestors, policy, publishable
from headgate.tables.configuration import ApiKey, Configuration, Merchant
from headgate.tables.merchants import DEMO_KEY

ORIGIN = TypeAdapter(Origin)
SHOP = "https://shop.example.com"


def configuration(
    *, key_id: str = "key_test_1", active: bool = True, **key: object
) -> Configuration:
    """One merchant with one shop and one key."""
    members = {"id": key_id, "merchant_id": "mer_1", "mode": "test", "secret_hash": b"h"}
    return Configuration(
        merchants={
            "mer_1": Merchant(
                id="mer_1", name="Shop", require_keys=False, active=active, checkout_origins=(SHOP,)
            )
        },
        keys={key_id: ApiKey.model_validate({"revoked": False, **members, **key})},
    )


@pytest.mark.parametrize(
    "text",
    [SHOP, "https://a.b", "https://shop.example.com:8443", "http://localhost:3000",
     "http://shop.localhost:8300", "http://127.0.0.1:8000", "https://xn--bcher-kva.example"],
)  # fmt: skip
def test_origins_that_are_taken(text: str) -> None:
    assert ORIGIN.validate_python(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "*", "https://*", "https://*.example.com", "https://shop.example.com/", "shop.example.com",
     "http://shop.example.com", "https://shop.example.com/a", "https://SHOP.example.com",
     "https://a b", "https://a;script-src *", "https://a 'unsafe-inline'", "https://u@a.b",
     "https://a.b:0", "https://a.b:", "https://a.b\n", "javascript:alert(1)", "null", "data:",
     "https://a..b", "https://-a.b", "https://a.b?x", "https://a.b#x", "http://localhost.evil.com"],
)  # fmt: skip
def test_origins_that_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ORIGIN.validate_python(text)


@given(st.text(max_size=60) | st.from_regex(r"https://[a-z0-9.:\-; ']{1,40}", fullmatch=True))
def test_no_origin_that_is_taken_can_end_its_directive(text: str) -> None:
    try:
        taken = ORIGIN.validate_python(text)
    except ValidationError:
        return
    assert re.fullmatch(r"[a-z0-9:/.\-]+", taken)


def test_the_header_is_that_of_the_specification() -> None:
    """06 §5.5, step 4."""
    assert policy("n0nce", [SHOP]) == (
        "default-src 'none'; script-src 'nonce-n0nce'; style-src 'nonce-n0nce'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; "
        f"frame-ancestors {SHOP}"
    )
    assert "unsafe" not in policy("n", OWN_MACHINE)


def test_a_known_key_lets_its_merchants_shops_frame_the_form() -> None:
    assert list(ancestors(configuration(), "key_test_1")) == [SHOP]


def test_an_unknown_key_lets_nobody() -> None:
    for key_id in ("", "key_test_2", "'self'", "*"):
        sources = ancestors(configuration(), key_id)
        assert policy("n", sources).endswith("frame-ancestors 'none'")


@pytest.mark.parametrize(
    "change", [{"revoked": True}, {"expires_at_ms": 1}, {"active": False}], ids=str
)
def test_a_key_that_works_no_longer_lets_nobody(change: dict[str, object]) -> None:
    found = configuration(**change)  # type: ignore[arg-type]
    assert ancestors(found, "key_test_1") == ()
    assert publishable(found, "key_test_1") is None


def test_the_demo_shop_may_stand_on_ones_own_machine() -> None:
    assert list(ancestors(configuration(key_id=DEMO_KEY), DEMO_KEY)) == [*OWN_MACHINE, SHOP]
