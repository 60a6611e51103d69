import enum
import os
import pickle
import string
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import StrictUndefined, Undefined
from markupsafe import Markup
from werkzeug.datastructures import CombinedMultiDict, MultiDict
from werkzeug.local import LocalProxy

from jinja_fragcache import default_fragment_name, make_template_fragment_key
from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys import _encode, _make_key

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(alphabet=st.characters(codec=None))
    | st.binary()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.datetimes()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.frozensets(scalars, max_size=3)
    ),
    max_leaves=8,
)


def canonical(value: Any) -> Any:  # noqa: PLR0911 - one for each kind
    """Tell by other means than the key's which values are to count as the same."""
    match value:
        case None | bool() | bytes():
            return (type(value).__name__, value)
        case float():
            return ("text", repr(value))
        case list() | tuple():
            return ("list", tuple(map(canonical, value)))
        case dict():
            pairs = [(canonical(k), canonical(v)) for k, v in value.items()]
            return ("dict", tuple(sorted(pairs, key=repr)))
        case frozenset():
            return ("set", tuple(sorted(map(canonical, value), key=repr)))
        case date():
            return ("text", value.isoformat())
        case _:
            return ("text", str(value))


def read(encoded: str, at: int = 0) -> tuple[Any, int]:
    """Read back what a key is the digest of: the value at a place, and its end.

    That it can be read back is what makes it injective.
    """
    kind, at = encoded[at], at + 1
    if kind in "ntf":
        return canonical({"n": None, "t": True, "f": False}[kind]), at
    digits, at = encoded[at : encoded.index(":", at)], encoded.index(":", at) + 1
    length = int(digits)
    if kind == "s":
        return ("text", encoded[at : at + length]), at + length
    if kind == "b":
        return canonical(bytes.fromhex(encoded[at : at + 2 * length])), at + 2 * length
    items = []
    for _ in range(2 * length if kind == "d" else length):
        item, at = read(encoded, at)
        items.append(item)
    if kind == "l":
        return ("list", tuple(items)), at
    if kind == "d":
        pairs = zip(items[::2], items[1::2], strict=True)
        return ("dict", tuple(sorted(pairs, key=repr))), at
    assert kind == "e"
    return ("set", tuple(sorted(items, key=repr))), at


names = st.text(alphabet=st.characters(codec=None))


@given(names, st.lists(values, max_size=4))
def test_what_a_key_is_made_of_can_be_read_back(name: str, vary_on: list[Any]) -> None:
    encoded = _encode(name) + "".join(map(_encode, vary_on))
    found, at = [], 0
    while at < len(encoded):
        value, at = read(encoded, at)
        found.append(value)
    assert found == [canonical(value) for value in [name, *vary_on]]


@given(names, st.lists(values, max_size=4), names, st.lists(values, max_size=4))
def test_two_inputs_have_one_key_only_if_they_are_the_same(
    name: str, vary_on: list[Any], other_name: str, other: list[Any]
) -> None:
    same = (name, canonical(vary_on)) == (other_name, canonical(other))
    key = make_template_fragment_key(name, vary_on)
    assert (key == make_template_fragment_key(other_name, other)) is same


parts = st.lists(st.text("as1:", max_size=3), min_size=1, max_size=3)
glue = st.sampled_from(["", "s", ":", "s0:", "s1:", ",", "_", " ", "\x00", "\n"])


@given(parts, glue)
def test_no_two_texts_run_into_one(texts: list[str], between: str) -> None:
    joined = [between.join(texts)]
    same = joined == texts
    key = make_template_fragment_key("x", texts)
    assert (key == make_template_fragment_key("x", joined)) is same
    name, *rest = texts
    key = make_template_fragment_key(name, rest)
    assert (key == make_template_fragment_key(joined[0])) is same


@given(names, st.lists(values, max_size=4))
def test_a_remembered_key_is_the_one_that_would_be_made(
    name: str, vary_on: list[Any]
) -> None:
    for _ in range(2):
        made = _make_key(name, *vary_on)
        assert make_template_fragment_key(name, vary_on) == made


@given(st.lists(scalars, min_size=1, max_size=3), st.lists(scalars, max_size=3))
def test_structure_counts(inner: list[Any], outer: list[Any]) -> None:
    flat = make_template_fragment_key("x", [*inner, *outer])
    nested = make_template_fragment_key("x", [inner, *outer])
    assert flat != nested


@given(names, st.lists(values, max_size=3))
@example("long" * 100, ["long" * 100])
def test_a_key_fits_memcached(name: str, vary_on: list[Any]) -> None:
    key = make_template_fragment_key(name, vary_on)
    assert len(key) <= 200
    assert set(key) <= set(string.ascii_letters + string.digits + string.punctuation)


def test_a_key_starts_readable() -> None:
    key = make_template_fragment_key("blog/side bar", [1])
    assert key.startswith("fragment:blog/side_bar:")


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_another_process_gives_the_same_keys(seed: str) -> None:
    inputs: list[tuple[str, list[Any]]] = [
        ("row", [1, "1", None, True, 2.5, b"x"]),
        ("row", [{"b": 1, "a": {"y", "x", "z"}}, frozenset("hello"), (1, [2])]),
        (
            "r\udc80w",
            [uuid.UUID(int=5), Decimal("1.0"), datetime(2026, 1, 2, tzinfo=UTC)],
        ),
    ]
    script = (
        "import pickle, sys\n"
        "from jinja_fragcache import make_template_fragment_key as make\n"
        "for name, vary_on in pickle.load(sys.stdin.buffer): print(make(name, vary_on))"
    )
    printed = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script],
        input=pickle.dumps(inputs),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        check=True,
    )
    expected = [make_template_fragment_key(*each) for each in inputs]
    assert printed.stdout.decode().split() == expected


class Colour(enum.Enum):
    RED = "red"
    NOTHING = None
    PAIR = (1, 2)


class Pair(NamedTuple):
    x: int
    y: int


class Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("value", "same_as"),
    [
        (1, "1"),
        (Markup("1"), "1"),
        (Decimal("1.50"), "1.50"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00+00:00"),
        (time(3, 4), "03:04:00"),
        (Colour.RED, "red"),
        (Colour.NOTHING, None),
        (Colour.PAIR, (1, 2)),
        (Level.LOW, 1),
        (1.5, "1.5"),
        ([1, 2], (1, 2)),
        ({1, 2}, frozenset({2, 1})),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (LocalProxy(lambda: "x"), "x"),
        (LocalProxy(lambda: 7), 7),
        (Pair(1, 2), (1, 2)),
        ("x" * 1000, Markup("x") * 1000),
    ],
)
def test_values_that_agree(value: Any, same_as: Any) -> None:
    assert key_of(value) == key_of(same_as)


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (True, 1),
        (True, "True"),
        (False, 0),
        ("\udc80", "\udc81"),
        ("\udc80", "?"),
        (None, "None"),
        (None, ""),
        (1, 1.0),
        ("a", b"a"),
        ([], {}),
        ({}, set()),
        ([1, 2], [12]),
        ([1, 2], {1, 2}),
        ("a", ["a"]),
        (int, str),
    ],
)
def test_values_that_differ(value: Any, other: Any) -> None:
    assert key_of(value) != key_of(other)


def key_of(value: Any) -> str:
    return make_template_fragment_key("x", [value])


class User:
    def __init__(self, number: int) -> None:
        self.number = number

    def __cache_key__(self) -> int:
        return self.number


class Group(User):
    pass


class Account:
    def __init__(self, number: int) -> None:
        self.number = number

    def __caching_id__(self) -> str:
        return f"account {self.number}"


class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    def __repr__(self) -> str:
        return f"Point({self.x})"


@pytest.mark.parametrize("make", [User, Account, Point])
def test_an_object_is_known_by_what_it_says_of_itself(
    make: Callable[[int], object],
) -> None:
    assert key_of(make(5)) == key_of(make(5))
    assert key_of(make(5)) != key_of(make(6))


def test_objects_of_two_classes_never_share_a_key() -> None:
    assert key_of(User(5)) != key_of(Group(5))
    assert key_of(User(5)) != key_of(5)


def test_a_proxy_counts_as_what_it_stands_for() -> None:
    user = User(5)
    assert key_of(LocalProxy(lambda: user)) == key_of(user)


def test_a_dict_that_keeps_its_content_elsewhere_is_not_taken_for_empty() -> None:
    def query(value: str) -> CombinedMultiDict[str, str]:
        return CombinedMultiDict([MultiDict({"q": value})])

    assert key_of(query("a")) == key_of(query("a"))
    assert key_of(query("a")) != key_of(query("b"))
    both = MultiDict([("q", "a"), ("q", "b")])
    assert key_of(both) != key_of(MultiDict([("q", "a")]))


class Holder:
    def __repr__(self) -> str:
        return f"Holder({object()!r})"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Undefined(name="who"), "undefined: 'who'"),
        (StrictUndefined(name="who"), "undefined: 'who'"),
        (object(), "only by its address in memory"),
        (Holder(), "only by its address in memory"),
        (lambda: 1, "only by its address in memory"),
        ([object()], "only by its address in memory"),
        ({"k": Undefined(name="who")}, "undefined: 'who'"),
        pytest.param(10**5000, "bits", id="huge"),
    ],
)
def test_a_value_that_identifies_nothing_is_refused(value: Any, told: str) -> None:
    with pytest.raises(KeyValueError, match=told):
        key_of(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(KeyValueError, match="contains itself"):
        key_of(loop)


@pytest.mark.parametrize(
    "vary_on", ["abc", b"abc", 5, {"a": 1}, {"a"}, Undefined(name="ids"), True]
)
def test_what_is_no_list_of_key_values_is_refused(vary_on: Any) -> None:
    with pytest.raises(KeyValueError, match=r"Write vary_on=\[value\]"):
        make_template_fragment_key("x", vary_on)


def test_any_ordered_iterable_of_key_values_will_do() -> None:
    expected = make_template_fragment_key("x", [1, 2])
    assert make_template_fragment_key("x", (1, 2)) == expected
    assert make_template_fragment_key("x", iter([1, 2])) == expected
    assert make_template_fragment_key("x", range(1, 3)) == expected
    assert make_template_fragment_key("x", None) == make_template_fragment_key("x", [])


@pytest.mark.parametrize("name", [None, True, ["x"], Undefined(name="n"), object()])
def test_what_is_no_name_is_refused(name: Any) -> None:
    with pytest.raises(KeyValueError, match="A fragment's name is text"):
        make_template_fragment_key(name)


def test_a_name_may_be_any_value_that_is_text() -> None:
    expected = make_template_fragment_key("5")
    assert make_template_fragment_key(5) == expected  # type: ignore[arg-type]
    assert make_template_fragment_key(Markup("5")) == expected


def test_an_error_can_describe_what_can_not_describe_itself() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    with pytest.raises(KeyValueError, match="an object of Broken"):
        make_template_fragment_key(Broken())  # type: ignore[arg-type]


template_names = st.text("a:1#", min_size=1, max_size=6)
lines = st.integers(1, 12)


@given(template_names, lines, lines, template_names, lines, lines)
def test_default_names_are_of_one_place_only(  # noqa: PLR0913, PLR0917 - two places
    template: str,
    line: int,
    position: int,
    other: str,
    other_line: int,
    other_position: int,
) -> None:
    same = (template, line, position) == (other, other_line, other_position)
    name = default_fragment_name(template, line, position)
    assert (name == default_fragment_name(other, other_line, other_position)) is same
