"""The grammar of the tags, shown by the keys and timeouts that they store."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateSyntaxError

from jinja_fragcache import (
    default_fragment_name,
    make_template_fragment_key,
)
from tests.support import RecordingStore, environment

CONTEXT = {"name": "n", "a": 1, "b": "2", "seconds": 7, "off": False, "ids": [1, 2]}
DEFAULT = default_fragment_name("page", 1)


@pytest.mark.parametrize(
    ("arguments", "timeout", "name", "vary_on"),
    [
        ("", None, DEFAULT, []),
        ("300", 300, DEFAULT, []),
        ("None", None, DEFAULT, []),
        ('300, "sidebar"', 300, "sidebar", []),
        ('None "key"', None, "key", []),
        ("60*5 'myform'", 300, "myform", []),
        ("seconds 'myform'", 7, "myform", []),
        ("seconds name", 7, "n", []),
        ('300 "row", a', 300, "row", [1]),
        ('300, "row", a, b', 300, "row", [1, 2]),
        ('300, "ro" ~ "w", a + 1', 300, "row", [2]),
        ('300, "row", [a, b]', 300, "row", [[1, 2]]),
        ('300, "row", (a, b)', 300, "row", [[1, 2]]),
        ('0, "row"', 0, "row", []),
        ('1.5, "row"', 2, "row", []),
        ("300, name", 300, "n", []),
        ('timeout=300, name="row", vary_on=[a], unless=off', 300, "row", [1]),
        ('timeout=300, name="row", vary_on=ids', 300, "row", [1, 2]),
        ('300, name="row"', 300, "row", []),
        ('300, "row", unless=off', 300, "row", []),
        ('300 unless=off, name="row"', 300, "row", []),
        ('name="row"', None, "row", []),
        ("300, vary_on=[a]", 300, DEFAULT, [1]),
        ('300, "row", a if a else b', 300, "row", [1]),
        ('300, "row", vary_on=none', 300, "row", []),
        ('300 "row" a b', 300, "row", [1, "2"]),
        ('300 "row", a b', 300, "row", [1, "2"]),
        ('300, "row" a, b', 300, "row", [1, "2"]),
        ('300 "row" "b" "c"', 300, "row", ["b", "c"]),
        ('300 "row" a if off else "b" "c"', 300, "row", ["b", "c"]),
        ('300 "row" not off a not in ids', 300, "row", [True, False]),
        ('300 "row" a is divisibleby 3 b', 300, "row", [False, "2"]),
        ('300 "row", (a), [b] {"c": a}', 300, "row", [1, ["2"], {"c": 1}]),
        ('300 "row" vary_on=["a" "b"]', 300, "row", ["ab"]),
        ('300 "row" a, stale=0 tags=[] unless=off', 300, "row", [1]),
        (
            'timeout=300 name="row" vary_on=[a] unless=a is none stale=0',
            300,
            "row",
            [1],
        ),
        ('seconds*2 "r"+"ow" a|string', 14, "row", [1]),
        ('300 "row" seconds -a', 300, "row", [6]),
    ],
)
def test_arguments_by_position_and_by_name_are_understood(
    arguments: str, timeout: int | None, name: str, vary_on: list[object]
) -> None:
    store = RecordingStore()
    source = "{% cache " + arguments + " %}text{% endcache %}"
    env = environment({"page": source}, store)
    assert env.get_template("page").render(CONTEXT) == "text"
    key = make_template_fragment_key(name, vary_on)
    assert store.timeouts == {key: timeout}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("300,", "The tag ends with a comma"),
        ('300 "a",', "The tag ends with a comma"),
        ('300, "a" = 3', "There is a '=' that belongs to no option"),
        ('300 "a" using="other"', 'env.fragment_cache = FragmentCache(caches["default'),
        (", 'x'", "A value is missing"),
        ("300,, 'x'", "A value is missing"),
        ("timeout=", "A value is missing"),
        ("300, 'x', *ids", "goes into the option: vary_on=values"),
        ("timeout: 300", "There is a colon in the tag"),
        ("ttl=300", "no option 'ttl', it has timeout, name, vary_on, unless, stale,"),
        ("timeout=300, 'a'", "A value without a name stands behind an option"),
        (
            "300, 'a', stales=5",
            "template_digest, allow, verify, background. Did you mean stale?",
        ),
        ("300, timeout=5", "The timeout is given twice"),
        ("300, 'a', name='b'", "The name is given twice"),
        ("300, 'a', 1, vary_on=[2]", "The key values are given twice"),
        ("unless=a, unless=b", "The option 'unless' is given twice"),
        ('None ("key")', "A comma is missing before a bracket or a minus"),
        ('300 ["key"]', "A comma is missing before a bracket or a minus"),
        ('300 "key" (a)', "A comma is missing before a bracket or a minus"),
        ('300 "key" [a]', "A comma is missing before a bracket or a minus"),
        ('300 "key" [a].b|upper ~ "c" if a', "A comma is missing before a bracket"),
        ('300 "key" -a', "A comma is missing before a bracket or a minus"),
        ('300 "key" (a) is odd', "A comma is missing before a bracket or a minus"),
        ('300 "key" (a) == b', "A comma is missing before a bracket or a minus"),
        ('name="key" [a]', "A comma is missing before a bracket or a minus"),
        ('"sidebar" 300', "A timeout can't be 'sidebar'"),
        ('"sidebar"', "A timeout can't be 'sidebar'"),
        ('"sidebar" "b"', "A timeout can't be 'sidebar'"),
        ("-1", "A timeout can't be -1"),
        ("true", "A timeout can't be True"),
        ("300, none", "A fragment's name is text and this one is None"),
        ("300, 'a', vary_on='b'", "Write vary_on=[value]"),
        ("stale='60'", "stale can't be '60' (str). It is a number of seconds from 0"),
        ("stale=-1", "stale can't be -1 (int)"),
        ("stale=true", 'Write {% cache 300, "sidebar", stale=60 %}'),
        ("stale=[60]", "stale can't be [60] (list)"),
        ("stale_if_error=1e10", "stale_if_error can't be 10000000000.0 (float)"),
        ("'del', 'a', stale='b'", "stale can't be 'b'"),
        ("300, 'a', stale=b, stale_if_error=-1", "stale_if_error can't be -1"),
        ("stale=", "A value is missing"),
        ("stale=1, stale=2", "The option 'stale' is given twice"),
        ("stale=1, 300", "A value without a name stands behind an option"),
    ],
)
def test_wrong_arguments_are_a_syntax_error_that_shows_what_to_write(
    arguments: str, expected: str
) -> None:
    source = "first\nsecond {% cache " + arguments + " %}text{% endcache %}"
    with pytest.raises(TemplateSyntaxError) as raised:
        environment({"page": source}).get_template("page")
    message = str(raised.value.message)
    assert expected in message
    assert "Write" in message
    assert (raised.value.lineno, raised.value.name) == (2, "page")


def test_an_unclosed_tag_is_a_syntax_error() -> None:
    for source in ("{% cache 300, 'a'", "{% cache", "{% cache_each item in"):
        with pytest.raises(TemplateSyntaxError):
            environment().from_string(source)


# Expressions behind which Jinja ends, whatever follows.
_VALUES = st.sampled_from(
    [
        "a",
        "user.id",
        "ids[0]",
        "double(a)",
        '"text"',
        "'other text'",
        "7",
        "1.5",
        "none",
        "true",
        "not off",
        "a if off else b",
        'a if off else "c"',
        "a is divisibleby 3",
        "a is not in ids",
        "a not in ids",
        'a ~ "-" ~ "d"',
        '"e" ~ a',
        "seconds - a * 2",
        "{'f': a}",
        "b|upper|replace('2', 'g' 'h')",
        "a == 1",
    ]
)
_TIMEOUTS = st.sampled_from(["300", "None", "seconds", "60 * 5", "'del'", "double(a)"])
_NAMES = st.sampled_from(['"row"', "name", 'name ~ "s"', '"a" ~ "b"'])
_OPTIONS = st.sampled_from(
    [
        "stale=60",
        "stale_if_error=seconds",
        'tags=["t", "u"]',
        "unless=a is none",
        "version=a is none",
        "template_digest=false",
    ]
)


@given(
    st.sampled_from(["cache", "cache_each item in ids,"]),
    st.tuples(_TIMEOUTS, _NAMES),
    st.lists(_VALUES, min_size=1, max_size=4),
    st.lists(_OPTIONS, unique=True, max_size=3),
    st.data(),
)
def test_every_comma_may_be_left_out(
    tag: str,
    first: tuple[str, str],
    values: list[str],
    options: list[str],
    data: st.DataObject,
) -> None:
    arguments = [*first, *values, *options]
    gaps = [data.draw(st.sampled_from([" ", ", "])) for _ in arguments[1:]]
    some = "".join(map(str.__add__, arguments, [*gaps, ""]))

    def stored(tag: str, arguments: str) -> dict[str, int | None]:
        store = RecordingStore()
        end = tag.split(maxsplit=1)[0]
        source = f"{{% {tag} {arguments} %}}text{{% end{end} %}}"
        template = environment({"page": source}, store).get_template("page")
        template.render(CONTEXT, double=lambda n: 2 * n, user={"id": 3})
        return store.timeouts

    assert stored(tag.rstrip(","), some) == stored(tag, ", ".join(arguments))


def test_an_error_shows_tags_in_the_delimiters_of_the_environment() -> None:
    env = environment(block_start_string="<%", block_end_string="%>")
    with pytest.raises(TemplateSyntaxError, match='<% cache 300, "sidebar"'):
        env.from_string("<% cache foo=1 %><% endcache %>")


def test_a_timeout_may_be_a_call_or_an_item() -> None:
    store = RecordingStore()
    source = "{% cache f(1), 'a' %}{% endcache %}{% cache d[0], 'b' %}{% endcache %}"
    template = environment(store=store).from_string(source)
    template.render(f=lambda n: n, d=[2])
    assert list(store.timeouts.values()) == [1, 2]


def test_the_error_for_an_unclosed_tag_names_the_tag_to_close() -> None:
    with pytest.raises(TemplateSyntaxError, match="'endcache'"):
        environment().from_string("{% cache %}{% if x %}{% endif %}")
    with pytest.raises(TemplateSyntaxError, match="needs to be closed is 'cache'"):
        environment().from_string("{% cache %}")


@pytest.mark.parametrize(
    ("options", "source"),
    [
        (
            {"block_start_string": "<%", "block_end_string": "%>"},
            "a <% cache 300, 'x' %>b<% endcache %> c",
        ),
        ({"line_statement_prefix": "#"}, "a \n# cache 300, 'x'\nb\n# endcache\n c"),
        ({"line_statement_prefix": "#"}, "a \n# cache 300, 'x':\nb\n# endcache\n c"),
        ({}, "a {%- cache 300, 'x' -%} b {%- endcache -%} c"),
        ({"trim_blocks": True}, "a{% cache 300, 'x' %}\nb{% endcache %}\nc"),
        ({"lstrip_blocks": True}, "a\n  {% cache 300, 'x' %}b\n  {% endcache %}c"),
        ({}, "a {% cache 300,\n 'x'\n %}b{% endcache %} c"),
    ],
)
def test_delimiters_line_statements_and_white_space_control_work(
    options: dict[str, Any], source: str
) -> None:
    store = RecordingStore()
    template = environment(store=store, **options).from_string(source)
    text = template.render()
    assert "".join(text.split()) == "abc"
    assert template.render() == text
    assert store.calls == ["get", "set", "get"]
