"""Scopes of templates, and what names are bound to in them."""

from jinja_fragcache.reads.bindings import Bound, Kind, Scope


def test_a_name_is_what_the_nearest_scope_binds_it_to() -> None:
    outer = Scope(None)
    inner = Scope(outer)
    first, second = Bound(Kind.VALUE, 0), Bound(Kind.VALUE, 1)
    assert inner.find("a") == ([], True)
    outer.bind("a", first)
    assert inner.find("a") == ([first], False)
    inner.bind("a", second)
    assert inner.find("a") == ([second], False)
    assert inner.hidden_from(outer) == ({"a"}, True)
    assert outer.hidden_from(inner) == (set(), True)


def test_after_a_branch_a_name_may_be_either() -> None:
    scope = Scope(None)
    bound = Bound(Kind.VALUE, 1)
    scope.join([{"a": (bound,)}, {}])
    assert scope.find("a") == ([bound], True)
    assert scope.surely_bound(0) == set()
    scope.join([{"a": (bound,)}, {"a": (bound,)}])
    assert scope.surely_bound(0) == {"a"}
    assert scope.surely_bound(1) == set()


def test_macros_and_modules_count_as_bound() -> None:
    scope = Scope(None)
    scope.bind("m", Bound(Kind.MACRO, 0))
    scope.bind("a", Bound(Kind.VALUE, 0))
    assert scope.surely_bound(0) == {"m"}
    assert [name for name, _ in scope.visible()] == ["a", "m"]


def test_names_that_were_bound_again_have_changed() -> None:
    scope = Scope(None)
    scope.bind("a", Bound(Kind.VALUE, 0))
    scope.bind("b", Bound(Kind.VALUE, 0))
    seen = scope.snapshot()
    assert scope.changed_since(seen) == set()
    scope.bind("a", Bound(Kind.VALUE, 0))
    assert scope.changed_since(seen) == {"a"}
