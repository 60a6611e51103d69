from operator import itemgetter
from typing import Any

import pytest

from jinja_fragcache import FragmentTagError
from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.engine.flow import bypass
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.render.environment import engine_of
from jinja_fragcache.render.holes import hole_mark, note_hole, unavailable
from jinja_fragcache.render.misses import Miss
from tests.support import environment

PLACE = ("page", 7)


def test_a_fragment_is_cut_at_its_hole_marks() -> None:
    miss = Miss(engine_of(environment()), bypass, "token")
    text = f"a{hole_mark(0, miss)}b{hole_mark(3, miss)}"
    assert list(Pieces.cut(text, "token").parts()) == ["a", 0, "b", 3, ""]


def test_a_hole_makes_what_is_rendered_around_it_live_and_warns_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = environment().from_string("").new_context()
    assert note_hole(context, PLACE) == ""
    assert caplog.records == []
    for _ in range(2):
        with Dependencies() as dependencies:
            note_hole(context, PLACE)
        assert dependencies.is_live
    (record,) = caplog.records
    assert record.getMessage().startswith("page, line 7: ")


@pytest.mark.parametrize(
    "use", [str, bool, len, iter, itemgetter(0), lambda value: value.name]
)
def test_each_use_of_an_unavailable_name_is_an_error_that_names_it(use: Any) -> None:
    context = environment().from_string("").new_context()
    value = unavailable(context, "row", PLACE)
    with pytest.raises(FragmentTagError, match=r"page, line 7: .*'row'"):
        use(value)
