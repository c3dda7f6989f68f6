"""Portal links: what was made is read, and nothing else; who may show the portal in a frame."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.cli.serving import is_for_people
from headgate.dashboard.portal import frame_ancestors
from headgate.streams.secrets import draw_secret_key
from headgate.tables import portal_links
from headgate.tables.portal_links import LinkRefused, PortalLink, read, token_of

KEY, OTHER_KEY = draw_secret_key(), draw_secret_key()
LINK = PortalLink(
    id="ptl_1",
    merchant_id="mer_1",
    mode="test",
    access="read",
    key_id="key_test_1",
    expires_ms=1_790_000_000_000,
)
TOKEN = token_of(KEY, LINK)


def test_a_link_says_what_it_was_made_for() -> None:
    assert read(KEY, TOKEN) == LINK


def test_a_link_of_another_installation_is_refused() -> None:
    with pytest.raises(LinkRefused, match="not made here"):
        read(OTHER_KEY, TOKEN)


def test_no_word_of_a_link_can_be_changed() -> None:
    for change in ({"merchant_id": "mer_2"}, {"access": "full"}, {"expires_ms": 2**45}):
        forged = token_of(OTHER_KEY, LINK.model_copy(update=change))
        said = forged.partition(".")[0]
        with pytest.raises(LinkRefused, match="not made here"):
            read(KEY, f"{said}.{TOKEN.partition('.')[2]}")


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("aA0_-.x"))
def test_no_letter_of_a_link_can_be_changed(place: int, letter: str) -> None:
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    if changed != TOKEN and changed.startswith(portal_links.PREFIX):
        with pytest.raises(LinkRefused):
            read(KEY, changed)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    for token in (text, portal_links.PREFIX + text, f"{text}.{text}"):
        with pytest.raises(LinkRefused):
            read(KEY, token)


def test_a_link_that_says_something_else_is_of_another_version() -> None:
    said = urlsafe_b64encode(b'{"id": "ptl_1"}').decode().rstrip("=")
    with pytest.raises(LinkRefused, match="another version"):
        read(KEY, f"{portal_links.PREFIX}{said}.{portal_links._signature(KEY, said)}")


def test_only_origins_stand_in_frame_ancestors() -> None:
    assert frame_ancestors([]) == "'none'"
    assert frame_ancestors(["*", "https://a.example; script-src *"]) == "'none'"
    origins = ["https://shop.example.com", "http://shop.localhost:8080"]
    assert frame_ancestors(origins) == " ".join(origins)


@pytest.mark.parametrize(
    ("path", "peoples"),
    [
        ("/", True), ("/webhooks", True), ("/webhooks/live", True), ("/docs", True),
        ("/portal/hgp_x.y/endpoints", True), ("/dashboard", True), ("/dashboard/payments", True),
        ("/api/v1/webhooks", False), ("/health", False), ("/dashboards", False), ("/docsx", False),
        ("/portal", False),
    ],
)  # fmt: skip
def test_pages_go_to_the_dashboard_and_all_else_to_the_edge(path: str, peoples: bool) -> None:
    assert is_for_people(path) is peoples
