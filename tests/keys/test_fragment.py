import os
import pickle
import string
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import Undefined
from markupsafe import Markup
from werkzeug.local import LocalProxy

from jinja_fragcache import default_fragment_name, make_template_fragment_key
from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys.fragment import (
    KEYS_OF_ONE_VALUE,
    KEYS_OF_PARTS,
    _make_key,
    encode_values,
    varied_key,
)
from jinja_fragcache.remembered import size_of
from tests.support import NAMES, SCALARS, VALUES, canonical


@given(NAMES, st.lists(VALUES, max_size=4), NAMES, st.lists(VALUES, max_size=4))
def test_two_inputs_have_the_same_key_only_if_they_count_as_the_same(
    name: str, vary_on: list[Any], other_name: str, other: list[Any]
) -> None:
    same = (name, canonical(vary_on)) == (other_name, canonical(other))
    key = make_template_fragment_key(name, vary_on)
    assert (key == make_template_fragment_key(other_name, other)) is same


@given(NAMES, st.lists(SCALARS, max_size=2), NAMES, st.lists(SCALARS, max_size=2))
@example("a:b", [], "a:b", [""])
@example(f"a:{encode_values(['b'])}", [], "a:", ["b"])
@example("a:", ["b"], "a:b", [])
def test_a_varied_key_tells_the_key_and_the_values(
    key: str, values: list[Any], other_key: str, other: list[Any]
) -> None:
    varied = varied_key(key, encode_values(values))
    same = (key, canonical(values)) == (other_key, canonical(other))
    other_varied = varied_key(other_key, encode_values(other))
    assert (varied.rpartition(":")[2] == other_varied.rpartition(":")[2]) is same
    assert len(varied) <= 153
    assert varied.isascii()
    assert varied.isprintable()
    assert " " not in varied


parts = st.lists(st.text("as1:", max_size=3), min_size=1, max_size=3)
glue = st.sampled_from(["", "s", ":", "s0:", "s1:", ",", "_", " ", "\x00", "\n"])


@given(parts, glue)
def test_adjacent_strings_do_not_run_together(texts: list[str], between: str) -> None:
    joined = [between.join(texts)]
    same = joined == texts
    key = make_template_fragment_key("x", texts)
    assert (key == make_template_fragment_key("x", joined)) is same
    name, *rest = texts
    key = make_template_fragment_key(name, rest)
    assert (key == make_template_fragment_key(joined[0])) is same


@given(NAMES, st.lists(VALUES, max_size=4))
def test_a_remembered_key_is_the_one_that_would_be_made(
    name: str, vary_on: list[Any]
) -> None:
    for _ in range(2):
        made = _make_key((name, *vary_on))
        assert make_template_fragment_key(name, vary_on) == made


@given(st.lists(SCALARS, min_size=1, max_size=3), st.lists(SCALARS, max_size=3))
def test_a_nested_list_has_another_key_than_a_flat_one(
    inner: list[Any], outer: list[Any]
) -> None:
    flat = make_template_fragment_key("x", [*inner, *outer])
    nested = make_template_fragment_key("x", [inner, *outer])
    assert flat != nested


@given(NAMES, st.lists(VALUES, max_size=3))
@example("long" * 100, ["long" * 100])
def test_a_key_fits_memcached(name: str, vary_on: list[Any]) -> None:
    key = make_template_fragment_key(name, vary_on)
    assert len(key) <= 200
    assert set(key) <= set(string.ascii_letters + string.digits + string.punctuation)


def test_the_start_of_a_key_is_readable() -> None:
    key = make_template_fragment_key("blog/side bar", [1])
    assert key.startswith("fragment:blog/side_bar:")


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_every_process_makes_the_same_keys(seed: str) -> None:
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
    printed = subprocess.run(
        [sys.executable, "-c", script],
        input=pickle.dumps(inputs),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        check=True,
    )
    expected = [make_template_fragment_key(*each) for each in inputs]
    assert printed.stdout.decode().split() == expected


@pytest.mark.parametrize(
    "vary_on", ["abc", b"abc", 5, {"a": 1}, {"a"}, Undefined(name="ids"), True]
)
def test_a_vary_on_that_is_not_a_list_is_refused(vary_on: Any) -> None:
    with pytest.raises(KeyValueError, match=r"Write vary_on=\[value\]"):
        make_template_fragment_key("x", vary_on)


@pytest.mark.parametrize("vary_on", [iter([1]), (n for n in [1]), map(str, [1])])
def test_an_iterator_as_vary_on_is_refused(vary_on: Any) -> None:
    with pytest.raises(KeyValueError, match=r"Write vary_on=values\|list"):
        make_template_fragment_key("x", vary_on)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("x" * 2**20, []),
        ("x", ["\N{PARTY POPPER}" * 2**18]),
        ("x", list(range(20_000))),
    ],
)
def test_keys_of_hostile_sizes_are_remembered_within_the_same_bytes(
    name: str, values: list[Any]
) -> None:
    for number in range(8):
        parts = (f"{name}{number}", *values)
        for _ in range(2):
            key = make_template_fragment_key(parts[0], values)
            assert key == _make_key(parts)
    assert sum(size_of(each) for each in KEYS_OF_PARTS.everything.items()) < 4 * 2**20
    held = {**KEYS_OF_ONE_VALUE}
    assert sum(size_of(each) for each in held.items()) < 4 * 2**20


def test_vary_on_may_be_any_ordered_iterable() -> None:
    expected = make_template_fragment_key("x", [1, 2])
    assert make_template_fragment_key("x", (1, 2)) == expected
    assert make_template_fragment_key("x", range(1, 3)) == expected
    assert make_template_fragment_key("x", None) == make_template_fragment_key("x", [])


@pytest.mark.parametrize("name", [None, True, 5, ["x"], Undefined(name="n"), object()])
def test_a_name_that_is_not_a_string_is_refused(name: Any) -> None:
    with pytest.raises(KeyValueError, match="A fragment's name is text"):
        make_template_fragment_key(name)


def test_a_name_may_be_of_a_subclass_of_str() -> None:
    assert make_template_fragment_key(Markup("5")) == make_template_fragment_key("5")


template_names = st.text("a:1#", min_size=1, max_size=6)
lines = st.integers(1, 12)


@given(template_names, lines, lines, template_names, lines, lines)
def test_two_places_never_have_the_same_default_name(
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


@pytest.mark.parametrize("vary_on", ["Auto", "AUTO"])
def test_auto_in_another_case_is_told_as_it_is_written(vary_on: str) -> None:
    with pytest.raises(KeyValueError, match=r'Write vary_on="auto"\.'):
        make_template_fragment_key("x", vary_on)


def test_of_a_mapping_that_can_be_iterated_its_items_are_told() -> None:
    proxy = LocalProxy(lambda: {"a": 1})
    with pytest.raises(KeyValueError, match=r"vary_on=values\|dictsort") as caught:
        make_template_fragment_key("x", proxy)
    assert "only once" not in str(caught.value)
