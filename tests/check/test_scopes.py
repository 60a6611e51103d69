from jinja_fragcache.check.scopes import LOOP, SET, Binding, Frame, Scope, Seen
from jinja_fragcache.reads.outline import TRUTH, Read


def test_a_name_is_found_in_the_scopes_around() -> None:
    outer = Scope()
    inner = Scope(outer)
    here, there = Binding(SET, ("a",), "t", 1, 0), Binding(LOOP, ("a", "b"), "t", 1, 0)
    outer.bind(there)
    inner.bind(here)
    assert inner.find("a") is here
    assert inner.find("b") is there
    assert inner.find("c") is None


def test_a_frame_keeps_the_first_of_equal_reads() -> None:
    frame = Frame("t")
    for line in (1, 2):
        frame.add(Seen(Read(("a", "b"), line), None, "t", ()))
    frame.add(Seen(Read(("a", "c"), 3), None, "t", ()))
    frame.add(Seen(Read(("a", "b"), 4, is_partial=True, part=TRUTH), None, "t", ()))
    assert [seen.read.line for seen in frame.reads.values()] == [1, 3, 4]


def test_a_test_counts_in_part_only() -> None:
    seen = Seen(Read(("a",), 1), None, "t", ("step",))
    assert seen.as_partial() == Seen(
        Read(("a",), 1, is_partial=True, part=TRUTH), None, "t", ("step",)
    )
