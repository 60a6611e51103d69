from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from jinja_fragcache.entries.entry import HEADER_MARK, Body, Entry, Life, encode
from jinja_fragcache.entries.freshness import (
    FRESH,
    WANTED,
    GracePeriods,
    has_current_tags,
    matches,
    servable_text,
    standing,
    want,
)
from jinja_fragcache.remembered import size_of

texts = st.text() | st.text().map(lambda text: HEADER_MARK + text)
versions = st.none() | st.sampled_from(["a", "b"])


@given(texts, st.booleans(), versions, st.booleans(), versions)
def test_a_text_is_served_if_its_version_and_autoescape_state_match(
    text: str,
    escaped: bool,
    version: str | None,
    wanted_escaped: bool,
    wanted_version: str | None,
) -> None:
    stored = encode(Entry(text, escaped, version))
    wanted = want(wanted_escaped, wanted_version)
    same = (escaped, version) == (wanted_escaped, wanted_version)
    assert servable_text(stored, wanted) == (text if same else None)
    assert matches(Entry(text, escaped, version), wanted) == same


@pytest.mark.parametrize("stored", [None, b"text", 7, HEADER_MARK + "x", ["text"]])
@pytest.mark.parametrize("version", [None, "a"])
def test_a_stored_value_that_is_not_an_entry_is_a_miss(
    stored: object, version: str | None
) -> None:
    assert servable_text(stored, want(True, version)) is None


def test_a_store_may_return_a_subclass_of_str() -> None:
    assert servable_text(Markup("<b>"), want(True, None)) == "<b>"


names = st.sampled_from(["x", "y"])
of_tags = st.dictionaries(names, st.sampled_from(["1", "2"]))
of_store = st.dictionaries(names, st.sampled_from([None, "1", "2", 1, b"1"]))


@given(of_tags, st.sets(names), of_tags | of_store)
def test_an_entry_is_current_if_all_of_its_tags_are(
    tags: dict[str, str], wanted: set[str], present: dict[str, object]
) -> None:
    entry = Entry("text", tags=tuple(tags.items()))
    expected = wanted <= tags.keys() and all(
        type(present.get(tag)) is str and present[tag] == tags[tag] for tag in tags
    )
    assert has_current_tags(entry, wanted, present) is expected


times = st.floats(0, 2_000_000_000)
seconds = st.integers(0, 10_000)


@given(times, times, seconds, seconds, seconds)
def test_an_entry_is_fresh_then_stale_then_gone(
    expires: float, now: float, stale: int, stale_if_error: int, head_start: int
) -> None:
    life = Life(expires, 1)
    there = standing(life, now, GracePeriods(stale, stale_if_error), head_start)
    assert there.expired == (now >= expires)
    assert there.due == (now + head_start >= expires)
    assert there.served == (now < expires or now - expires < stale)
    assert there.served_on_error == (now < expires or now - expires < stale_if_error)


def test_an_entry_without_a_life_is_fresh_as_long_as_it_is_stored() -> None:
    assert standing(None, 1e12, GracePeriods()) == FRESH


@given(texts, st.booleans(), versions, times, times)
def test_a_text_with_a_life_is_served_until_it_ends(
    text: str, escaped: bool, version: str | None, expires: float, now: float
) -> None:
    wanted = want(escaped, version)
    expires = round(expires, 3)
    entry = Entry(text, escaped, version, life=Life(expires, 1))
    stored = encode(entry)
    # Without a look at the time, it is not.
    assert servable_text(stored, wanted) is None
    shown = text if now < expires else None
    assert servable_text(stored, wanted, lambda: now) == shown
    assert servable_text(stored, wanted, lambda: expires) is None
    assert servable_text(stored, want(not escaped, version), lambda: now) is None
    assert servable_text(stored, want(escaped, "other"), lambda: now) is None
    assert matches(entry, wanted)
    assert not matches(entry, want(not escaped, version))
    assert not matches(entry, want(escaped, "other"))


@pytest.mark.parametrize(
    "more",
    [
        {"tags": (("posts", "1"),)},
        {"templates": (("a.html", "1"),)},
        {"holes": ((0, 1),)},
    ],
)
def test_a_text_with_tags_templates_or_holes_is_not_served_at_once(
    more: dict[str, Any],
) -> None:
    wanted = want(True, None)
    for life in (None, Life(9, 1)):
        entry = Entry("text", life=life, **more)
        assert servable_text(encode(entry), wanted, lambda: 0) is None
        assert matches(entry, wanted)


def test_a_text_of_another_body_is_not_served() -> None:
    mine, moved, other = Body("1", "a b"), Body("1", "b.html"), Body("2", "a b")
    wanted = want(True, None, mine.in_one())
    for body, matching, at_once in (
        (mine, True, "text"),
        # The same body in another template is looked at more closely.
        (moved, True, None),
        (other, False, None),
        (None, False, None),
    ):
        entry = Entry("text", body=body)
        assert matches(entry, wanted) is matching
        assert servable_text(encode(entry), wanted) == at_once
    entry = Entry("text", body=mine)
    assert not matches(entry, want(True, None))
    assert servable_text(encode(entry), want(True, None)) is None


def test_a_value_of_a_function_is_not_served_as_a_fragment() -> None:
    wanted = want(True, None)
    entry = Entry("text", form="json")
    assert servable_text(encode(entry), wanted) is None
    assert not matches(entry, wanted)


def test_what_is_wanted_is_remembered_within_the_same_bytes() -> None:
    for number in range(40):
        body = Body(f"{number:020}", "x" * 2**18).in_one()
        wanted = WANTED[True, None, body]
        assert WANTED[True, None, body] == wanted == want(True, None, body)
        assert WANTED[body] == wanted
        assert WANTED[str(number)] == want(True, str(number))
    assert sum(size_of(each) for each in WANTED.items()) < 4 * 2**20
    assert WANTED[False, "v", None] is WANTED[False, "v", None]


def test_only_reads_that_no_name_covers_are_looked_at() -> None:
    wanted = want(True, None)
    named = encode(Entry("text", reads=("user", "session.cart")))
    by_value = encode(Entry("text", reads=("user", "=session.cart")))
    assert servable_text(named, wanted) == "text"
    kept = encode(Entry("text", reads=("user", "~request.base_url http://a/")))
    assert servable_text(by_value, wanted) is None
    assert servable_text(kept, wanted) is None
