from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from werkzeug.datastructures import MultiDict

from jinja_fragcache.guard.reads import Cover, Read, texts_in, texts_of
from tests.support import short_repr

ID = UUID(int=7)


class Color(Enum):
    RED = 3


class Row:
    id = 5
    pk = "five"

    def get_id(self) -> str:
        return "user-5"


class Anonymous:
    def get_id(self) -> None:
        return None


class Failing:
    @property
    def id(self) -> int:
        raise ZeroDivisionError

    def get_id(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("text", ["text"]),
        (7, ["7"]),
        (True, ["True"]),
        (None, ["None"]),
        (ID, [str(ID)]),
        (date(2020, 1, 2), ["2020-01-02"]),
        (Decimal("1.5"), ["1.5"]),
        (Color.RED, ["3"]),
        ([], ["list"]),
        ([1, "a"], ["list 8:item 1:1 8:item 1:a"]),
        ((1, "a"), ["list 8:item 1:1 8:item 1:a"]),
        ([[1], "a"], ["list 24:items 15:list 8:item 1:1 8:item 1:a"]),
        ({2, 1}, ["set 8:item 1:1 8:item 1:2"]),
        ([Row()], ["list 24:item 1:5 4:five 6:user-5"]),
        ([1, object()], []),
        ({"a": 1}, ["mapping list 35:items 26:list 8:item 1:a 8:item 1:1"]),
        ({"a": object()}, []),
        ([1, {"a": object()}], []),
        (Row(), ["5", "five", "user-5"]),
        (Anonymous(), ["None"]),
        (Failing(), []),
        (object(), []),
    ],
    ids=short_repr,
)
def test_the_texts_by_which_a_value_may_stand_in_a_key(
    value: Any, texts: list[str]
) -> None:
    assert sorted(texts_of(value)) == texts


@pytest.mark.parametrize(
    ("key", "reads"),
    [
        ([1, ("a", [None])], [1, "a", None, [None], ["a", [None]], [1, ["a", [None]]]]),
        (frozenset({"a"}), ["a", {"a"}]),
        ([Row()], ["5", "user-5", [Row()]]),
        ({"a": 1, "b": [Row()]}, [1, [Row()], "5", {"a": 1, "b": [Row()]}]),
    ],
    ids=short_repr,
)
def test_a_list_or_a_dictionary_in_a_key_tells_itself_and_each_item_of_it(
    key: Any, reads: list[Any]
) -> None:
    assert texts_in(key) >= frozenset().union(*map(texts_of, reads))


ITEMS = st.recursive(
    st.text(" 1:ailst", max_size=4),
    lambda items: st.lists(items, max_size=3) | st.frozensets(st.text(max_size=2)),
    max_leaves=6,
)


@example(["list"], [[]])
@given(st.lists(ITEMS, max_size=3), st.lists(ITEMS, max_size=3))
def test_no_two_lists_have_the_same_text(one: list[Any], other: list[Any]) -> None:
    assert texts_of(one)
    assert (texts_of(one) == texts_of(other)) == (one == other)


@pytest.mark.parametrize(
    "kind", [QueryParams, lambda query: MultiDict(parse_qsl(query))]
)
def test_all_values_of_a_query_are_in_its_text(kind: Any) -> None:
    queries = ("q=1", "q=2", "q=1&q=2", "q=2&q=1")
    assert len({texts_of(kind(each)) for each in queries}) == len(queries)


def test_a_list_that_contains_itself_has_no_text() -> None:
    endless: list[Any] = [1]
    endless.append(endless)
    assert texts_of(endless) == set()
    assert "1" in texts_in(endless)


@pytest.mark.parametrize(
    ("named", "read", "covered"),
    [
        ("session.user", "session.user", True),
        ("session.user", "session.users", False),
        ("session.user", "session", False),
        ("session", "session.user", True),
        ("request.args", "request.args.page", True),
        ("request.args.page", "request.args.pages", False),
        ("request.args", 'request.args.getlist("tag")', True),
        ("request.args.tag", 'request.args.getlist("tag")', False),
        ('request.args.getlist("tag")', "request.args.tag", True),
        ('request.args.getlist("tag")', "request.args.tags", False),
        ("request.args.page", "request.args", False),
        # An object's id tells which object it is. What holds items has none.
        ("current_user.id", "current_user", True),
        ("current_user.get_id", "current_user", True),
        ("g.tenant.tenant_id", "g.tenant", True),
        ("current_user.user_id", "current_user", True),
        ("request.user.username", "request.user", True),
        # What many objects share doesn't.
        ("current_user.team_id", "current_user", False),
        ("g.tenant.org_id", "g.tenant", False),
        ("user.key", "user", False),
        ("user.email", "user", False),
        ("request.environ.id", "request.environ", False),
        ("current_user.is_admin", "current_user", False),
        ("current_user.profile.id", "current_user", False),
        ("current_user.id", "current", False),
        ("g.user.id", "g.user", True),
        ("g.user.id", "g", False),
        ("request.cookies.theme", "request", False),
        ("request.GET.page", "request.GET", False),
        ("request.url.path", "request.url", False),
    ],
)
def test_which_names_cover_a_read(named: str, read: str, covered: bool) -> None:
    assert Cover(frozenset({named})).names_it(Read(read)) is covered
    assert Cover(allowed=frozenset({named})).allows(Read(read)) is covered


def test_all_key_values_of_a_nested_fragment_tell_what_it_read() -> None:
    nested = Read("current_user", instead=frozenset({"5", "de"}))
    assert Cover(values=frozenset({"5", "de", "x"})).tells(nested)
    assert not Cover(values=frozenset({"5"})).tells(nested)


def test_a_locale_and_a_time_zone_stand_in_keys_by_their_names() -> None:
    assert texts_of(Locale("de", "AT")) == {"de_AT"}
    assert texts_of(ZoneInfo("Europe/Berlin")) == {"Europe/Berlin"}


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        (("a.html:1",), ("a.html:1",)),
        (("a.html:1", "a.html:4"), ("a.html:4",)),
        (("a.html:1", "b.html:4"), ("a.html:1", "b.html:4")),
        (("b.html:1", "a.html:1", "a.html:4"), ("b.html:1", "a.html:4")),
        (("a.html:2", "a.html:4"), ("a.html:2", "a.html:4")),
    ],
)
def test_the_line_of_a_tag_is_not_told_of_another_line_below_it(
    where: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    assert Read("session.user", where=where).below("a.html", 1).where == shown
