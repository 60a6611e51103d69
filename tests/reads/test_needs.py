from jinja_fragcache.reads.needs import (
    CONTEXT,
    INCLUDE,
    Needs,
    Other,
    Problem,
    Value,
    from_text,
    to_text,
)
from jinja_fragcache.reads.paths import ATTRIBUTE, ITEM


def test_a_text_of_needs_is_read_again() -> None:
    needs = Needs(
        (Value("a", ((ATTRIBUTE, "b"), (ITEM, 0))), Value("f", (), CONTEXT, True)),
        (Other(INCLUDE, ("x",), 3, ("a",), ("b",), by="m"),),
        Problem(2, "is wrong"),
    )
    assert from_text(to_text(needs)) == needs
    assert from_text(to_text(Needs())) == Needs()


def test_values_are_shown_as_they_are_written() -> None:
    steps = ((ATTRIBUTE, "b"), (ITEM, "c.d"), (ITEM, 0))
    assert Value("a", steps).shown() == "a.b['c.d'][0]"
    assert Value("a", (), CONTEXT).shown() == "a of the page"
