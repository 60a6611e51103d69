"""Output with a cold cache = output with a warm one = output without the tags."""

import asyncio
import pickle
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment, TemplateSyntaxError
from jinja2.meta import find_referenced_templates, find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from jinja_fragcache import FragmentCache, FragmentCacheExtension
from jinja_fragcache.stores import Store
from tests.support import (
    CoroutineStore,
    RecordingStore,
    environment,
    fragment_cache,
)

CONTEXT: dict[str, Any] = {
    "x": "<x>",
    "y": 2,
    "safe": Markup("<b>safe</b>"),
    "items": ["a", "<b>", "c"],
    "pairs": {"k": 1, "l": 2},
    "tree": [{"n": 1, "below": [{"n": 2, "below": []}]}, {"n": 3, "below": []}],
}


class Steps:
    """A clock that advances each time it is read."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._now = 0.0

    def __call__(self) -> float:
        self._now += self._seconds
        return self._now


def aging(store: Store) -> FragmentCache:
    """Make a cache whose entries are soon stale, some of them early, and then gone."""
    return FragmentCache(
        store,
        stale=60,
        stale_if_error=90,
        early_refresh=1,
        jitter=0.5,
        clock=Steps(25),
        timer=Steps(1),
        chance=cycle([0.0, 0.9, 0.3]).__next__,
    )


STORES: dict[str, Callable[[], Store | FragmentCache | None]] = {
    "memory": lambda: None,
    "plain": RecordingStore,
    "coroutines": CoroutineStore,
    "aging": lambda: aging(RecordingStore()),
    "aging-coroutines": lambda: aging(CoroutineStore()),
}
EXTENSIONS = ["jinja2.ext.i18n", "jinja2.ext.do"]


def make(templates: dict[str, str], store: str, **options: Any) -> Environment:
    env = environment(
        templates,
        STORES[store](),
        extensions=EXTENSIONS,
        keep_trailing_newline=True,
        **options,
    )
    env.install_null_translations()  # type: ignore[attr-defined]
    return env


def rendered(env: Environment, name: str, times: int = 3) -> Iterator[str]:
    """Render a template several times with each of the render methods."""
    template = env.get_template(name)

    async def pieces() -> str:
        return "".join([piece async for piece in template.generate_async(CONTEXT)])

    for _ in range(times):
        yield template.render(CONTEXT)
        if env.is_async:
            yield asyncio.run(pieces())
        else:
            yield "".join(template.generate(CONTEXT))
            yield "".join(template.stream(CONTEXT))


def without_tags(source: str) -> str:
    """Take the cache tags out, which in these templates stand on lines of their own."""
    lines = source.splitlines(keepends=True)
    return "".join(
        line for line in lines if not line.startswith(("{% cache", "{% endcache"))
    )


CASES = {
    "loop": """
{% for item in items %}
{% cache 5, "row", item, loop.index %}
{{ loop.index }}/{{ loop.length }} {{ item }} {{ loop.previtem }} {{ loop.last }}
{% endcache %}
{% endfor %}""",
    "unpacking": """
{% for k, v in pairs.items() %}
{% cache 5, "pair", k %}
{{ k }}={{ v }}
{% endcache %}
{% else %}none{% endfor %}""",
    "recursive": """
{% for node in tree recursive %}
{% cache 5, "node", node.n, loop.depth %}
({{ node.n }}{{ loop(node.below) }}{{ loop.depth }})
{% endcache %}
{% endfor %}""",
    "loop_inside": """
{% cache 5, "all" %}
{% for item in items if item != "c" %}{{ loop.index }}{{ item }}{% endfor %}
{% endcache %}""",
    "macro": """
{% macro field(name, size=3) %}<{{ name }} {{ size }} {{ x }}>{% endmacro %}
{% cache 5, "form" %}
{{ field("<a>") }}{{ field(safe, size=y) }}
{% endcache %}
{% macro cached(name) %}
{% cache 5, "field", name %}
[{{ name }}|{{ caller() if caller else "-" }}]
{% endcache %}
{% endmacro %}
{{ cached("one") }}{% call cached("<two>") %}{{ x }}{% endcall %}""",
    "call": """
{% macro box(title) %}<{{ title }}>{{ caller(1) }}{{ caller(2) }}</>{% endmacro %}
{% cache 5, "box" %}
{% call(n) box(x) %}{{ n }}{{ safe }}{% endcall %}
{% endcache %}
{% call(n) box(y) %}
{% cache 5, "in", n %}
{{ n }}
{% endcache %}
{% endcall %}""",
    "include": """
{% set local = "<local>" %}
{% cache 5, "inc" %}
{% include "part" %}{% include "part" without context %}{% include ["no", "part"] %}
{% include "nowhere" ignore missing %}
{% include "nowhere" ignore missing without context %}
{% endcache %}
{% for item in items %}
{% cache 5, "inc", item %}
{% include "part" %}
{% endcache %}
{% endfor %}""",
    "import": """
{% import "macros" as m %}
{% from "macros" import shout as s with context %}
{% cache 5, "imp" %}
{{ m.shout(x) }}{{ s(safe) }}{% import "macros" as inner %}{{ inner.shout("i") }}
{{ m.counted(x) }}
{% endcache %}""",
    "extends": """
{% extends "layout" %}
{% cache 5, "never" %}
outside of blocks
{% endcache %}
{% block title %}
{% cache 5, "title" %}
{{ super() }} & {{ x }}
{% endcache %}
{% endblock %}
{% block main %}
{% set own = "own" %}
{% cache 5, "main" %}
{{ own }}{{ self.title() }}{{ super() }}
{% endcache %}
{% endblock %}""",
    "set": """
{% set a = "<a>" %}
{% cache 5, "set" %}
{% set b = a ~ x %}{% set a = "inner" %}{{ a }}{{ b }}
{% set c %}<{{ b }}>{% endset %}{{ c }}{% set d | upper %}{{ c }}{% endset %}{{ d }}
{% set ns = namespace(n=1) %}{% for i in items %}{% set ns.n = ns.n + 1 %}{% endfor %}
{{ ns.n }}{% do items %}
{% endcache %}""",
    "filter": """
{% filter upper %}
{% cache 5, "up" %}
lower {{ x }}{{ safe }}
{% endcache %}
{% endfilter %}
{% cache 5, "down" %}
{% filter lower|replace("u", x) %}UPPER {{ x }}{% endfilter %}
{% endcache %}""",
    "autoescape": """
{% for how in [true, false] %}
{% autoescape how %}
{% cache 5, "esc" %}
{{ x }}{{ safe }}{% autoescape false %}{{ x }}{% endautoescape %}{{ "<" ~ x }}
{% endcache %}
{{ x }}
{% endautoescape %}
{% endfor %}""",
    "nested": """
{% cache 5, "outer" %}
a{{ x }}
{% for item in items %}
{% cache 5, "inner", item %}
{{ item }}
{% cache 5, "innermost" %}
!
{% endcache %}
{% endcache %}
{% endfor %}
{% endcache %}
{% cache 5, "inner", "a" %}
a
{% cache 5, "innermost" %}
!
{% endcache %}
{% endcache %}""",
    "trans": """
{% cache 5, "trans" %}
{% trans who=x %}Hello {{ who }}!{% endtrans %}{{ _("plain") }}{{ gettext("more") }}
{% trans count=items|length %}one{% pluralize %}{{ count }} many{% endtrans %}
{% endcache %}""",
    "defaults": """
{% cache %}
a{{ x }}
{% endcache %}
{% for item in items %}
{% cache vary_on=[item] %}
{{ item }}
{% endcache %}
{% endfor %}""",
    "with": """
{% with a = x, b = "<b>" %}
{% cache 5, "with", a %}
{{ a }}{{ b }}{% with a = "again" %}{{ a }}{% endwith %}{{ a }}
{% endcache %}
{% endwith %}""",
    "if": """
{% if y %}
{% cache 5, "if" %}
{% if not y %}no{% elif x %}yes {{ x }}{% else %}no{% endif %}{{ "a" if y else "b" }}
{% endcache %}
{% endif %}""",
    "empty": """
{% cache 5, "empty" %}
{% endcache %}
{% cache 5, "nothing" %}
{# nothing #}
{% endcache %}
.""",
}
SHARED = {
    "part": "[{{ x }}{{ local }}\n{% cache 5, 'part', item|default('-') %}\n"
    "{{ item }}\n{% endcache %}\n]",
    "macros": "{% macro shout(t) %}{{ t|upper }}{{ x }}!{% endmacro %}\n"
    "{% macro counted(t) %}\n{% cache 5, 'counted', t %}\n<{{ t }}>\n{% endcache %}\n"
    "{% endmacro %}\n",
    "layout": "{% cache 5, 'head' %}\n<title>{% block title %}site{% endblock %}\n"
    "{% endcache %}\n{{ x }}{% block main %}main {{ x }}{% endblock %}\n",
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("autoescape", [True, False])
@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_a_cached_template_renders_like_one_without_cache_tags(
    case: str,
    enable_async: bool,
    autoescape: bool,
    store: str,
) -> None:
    if store.endswith("coroutines") and not enable_async:
        return
    options = {
        "enable_async": enable_async,
        "autoescape": autoescape,
        # A tag on a line of its own leaves no empty line.
        "trim_blocks": True,
    }
    templates = {**SHARED, "page": CASES[case]}
    cached = make(templates, store, **options)
    plain_templates = {name: without_tags(text) for name, text in templates.items()}
    plain = make(plain_templates, store, **options)
    expected = plain.get_template("page").render(CONTEXT)
    assert expected.strip()
    assert set(rendered(cached, "page")) == {expected}


def test_the_aging_cache_both_serves_and_renews_entries() -> None:
    env = make({"page": "{% cache 60, 'x' %}a{% endcache %}"}, "aging")
    assert set(rendered(env, "page", times=20)) == {"a"}
    stats = fragment_cache(env).stats()
    assert stats.hits > 10
    assert stats.stored > 10


# Generated templates


class Writer:
    """Writes a template from a drawn tree, with the cache tags or without.

    A fragment's key values are all names that its text may depend on, as a user's would
    be.
    """

    def __init__(self, *, tags: bool) -> None:
        self._tags = tags
        self._numbers = iter(range(10_000))
        self._scope: list[str] = []
        # The names around the outermost fragment, None outside of all.
        self._around: list[str] | None = None
        # Whether what is written may have holes.
        self._has_holes = True

    def write(self, tree: list[Any]) -> str:
        return "".join(getattr(self, kind)(*rest) for kind, *rest in tree)

    def inside(self, names: list[str], body: list[Any]) -> str:
        self._scope += names
        text = self.write(body)
        del self._scope[len(self._scope) - len(names) :]
        return text

    def text(self, text: str) -> str:
        return text

    def output(self, which: int, filters: str) -> str:
        names = ["x", "y", "safe", "items|length", *self._scope]
        return "{{ " + names[which % len(names)] + filters + " }}"

    def cache(self, head: int, body: list[Any]) -> str:
        number = next(self._numbers)
        keys = ", ".join(self._scope) or "0"
        heads = [
            f'300, "f{number}", {keys}',
            f'None "f{number}", {keys}',
            f"300, vary_on=[{keys}]",
            f'timeout=y, name="f" ~ {number}, vary_on=({keys},)',
            f'"del", "f{number}", {keys}',
            f'300, "f{number}", {keys}, unless=y',
            f'y, "f{number}", {keys}, stale=y * 20, stale_if_error=30',
            f"25, vary_on=[{keys}], stale=100",
        ]
        inner = self.fragment(body)
        if not self._tags:
            return inner
        return "{% cache " + heads[head % len(heads)] + " %}" + inner + "{% endcache %}"

    def fragment(self, body: list[Any]) -> str:
        around = self._around
        if around is None:
            self._around = list(self._scope)
        inner = self.write(body)
        self._around = around
        return inner

    def hole(self, body: list[Any]) -> str:
        if not self._has_holes:
            return self.write(body)
        # It sees what is around the fragment. A `loop` may be one inside of it.
        outer, around = self._scope, self._around
        seen = outer if around is None else around
        self._scope = [name for name in seen if not name.startswith("loop")]
        self._around = None
        inner = self.write(body)
        self._scope, self._around = outer, around
        return "{% nocache %}" + inner + "{% endnocache %}" if self._tags else inner

    def captured(self, body: list[Any]) -> str:
        """Write what has no holes if it stands in a fragment: it may be changed."""
        had_holes = self._has_holes
        self._has_holes = had_holes and self._around is None
        inner = self.write(body)
        self._has_holes = had_holes
        return inner

    def each(self, body: list[Any], other: list[Any]) -> str:
        number = next(self._numbers)
        names = [f"v{number}", "loop.index", "loop.last"]
        outer, self._scope = self._scope, [*self._scope, *names]
        keys = ", ".join(self._scope)
        inner = self.fragment(body)
        self._scope = outer
        other_text = "{% else %}" + self.write(other)
        if self._tags:
            start = f'{{% cache_each v{number} in items, 300, "e{number}", {keys} %}}'
            return start + inner + other_text + "{% endcache_each %}"
        return f"{{% for v{number} in items %}}" + inner + other_text + "{% endfor %}"

    def if_(self, test: str, body: list[Any], other: list[Any]) -> str:
        return (
            "{% if "
            + test
            + " %}"
            + self.write(body)
            + "{% else %}"
            + self.write(other)
            + "{% endif %}"
        )

    def for_(self, body: list[Any], other: list[Any]) -> str:
        name = f"v{next(self._numbers)}"
        inner = self.inside([name, "loop.index", "loop.last"], body)
        return (
            "{% for "
            + name
            + " in items %}"
            + inner
            + "{% else %}"
            + self.write(other)
            + "{% endfor %}"
        )

    def set_(self, value: list[Any], body: list[Any]) -> str:
        name = f"v{next(self._numbers)}"
        block = "{% set " + name + " %}" + self.captured(value) + "{% endset %}"
        # In a scope of its own: what is set in a fragment is not seen behind it.
        return "{% with %}" + block + self.inside([name], body) + "{% endwith %}"

    def filter_(self, body: list[Any]) -> str:
        return "{% filter upper %}" + self.captured(body) + "{% endfilter %}"

    def autoescape(self, how: str, body: list[Any]) -> str:
        return "{% autoescape " + how + " %}" + self.write(body) + "{% endautoescape %}"

    def macro(self, body: list[Any], called: list[Any]) -> str:
        number = next(self._numbers)
        outer, self._scope = self._scope, [*self._scope, f"p{number}"]
        # One call, so that its caller needs to be no key value.
        had_holes = self._has_holes
        self._has_holes = had_holes and self._around is None
        inner = self.fragment(body) + "{{ caller() }}"
        self._has_holes = had_holes
        if self._tags:
            key = f"{{% cache 300, 'm{number}', {', '.join(self._scope)} %}}"
            inner = key + inner + "{% endcache %}"
        self._scope = outer
        return (
            f"{{% macro m{number}(p{number}) %}}{inner}{{% endmacro %}}"
            f"{{% call m{number}(x) %}}" + self.captured(called) + "{% endcall %}"
        )

    def include(self) -> str:
        return "{% include 'part' %}"

    def trans(self) -> str:
        return "{% trans who=x %}Hi {{ who }}{% endtrans %}"

    def block(self, body: list[Any]) -> str:
        name = f"b{next(self._numbers)}"
        # A block does not see the names around it.
        outer, self._scope = self._scope, []
        around, self._around = self._around, None
        inner = self.write(body)
        self._scope, self._around = outer, around
        return "{% block " + name + " %}" + inner + "{% endblock %}"


def trees() -> st.SearchStrategy[list[Any]]:
    leaf = st.one_of(
        st.tuples(st.just("text"), st.text("a <&\"'\n", max_size=4)),
        st.tuples(
            st.just("output"), st.integers(0, 9), st.sampled_from(["", "|upper", "|e"])
        ),
        st.just(("include",)),
        st.just(("trans",)),
    )

    def grow(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        body = st.lists(inner, max_size=3)
        return st.one_of(
            st.tuples(st.just("cache"), st.integers(0, 7), body),
            st.tuples(st.just("cache"), st.just(0), body),
            st.tuples(st.just("if_"), st.sampled_from(["y", "not y"]), body, body),
            st.tuples(st.just("for_"), body, body),
            st.tuples(st.just("each"), body, body),
            st.tuples(st.just("hole"), body),
            st.tuples(st.just("set_"), body, body),
            st.tuples(st.just("filter_"), body),
            st.tuples(st.just("autoescape"), st.sampled_from(["true", "false"]), body),
            st.tuples(st.just("macro"), body, body),
        )

    return st.lists(st.recursive(leaf, grow, max_leaves=15), max_size=4)


pages = st.lists(
    trees()
    | st.tuples(st.just("block"), trees()).map(lambda block: [block])
    | st.tuples(
        st.just("cache"),
        st.integers(0, 7),
        st.tuples(st.just("block"), trees()).map(lambda b: [b]),
    ).map(lambda c: [c]),
    max_size=3,
).map(lambda parts: [node for part in parts for node in part])


# Only this: whatever else is outside of blocks in a child template, Jinja prints (an
# include, for example).
outside = st.lists(
    st.tuples(
        st.just("cache"),
        st.integers(0, 5),
        st.lists(
            st.tuples(st.just("output"), st.integers(0, 3), st.just("")), max_size=2
        ),
    ),
    max_size=2,
)


def templates_of(
    page: list[Any], outside: list[Any], child: list[Any], *, tags: bool
) -> dict[str, str]:
    part = "(part {{ x }})"
    writer = Writer(tags=tags)
    source = writer.write(page)
    blocks = [name.split(" ")[0] for name in source.split("{% block ")[1:]]
    extending = "{% extends 'page' %}" + writer.write(outside)
    if blocks:
        inner = writer.write(child) + "{{ super() }}"
        extending += "{% block " + blocks[0] + " %}" + inner + "{% endblock %}"
    return {"page": source, "child": extending, "part": part}


@pytest.mark.slow
@given(
    page=pages,
    outside=outside,
    child=trees(),
    autoescape=st.booleans(),
    kind=st.sampled_from(
        [
            "memory",
            "plain",
            "aging",
            "async memory",
            "async coroutines",
            "async aging",
            "async aging-coroutines",
        ]
    ),
)
def test_a_generated_template_renders_like_one_without_cache_tags(
    page: list[Any],
    outside: list[Any],
    child: list[Any],
    autoescape: bool,
    kind: str,
) -> None:
    options = {"autoescape": autoescape, "enable_async": kind.startswith("async")}
    drawn = (page, outside, child)
    cached = make(
        templates_of(*drawn, tags=True), kind.rsplit(maxsplit=1)[-1], **options
    )
    plain = make(templates_of(*drawn, tags=False), "memory", **options)
    for name in ("page", "child"):
        expected = plain.get_template(name).render(CONTEXT)
        assert set(rendered(cached, name, times=2)) == {expected}


# An environment with the extension, and templates without its tags


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('{% include ["a.html", "b.html", x] %}', ["a.html", "b.html", None]),
        ('{% include ("a.html", x) ignore missing %}', ["a.html", None]),
        ("{% include x %}{% extends y %}", [None, None]),
        ('{% include "a" if x else "b" %}{% include "c" %}', [None, "c"]),
        ('{% import "a" as b %}{% from c import d %}', ["a", None]),
        ('{% include [1, "a", x.y|default("b"), none, {}] %}', ["a", None, None]),
    ],
)
def test_the_templates_that_a_template_names_are_found(
    source: str, names: list[str | None]
) -> None:
    for env in (Environment(), environment()):
        assert list(find_referenced_templates(env.parse(source))) == names


@pytest.mark.parametrize(
    "tag",
    [
        "{% cache 300, 'x' %}|{% endcache %}",
        "{% cache 300, 'x', vary_on='auto' %}|{% endcache %}",
        "{% cache 300, 'x' %}{% nocache %}|{% endnocache %}{% endcache %}",
        "{% cache_each i in x, 300, 'x', i %}|{% endcache_each %}",
        "{% cache 300, 'x' %}{% cache 300, 'y' %}|{% endcache %}{% endcache %}",
    ],
)
@pytest.mark.parametrize(
    "statement",
    [
        "{% include 'a' %}",
        "{% include 'a' without context %}",
        "{% include ['a', 'b'] ignore missing without context %}",
        "{% import 'a' as b %}",
        "{% from 'a' import b with context %}",
    ],
)
def test_the_templates_that_a_fragment_names_are_found(
    tag: str, statement: str
) -> None:
    names = list(find_referenced_templates(Environment().parse(statement)))
    parsed = environment().parse(tag.replace("|", statement))
    assert list(find_referenced_templates(parsed)) == names


@pytest.mark.parametrize(
    "source",
    ["{% include x, y %}", "{% include %}", "{% extends 'a' 'b', c %}"],
)
def test_a_mistake_in_the_name_of_a_template_stays_one(source: str) -> None:
    for env in (Environment(), environment()):
        with pytest.raises(TemplateSyntaxError):
            env.parse(source)


def test_an_error_in_the_name_of_a_template_is_raised_when_it_is_used() -> None:
    source = "{% if x %}{% include {{}: 1} %}{% include [{[]: 1}] %}{% endif %}"
    assert environment().from_string(source).render() == ""
    with pytest.raises(TypeError):
        environment().from_string(source).render(x=1)


# Pieces of a streamed page


@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_no_piece_of_a_streamed_page_is_empty(case: str, enable_async: bool) -> None:
    templates = {**SHARED, "page": CASES[case]}
    plain = {name: without_tags(text) for name, text in templates.items()}
    options = {"enable_async": enable_async, "trim_blocks": True}
    env = make(templates, "memory", **options)
    # Jinja itself yields some, such as for an expression without a value.
    allowed = pieces_of(make(plain, "memory", **options)).count("")
    for _ in range(2):
        assert pieces_of(env).count("") <= allowed


def pieces_of(env: Environment) -> list[str]:
    template = env.get_template("page")

    async def pieces() -> list[str]:
        return [piece async for piece in template.generate_async(CONTEXT)]

    return asyncio.run(pieces()) if env.is_async else list(template.generate(CONTEXT))


@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{% cache 5, 'x' %}b{{ y }}{% endcache %}", ["b2"]),
        ("{% cache 5, 'x' %}{% endcache %}", []),
        ("{% cache %}{% if not y %}a{% endif %}{% endcache %}", []),
        ("{% cache 'del', 'x' %}b{% endcache %}", ["b"]),
        ("{% cache 5, 'x', unless=y %}b{% endcache %}", ["b"]),
        ("{% cache 5, 'x' %}{% nocache %}{{ y }}{% endnocache %}{% endcache %}", ["2"]),
        ("{% cache 5, 'x' %}{% nocache %}{% endnocache %}{% endcache %}", []),
        ("{% nocache %}{{ y }}{% endnocache %}", ["2"]),
        ("{% cache_each i in [1, 2], 5, 'x', i %}{{ i }}{% endcache_each %}", ["12"]),
        ("{% cache_each i in [1], 5, 'x', i %}{% endcache_each %}", []),
        ("{% cache_each i in [], 5, 'x', i %}{% endcache_each %}", []),
        (
            (
                "{% cache_each i in [1], 5, 'x', i %}1{% nocache %}-{% endnocache %}"
                "{% endcache_each %}"
            ),
            ["1-"],
        ),
        (
            (
                "{% cache 5, 'x' %}a{% cache 5, 'y' %}b{% nocache %}c{% endnocache %}"
                "{% endcache %}{% endcache %}"
            ),
            ["abc"],
        ),
    ],
)
def test_a_fragment_is_one_piece_and_none_if_it_is_empty(
    source: str, expected: list[str], enable_async: bool
) -> None:
    env = make({"page": source}, "memory", enable_async=enable_async)
    assert [pieces_of(env) for _ in range(3)] == [expected] * 3


@pytest.mark.parametrize("kind", [Environment, SandboxedEnvironment])
def test_an_environment_can_be_pickled(kind: type[Environment]) -> None:
    env = kind(
        extensions=[FragmentCacheExtension],
        loader=DictLoader({"p": "{% cache stale=9 %}{{ n }}{% endcache %}"}),
        autoescape=True,
        cache_size=0,
    )
    env.fragment_cache = FragmentCache(stale=60, default_timeout=9)  # type: ignore[attr-defined]
    assert env.get_template("p").render(n=1) == "1"
    pickled = pickle.dumps(env)
    assert b"MemoryStore" not in pickled
    other = pickle.loads(pickled)
    assert [other.get_template("p").render(n=n) for n in (2, 3)] == ["2", "2"]
    assert other.fragment_cache.policy == fragment_cache(env).policy
    assert other.fragment_cache.store is not fragment_cache(env).store
    assert env.get_template("p").render(n=4) == "1"


@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("{% cache 300, 'x', a %}{{ b }}{% endcache %}", {"a", "b"}),
        ("{% cache %}{% nocache %}{{ b }}{% endnocache %}{% endcache %}", {"b"}),
        (
            (
                "{% cache_each a in b, c, 'x', a.id %}{{ a }}{{ loop.index }}{{ d }}"
                "{% nocache %}{{ e }}{% endnocache %}{% endcache_each %}"
            ),
            {"b", "c", "d", "e"},
        ),
        (
            "{% cache_each a, b in c, d, 'x', a %}{{ b }}{% endcache_each %}",
            {"c", "d"},
        ),
        (
            (
                "{% macro m() %}{% cache %}{{ caller() }}{% endcache %}{% endmacro %}"
                "{% cache %}{% cache %}{{ kwargs }}{% endcache %}{% endcache %}"
            ),
            {"kwargs"},
        ),
        ("{% include a %}{% cache unless=b %}{% endcache %}", {"a", "b"}),
    ],
)
def test_only_the_names_of_the_template_are_found(
    source: str, names: set[str], enable_async: bool
) -> None:
    env = environment(enable_async=enable_async)
    assert find_undeclared_variables(env.parse(source)) == names
