from operator import itemgetter
from typing import Any

import pytest

from jinja_fragcache import FragmentTagError
from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.engine.flow import bypass
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.render.environment import engine_of
from jinja_fragcache.render.holes import hole_mark, hole_marks, note_hole, unavailable
from jinja_fragcache.render.misses import Miss
from jinja_fragcache.render.row_serving import FilledRows, MissedRows
from tests.support import environment

PLACE = ("page", 7)


def test_a_fragment_is_cut_at_its_hole_marks() -> None:
    miss = Miss(engine_of(environment()), bypass, "token")
    text = f"a{hole_mark(0, miss)}b{hole_mark(3, miss)}"
    assert list(Pieces.cut(text, "token").parts()) == ["a", 0, "b", 3, ""]


def test_a_hole_that_stands_alone_makes_what_is_rendered_around_it_live() -> None:
    context = environment().from_string("").new_context()
    with Dependencies() as dependencies:
        assert note_hole(context, PLACE) == ""
    assert dependencies.is_live


def test_an_inner_fragment_prints_the_marks_of_the_one_around_it() -> None:
    engine = engine_of(environment())
    inner, around = Miss(engine, bypass, "inner"), Miss(engine, bypass, "outer")
    inner.pieces = Pieces("ab", ((1, 3),))
    row = Pieces("c", ((0, 4), (1, 3)))
    missed = MissedRows(engine, [], bypass, "rows", FilledRows([1, 2], [row, row]))
    marked = [
        hole_marks(inner, around),
        hole_marks(inner.pieces, around),
        hole_marks(FilledRows([1], [row]), around),
        hole_marks(missed, around),
    ]
    twice = Pieces("cc", ((0, 4), (1, 3), (0, 4), (1, 3)))
    assert [Pieces.cut(each, "outer") for each in marked] == [
        inner.pieces,
        inner.pieces,
        row,
        twice,
    ]


@pytest.mark.parametrize(
    "use", [str, bool, len, iter, itemgetter(0), lambda value: value.name]
)
def test_each_use_of_an_unavailable_name_is_an_error_that_names_it(use: Any) -> None:
    context = environment().from_string("").new_context()
    value = unavailable(context, "row", PLACE)
    with pytest.raises(FragmentTagError, match=r"page, line 7: .*'row'"):
        use(value)
