from functools import partial
from typing import Any

import pytest
from markupsafe import Markup

from jinja_fragcache import FragmentCache, FragmentTagError, Stats
from jinja_fragcache.keys.fragment import make_template_fragment_key
from jinja_fragcache.render.each import rows, rows_of_one_value
from jinja_fragcache.render.environment import Site
from jinja_fragcache.render.row_serving import MissedRows
from jinja_fragcache.stores import MemoryStore
from tests.support import RecordingStore, ask, environment

SITE: Site = ("page", 1, "digest", "", "||", "")
SPEC = (60, None, SITE, None)


class Text(str):  # noqa: SLOT000 - as users write it
    """A text that shows itself in another way."""

    def __str__(self) -> str:
        return "shown"


Given = list[tuple[Any, Any]]


def given_rows() -> Given:
    return [(item.upper(), [item]) for item in "ab"]


def listed(cache: FragmentCache, given: Given, call: Any = rows) -> Any:
    context = environment(store=cache).from_string("").new_context()
    return call(context, [part for row in given for part in row], SPEC, True, "row")


def missed_rows(cache: FragmentCache, given: Given, call: Any = rows) -> list[Any]:
    missed = listed(cache, given, call)
    assert isinstance(missed, MissedRows)
    assert not missed
    return missed.rows


def test_the_rows_of_a_list_that_is_stored_are_joined_in_their_order() -> None:
    cache = FragmentCache(MemoryStore())
    missed = missed_rows(cache, given_rows())
    for row, text in zip(missed, ("<A>", "<B>"), strict=True):
        ask(cache, row.spec.key, partial(str, text))
    assert listed(cache, given_rows()) == "<A><B>"


def test_the_rows_of_a_list_that_is_not_stored_are_missed() -> None:
    missed = missed_rows(FragmentCache(MemoryStore()), given_rows())
    assert [row.item for row in missed] == ["A", "B"]
    assert [row.spec.timeout for row in missed] == [60, 60]


def test_a_row_whose_key_is_refused_is_missed_without_a_spec(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = RecordingStore()
    cache = FragmentCache(store)
    missed = missed_rows(cache, [("A", [object()]), ("B", ["b"])])
    assert [row.spec is None for row in missed] == [True, False]
    assert cache.stats() == Stats(uncached=1)
    assert "page, line 1: the fragment is not cached" in caplog.text
    strict = FragmentCache(strict=True)
    with pytest.raises(FragmentTagError, match="page, line 1"):
        listed(strict, [("A", [object()])])


@pytest.mark.parametrize("one", ["a", 1, True, 1.0, None, Markup("a"), [1], Text("a")])
def test_a_row_has_the_key_of_a_fragment_with_its_values(one: Any) -> None:
    for vary_on in ([one], (one,), [one, 1], []):
        (row,) = missed_rows(FragmentCache(MemoryStore()), [("A", vary_on)])
        assert row.spec.key == make_template_fragment_key("row", vary_on)
    given = [("A", one), ("B", "b")]
    first, second = missed_rows(FragmentCache(MemoryStore()), given, rows_of_one_value)
    assert first.spec.key == make_template_fragment_key("row", [one])
    assert second.spec.key == make_template_fragment_key("row", ["b"])
    assert (first.item, first.spec.values) == ("A", (one,))


def test_a_number_that_is_too_long_for_a_key_is_the_only_one_that_is_refused() -> None:
    given = [("A", "a"), ("B", 10**5000), ("C", "c")]
    found = missed_rows(FragmentCache(MemoryStore()), given, rows_of_one_value)
    assert [row.spec is None for row in found] == [False, True, False]
