import pytest

from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.render.live_holes import note_live, noting
from tests.support import environment

HOLES = ("page", ((0, 7), (3, 9)))


def rendered(number: int, *row: object) -> str:
    return f"{number}{row}"


def test_a_hole_makes_what_is_rendered_around_it_live_and_warns_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    env = environment()
    note_live(env, "page", 7)
    assert caplog.records == []
    for _ in range(2):
        with Dependencies() as dependencies:
            note_live(env, "page", 7)
        assert dependencies.is_live
    (record,) = caplog.records
    assert record.getMessage().startswith("page, line 7: ")


def test_holes_that_nothing_is_rendered_around_are_not_noted() -> None:
    assert noting(environment(), HOLES, rendered) is rendered


def test_each_hole_that_is_rendered_is_noted_by_its_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Dependencies() as dependencies:
        render = noting(environment(), HOLES, rendered)
        assert render(3, "item", "loop") == "3('item', 'loop')"
    assert dependencies.is_live
    (record,) = caplog.records
    assert record.getMessage().startswith("page, line 9: ")
