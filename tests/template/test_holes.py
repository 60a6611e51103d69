"""Holes: the content of `{% nocache %}` is rendered for each request."""

import asyncio
from typing import Any

import pytest
from flask import Flask, render_template_string
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, TemplateSyntaxError
from markupsafe import Markup

from jinja_fragcache import Cache, FragmentCache
from jinja_fragcache.entries.pieces import mark
from jinja_fragcache.errors import FragmentTagError
from jinja_fragcache.keys.fragment import make_template_fragment_key
from jinja_fragcache.render.functions import HOLE_MARK, load
from tests.support import CoroutineStore, Counter, RecordingStore, environment

MODES = {
    "sync": (False, RecordingStore),
    "async": (True, RecordingStore),
    "coroutines": (True, CoroutineStore),
}


class Site:
    """An environment in one of the `MODES`, and its store."""

    def __init__(self, templates: dict[str, str], mode: str = "sync") -> None:
        is_async, make = MODES[mode]
        store: Any = make()
        self.store: RecordingStore = getattr(store, "inner", store)
        extensions = ["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"]
        self.env = environment(
            templates,
            FragmentCache(store),
            enable_async=is_async,
            extensions=extensions,
        )
        self.env.install_null_translations()  # type: ignore[attr-defined]

    def render(self, name: str = "page", **values: Any) -> str:
        return self.env.get_template(name).render(values)

    @property
    def stored(self) -> list[str]:
        return [key for key in self.store.values if key.startswith("fragment")]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


SHARED = {
    "user.html": "{{ user }}",
    "same.html": "same",
    "macros": "{% macro greet(name) %}Hello {{ name }}{% endmacro %}",
}
# `N` counts how often the body is rendered. `U` is the user of the request.
CASES = {
    "plain": "{% cache 60, 'x' %}N{% nocache %}U{% endnocache %}!{% endcache %}",
    "several": "{% cache 60, 'x' %}{% nocache %}U{% endnocache %}N"
    "{% nocache %}U.{% endnocache %}{% nocache %}{% endnocache %}{% endcache %}",
    "in_a_loop": "{% cache 60, 'x' %}{% for i in [1, 2, 3] %}{{ i }}"
    "{% nocache %}U{% endnocache %}{% endfor %}N{% endcache %}",
    "of_a_loop": "{% for i in [1, 2] %}{% cache 60, 'x', i %}N"
    "{% nocache %}{{ loop.index }}{{ i }}U{% endnocache %}{% endcache %}{% endfor %}",
    "in_no_branch": "{% cache 60, 'x' %}N{% if no %}{% nocache %}{{ 1 // 0 }}"
    "{% endnocache %}{% elif not no %}{% nocache %}U{% endnocache %}{% else %}"
    "{% nocache %}{{ 1 // 0 }}{% endnocache %}{% endif %}{% endcache %}",
    "in_with": "{% cache 60, 'x' %}{% with a = 1 %}{{ a }}{% nocache %}U{% endnocache %}"
    "{% endwith %}N{% endcache %}",
    "with_loop_inside": "{% cache 60, 'x' %}N{% nocache %}{% for i in [1, 2] %}{{ i }}"
    "{{ loop.last }}U{% if i == 1 %}{% continue %}{% endif %}.{% endfor %}"
    "{% endnocache %}{% endcache %}",
    "macro": "{% macro m(a) %}<{{ a }}{{ caller() if caller }}>{% endmacro %}"
    "{% cache 60, 'x' %}N{% nocache %}{{ m(user) }}{% call m(1) %}U{% endcall %}"
    "{% endnocache %}{% endcache %}",
    "own_macro": "{% cache 60, 'x' %}N{% nocache %}{% macro m(a) %}<{{ a }}>{% endmacro %}"
    "{{ m(user) }}{% endnocache %}{% endcache %}",
    "imported": "{% import 'macros' as m %}{% cache 60, 'x' %}N{% nocache %}"
    "{{ m.greet(user) }}{% from 'macros' import greet as g %}{{ g(user) }}{% endnocache %}"
    "{% endcache %}",
    "filter": "{% cache 60, 'x' %}N{% nocache %}{{ user|upper }}{% filter upper %}aU"
    "{% endfilter %}{% endnocache %}{% endcache %}",
    "include": "{% cache 60, 'x' %}N{% nocache %}{% include 'user.html' %}"
    "{% include 'same.html' without context %}{% include ['no', 'user.html'] %}"
    "{% include 'no' ignore missing %}{% endnocache %}{% endcache %}",
    "include_in_a_loop": "{% cache 60, 'x' %}{% for i in 'ab' %}{{ i }}{% nocache %}"
    "{% include 'user.html' %}{% endnocache %}{% endfor %}N{% endcache %}",
    "trans": "{% cache 60, 'x' %}N{% nocache %}{% trans who=user %}Hello {{ who }}!"
    "{% endtrans %}{{ _('plain') }}{% endnocache %}{% endcache %}",
    "set": "{% set a = user %}{% cache 60, 'x' %}N{% nocache %}{% set b = a ~ '.' %}"
    "{{ b }}{% do [] %}{% endnocache %}{% endcache %}",
    "set_behind": "{% cache 60, 'x' %}N{% nocache %}{% for i in [1] %}{{ a }}{% endfor %}"
    "{% endnocache %}{% endcache %}{% set a = 1 %}{{ a }}",
    "autoescape": "{% cache 60, 'x' %}N{% autoescape false %}{% nocache %}U"
    "{% endnocache %}{% endautoescape %}{% nocache %}U{% endnocache %}{% endcache %}"
    "{% autoescape false %}{% cache 60, 'y' %}{% nocache %}U{% endnocache %}{% endcache %}"
    "{% endautoescape %}",
    "nested": "{% cache 60, 'x' %}N{% cache 60, 'y' %}N{% nocache %}U{% endnocache %}"
    "{% cache 60, 'z' %}N{% nocache %}U.{% endnocache %}{% endcache %}{% endcache %}"
    "{% nocache %}U{% endnocache %}{% endcache %}",
    "nested_in_a_loop": "{% cache 60, 'x' %}{% for i in [1, 2] %}{% cache 60, 'y', i %}N"
    "{{ i }}{% nocache %}U{% endnocache %}{% endcache %}{% endfor %}{% endcache %}",
    "nested_with_autoescape": "{% cache 60, 'x' %}{% autoescape false %}{% cache 60, 'y' %}"
    "{% nocache %}U{% endnocache %}{% endcache %}{% endautoescape %}N{% endcache %}",
    "fragment_inside": "{% cache 60, 'x' %}N{% nocache %}U{% cache 60, 'y' %}N"
    "{% endcache %}{% endnocache %}{% endcache %}",
    "hole_in_hole": "{% cache 60, 'x' %}N{% nocache %}a{% nocache %}U{% endnocache %}"
    "{% cache 60, 'y' %}N{% nocache %}U{% endnocache %}{% endcache %}{% endnocache %}"
    "{% endcache %}",
    "in_a_macro": "{% macro m(a) %}{% cache 60, 'x', a %}N{% nocache %}{{ caller(user) }}"
    "{{ varargs }}{% endnocache %}{% endcache %}{% endmacro %}"
    "{% call(a) m(1, 5) %}{{ a }}{% endcall %}{% call(a) m(2) %}-{{ a }}{% endcall %}",
    "in_a_block": "{% block b %}{% cache 60, 'x' %}N{% nocache %}{{ self.c() }}"
    "{% endnocache %}{% endcache %}{% endblock %}{% block c %}U{% endblock %}",
    "no_name": "{% cache %}N{% nocache %}U{% endnocache %}{% endcache %}"
    "{% cache vary_on=[1] %}N{% nocache %}U{% endnocache %}{% endcache %}",
    "unless": "{% cache 60, 'x', unless=true %}{% nocache %}U{% endnocache %}{% endcache %}",
    "deleted": "{% cache 'del', 'x' %}{% nocache %}U{% endnocache %}{% endcache %}",
    "outside": "{% nocache %}U{% endnocache %}{% cache 60, 'x' %}N{% endcache %}",
}


UNCACHED = {"unless", "deleted"}


def source(case: str, *, tags: bool = True) -> str:
    text = CASES[case].replace("N", "{{ n() }}").replace("U", "{{ user }}")
    if tags:
        return text
    for tag in ("nocache", "endnocache", "endcache"):
        text = text.replace(f"{{% {tag} %}}", "")
    start = text.find("{% cache")
    while start >= 0:
        end = text.index("%}", start) + 2
        text = text[:start] + text[end:]
        start = text.find("{% cache")
    return text


@pytest.mark.parametrize("case", CASES)
def test_a_hole_is_rendered_on_each_request_and_the_rest_once(
    case: str, mode: str
) -> None:
    site = Site({**SHARED, "page": source(case)}, mode)
    plain = Site({**SHARED, "page": source(case, tags=False)}, mode)
    counter, single = Counter(), Counter()
    for user in ("ann", "<bob>", Markup("<b>cy</b>"), "ann"):
        site.env.globals["user"] = plain.env.globals["user"] = user
        # Each user sees what a page without the tags shows.
        expected = plain.render(user=user, n=lambda: "n" if single() else "")
        assert site.render(user=user, n=lambda: "n" if counter() else "") == expected
    if case not in UNCACHED:
        assert site.stored
        assert counter.calls == single.calls / 4


def test_a_hole_is_rendered_as_often_as_it_is_printed() -> None:
    page = (
        "{% cache 60, 'x' %}{% for i in [1, 2] %}{% nocache %}{{ f() }}{% endnocache %}"
        "{% endfor %}{% if no %}{% nocache %}{{ f() }}{% endnocache %}{% endif %}"
        "{% endcache %}"
    )
    site = Site({"page": page})
    counter = Counter()
    assert [site.render(f=counter) for _ in range(3)] == ["12", "34", "56"]


def test_the_text_of_a_hole_is_not_stored() -> None:
    site = Site({"page": source("nested")})
    site.render(user="a secret", n=lambda: "n")
    assert len(site.stored) == 3
    assert "secret" not in str(site.store.values)
    cache: FragmentCache = site.env.fragment_cache  # type: ignore[attr-defined]
    assert cache.get(make_template_fragment_key("y")) == "nn"


def test_the_holes_of_an_inner_hit_are_holes_of_the_outer_entry(mode: str) -> None:
    site = Site({"page": source("nested")}, mode)
    counter = Counter()
    assert site.render(user="a", n=counter) == "12a3a.a"
    del site.store.values[make_template_fragment_key("x")]
    assert site.render(user="b", n=counter) == "42b3b.b"
    assert site.render(user="c", n=counter) == "42c3c.c"


def test_an_entry_is_a_miss_once_its_template_with_holes_is_edited() -> None:
    first = "{% cache 60, 'x' %}{% nocache %}1{% endnocache %}{% endcache %}"
    store = RecordingStore()
    for page in (first, "{% nocache %}0{% endnocache %}" + first.replace("1", "2")):
        env = environment({"page": page}, store)
        for _ in range(2):
            assert env.get_template("page").render() == page.replace(
                "{% cache 60, 'x' %}", ""
            ).replace("{% endcache %}", "").replace("{% nocache %}", "").replace(
                "{% endnocache %}", ""
            )


def test_holes_that_change_places_are_not_mixed_up() -> None:
    store = RecordingStore()
    names = [("user", "token"), ("token", "user")]
    for first, second in names:
        page = f"{{% cache 60, 'x' %}}{first}: {{% nocache %}}{{{{ {first} }}}}{{% endnocache %}}, {second}: {{% nocache %}}{{{{ {second} }}}}{{% endnocache %}}{{% endcache %}}"
        env = environment({"page": page}, store)
        for _ in range(2):
            text = env.get_template("page").render(user="Ann", token="x")
            values = {"user": "Ann", "token": "x"}
            assert text == f"{first}: {values[first]}, {second}: {values[second]}"


def test_an_entry_with_other_holes_is_a_miss() -> None:
    site = Site({"page": source("plain")})
    site.render(user="a", n=lambda: "n")
    (key,) = site.stored
    stored = site.store.values[key]
    assert '"holes":[[1,1]]' in stored
    site.store.values[key] = stored.replace("[[1,1]]", "[[1,9]]")
    assert site.render(user="b", n=lambda: "m") == "mb!"


# Holes that are refused


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("{% for item in items %}HOLE{{ item }}ELOH{% endfor %}", "item"),
        ("{% for a in b %}HOLE{{ loop.index }}ELOH{% endfor %}", "loop"),
        ("{% for a, b in c %}HOLE{% if b %}x{% endif %}ELOH{% endfor %}", "b"),
        ("{% set x = 1 %}HOLE{{ x }}ELOH", "x"),
        ("HOLE{{ x }}ELOH{% set x = 1 %}", "x"),
        (
            "{% if a %}{% set x = 1 %}{% endif %}HOLE{% for y in x %}{% endfor %}ELOH",
            "x",
        ),
        ("{% set x %}{% endset %}HOLE{% set y = x %}ELOH", "x"),
        ("{% macro m() %}{% endmacro %}HOLE{% call m() %}{% endcall %}ELOH", "m"),
        ("{% import 'x' as m %}HOLE{{ m.a() }}ELOH", "m"),
        ("{% from 'x' import a as b %}HOLE{{ 1|f(b()) }}ELOH", "b"),
        ("{% with x = 1 %}HOLE{% include x %}ELOH{% endwith %}", "x"),
        ("{% set ns = namespace() %}HOLE{% set ns.a = 1 %}ELOH", "ns"),
        (
            "{% for x in y %}{% autoescape x %}HOLE.ELOH{% endautoescape %}{% endfor %}",
            "x",
        ),
        (
            "{% for x in y %}{% cache 5, 'y', x %}HOLE{{ x }}ELOH{% endcache %}{% endfor %}",
            "x",
        ),
        ("{% for x in y %}HOLE{% macro m(a=x) %}{% endmacro %}ELOH{% endfor %}", "x"),
    ],
)
def test_a_hole_can_not_use_a_name_that_the_body_binds(body: str, name: str) -> None:
    body = body.replace("HOLE", "{% nocache %}").replace("ELOH", "{% endnocache %}")
    with pytest.raises(TemplateSyntaxError, match=f"uses '{name}'") as raised:
        Site({}).env.from_string(f"\n{{% cache 60, 'x' %}}\n{body}{{% endcache %}}")
    message = str(raised.value)
    assert raised.value.lineno == 3
    assert "in front of the fragment" in message
    assert "key value" in message


@pytest.mark.parametrize(
    "body",
    [
        "{% for x in [1] %}{{ x }}{% endfor %}HOLE{{ x }}ELOH",
        "{% for x in [1] %}HOLE{% for x in [2] %}{{ x }}{% endfor %}ELOH{% endfor %}",
        "{% for x in [1] %}HOLE{% set x = 3 %}{{ x }}ELOH{% endfor %}",
        "{% for x in [] %}{% else %}HOLE{{ x }}ELOH{% endfor %}",
        "{% with x = 1 %}{% endwith %}HOLE{{ x }}ELOH",
    ],
)
def test_a_hole_may_use_a_name_that_only_another_scope_binds(body: str) -> None:
    body = body.replace("HOLE", "{% nocache %}").replace("ELOH", "{% endnocache %}")
    site = Site({"page": f"{{% cache 60, 'x' %}}{body}{{% endcache %}}"})
    plain = body.replace("{% nocache %}", "").replace("{% endnocache %}", "")
    for _ in range(2):
        assert site.render(x="x") == site.env.from_string(plain).render(x="x")


@pytest.mark.parametrize(
    "body",
    [
        "{% filter upper %}HOLE{% endfilter %}",
        "{% set x %}HOLE{% endset %}",
        "{% macro m() %}{% if a %}HOLE{% endif %}{% endmacro %}",
        "{% call m() %}HOLE{% endcall %}",
        "{% filter upper %}{% cache 5, 'y' %}HOLE{% endcache %}{% endfilter %}",
    ],
)
def test_a_block_that_may_change_its_output_can_not_have_holes(body: str) -> None:
    body = body.replace("HOLE", "{% nocache %}.{% endnocache %}")
    with pytest.raises(TemplateSyntaxError, match="Move it out of that block"):
        Site({}).env.from_string(f"{{% cache 60, 'x' %}}{body}{{% endcache %}}")


def test_a_colon_may_end_nocache() -> None:
    source = "# cache 5, 'x':\na\n# nocache:\nb\n# endnocache\n# endcache"
    env = environment(line_statement_prefix="#")
    assert env.from_string(source).render() == "a\nb\n"


def test_nocache_takes_no_arguments_and_needs_its_end() -> None:
    with pytest.raises(TemplateSyntaxError, match="nocache %} takes no arguments"):
        Site({}).env.from_string("{% nocache 5 %}{% endnocache %}")
    with pytest.raises(TemplateSyntaxError, match="endnocache"):
        Site({}).env.from_string("{% nocache %}")


USES = "{% cache 60, 'x' %}{% for item in [1, 2] %}{% nocache %}{% include 'part' %}{% endnocache %}{% endfor %}{% endcache %}"


@pytest.mark.parametrize(
    "part",
    [
        "{{ item }}",
        "{{ item|default('-') }}",
        "{% if item %}{% endif %}",
        "{{ item.x }}",
        "{{ item == 1 }}",
        "{% for a in item %}{% endfor %}",
        "{{ item ~ 'a' }}",
        "{{ 'a' ~ item }}",
        "{{ item + 1 }}",
        "{{ 1 + item }}",
        "{{ item|length }}",
        "{{ item['x'] }}",
        "{{ item() }}",
        "{{ 1 in item }}",
        "{{ item < 3 }}",
        "{{ item|int }}",
    ],
)
def test_an_included_template_that_uses_a_name_of_the_body_is_an_error(
    part: str, mode: str
) -> None:
    site = Site({"page": USES, "part": part}, mode)
    with pytest.raises(FragmentTagError, match=r"page, line 1: .*'item'"):
        site.render()


def test_an_included_template_that_uses_no_name_of_the_body_is_rendered(
    mode: str,
) -> None:
    page = USES.replace(
        "{% include 'part' %}",
        "{% include 'part' %}{% import 'part' as p with context %}{{ p.m() }}",
    )
    part = "{% macro m() %}{{ user }}{% endmacro %}{{ m() }}"
    site = Site({"page": page, "part": part}, mode)
    assert [site.render(user=user) for user in "ab"] == ["aaaa", "bbbb"]


# Holes in other templates, macros and blocks


ELSEWHERE = {
    "include": {"page": "{% cache 60, 'x' %}N{% include 'part' %}{% endcache %}"},
    "macro": {
        "page": "{% macro m() %}{% nocache %}{{ user }}{% endnocache %}{% endmacro %}"
        "{% cache 60, 'x' %}N{{ m() }}{% endcache %}"
    },
    "block": {
        "page": "{% cache 60, 'x' %}N{% block b %}{% nocache %}{{ user }}"
        "{% endnocache %}{% endblock %}{% endcache %}"
    },
    "child": {
        "page": "{% extends 'base' %}{% block b %}{% nocache %}{{ user }}{% endnocache %}"
        "{% endblock %}",
        "base": "{% cache 60, 'x' %}N{% block b %}{% endblock %}{% endcache %}",
    },
    "composed": {
        "page": "{% cache 60, 'x' %}N{% include 'cached' %}{% endcache %}",
        "cached": "{% cache 60, 'y' %}{% nocache %}{{ user }}{% endnocache %}{% endcache %}",
    },
    "deep": {
        "page": "{% cache 60, 'x' %}N{% cache 60, 'z' %}{% include 'part' %}{% endcache %}"
        "{% endcache %}"
    },
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_a_fragment_around_a_hole_of_another_template_is_not_stored(
    case: str, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    templates = {"part": "{% nocache %}{{ user }}{% endnocache %}", **ELSEWHERE[case]}
    templates = {
        name: text.replace("N", "{{ n() }}") for name, text in templates.items()
    }
    site = Site(templates, mode)
    counter = Counter()
    for number, user in enumerate(["ann", "<bob>"], start=1):
        site.env.globals["user"] = user
        escaped = {"ann": "ann", "<bob>": "&lt;bob&gt;"}[user]
        assert site.render(user=user, n=counter) == f"{number}{escaped}"
    own = [make_template_fragment_key("y")] if case == "composed" else []
    assert site.stored == own
    assert len(caplog.records) == 1
    assert "nocache tag is not stored" in caplog.text
    assert "line 1" in caplog.text


def test_a_view_with_a_hole_is_not_stored(caplog: pytest.LogCaptureFixture) -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    counter = Counter()

    @app.route("/")
    @cache.cached(timeout=60)
    def view() -> str:
        page = "{% cache 60, 'x' %}text{% nocache %}{{ n() }}{% endnocache %}{% endcache %}"
        return render_template_string(page, n=counter)

    client = app.test_client()
    assert [client.get("/").text for _ in range(3)] == ["text1", "text2", "text3"]
    assert "not stored" in caplog.text


# Hostile text


class Reading:
    """Text that is printed unescaped. It may contain earlier marks, but not the next."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __html__(self) -> str:
        return self._text


@given(
    st.lists(
        st.text(alphabet='\x1e0123456789abcdef:1{}\n<>"h')
        | st.sampled_from(
            [mark("0" * 32, 1), "\x1e", '\x1e{"format":1,"holes":[[0,1]]}\nx']
        ),
        max_size=4,
    )
)
def test_no_text_of_a_user_can_forge_a_hole(texts: list[str]) -> None:
    text = "".join(texts)
    page = (
        "{% cache 60, 'x' %}{{ text }}{% nocache %}{{ user }}{% endnocache %}{{ text }}"
        "{% endcache %}"
    )
    site = Site({"page": page})
    for user in ("ann", text):
        expected = f"{text}{user}{text}"
        rendered = site.render(text=Reading(text), user=Markup(user))
        assert rendered == expected


def test_every_rendering_has_a_token_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens: list[str] = []

    def noting(miss: Any) -> str:
        tokens.append(miss.token)
        return ""

    env: Environment = Site({"page": source("several")}).env
    load(env, HOLE_MARK)
    real = env.filters[HOLE_MARK]
    monkeypatch.setitem(
        env.filters,
        HOLE_MARK,
        lambda number, miss: noting(miss) + real(number, miss),
    )
    template = env.get_template("page")
    for _ in range(2):
        env.fragment_cache.clear()  # type: ignore[attr-defined]
        template.render(user="a", n=lambda: "n")
    assert len(tokens) == 6
    assert len(set(tokens)) == 2
    assert all(len(token) == 32 for token in tokens)


def test_a_hole_that_fails_raises_and_the_rest_stays_cached(mode: str) -> None:
    page = "{% cache 60, 'x' %}{{ n() }}{% nocache %}{{ 1 // zero }}{% endnocache %}{% endcache %}"
    site = Site({"page": page}, mode)
    counter = Counter()
    with pytest.raises(ZeroDivisionError):
        site.render(n=counter, zero=0)
    assert site.render(n=counter, zero=1) == "11"


def test_a_streamed_page_has_its_holes_filled() -> None:
    site = Site({"page": source("in_a_loop")}, "async")

    async def stream() -> str:
        template = site.env.get_template("page")
        pieces = template.generate_async(user="a", n=lambda: "n")
        return "".join([piece async for piece in pieces])

    for _ in range(2):
        assert asyncio.run(stream()) == "1a2a3an"


def test_a_hole_sees_a_name_that_is_set_behind_the_fragment() -> None:
    page = (
        "{% cache 60, 'x' %}{% nocache %}{{ user }}{% endnocache %}{% endcache %}"
        "{% set user = 'b' %}{{ user }}"
    )
    assert Site({"page": page}).env.get_template("page").render(user="a") == "ab"


def test_a_hole_in_nested_fragments_reads_the_caller_of_the_macro() -> None:
    page = (
        "{% macro m() %}{% cache 60, 'x' %}{% cache 60, 'y' %}"
        "{% nocache %}{{ caller() }}{% endnocache %}{% endcache %}{{ caller() }}"
        "{% endcache %}{% endmacro %}"
        "{% call m() %}{{ n }}{% endcall %}"
    )
    template = Site({"page": page}).env.get_template("page")
    assert [template.render(n=n) for n in (1, 2)] == ["11", "21"]


@pytest.mark.parametrize(
    "page",
    [
        "{% for i in [1] %}{% nocache %}{{ f() }}{% endnocache %}{% endfor %}",
        "{% for i in [1] %}{% if i %}{% set a = 1 %}{% nocache %}{{ f() }}{% endnocache %}{% endif %}{% endfor %}",
        "{% for i in [1] %}{% cache 60, 'y' %}{% nocache %}{{ f() }}{% endnocache %}{% endcache %}{% endfor %}",
        "{% for i in [1] %}{% nocache %}{% cache 0, 'z', unless=1 %}{{ f() }}{% endcache %}{% endnocache %}{% endfor %}",
        "{% for i in [] %}{% else %}{% nocache %}{{ f() }}{% endnocache %}{% endfor %}",
        "{% block b %}{% for i in [1] %}{% nocache %}{{ f() }}{% endnocache %}{% endfor %}{% endblock %}",
        "{% block b %}{% cache 60, 'y' %}{% for i in [1] %}{% nocache %}{{ f() }}{% endnocache %}{% endfor %}{% endcache %}{% endblock %}",
        "{% with %}{% nocache %}{{ f() }}{% endnocache %}{% endwith %}",
        "{% cache_each i in [1], 60, 'y', i %}{% nocache %}{{ f() }}{% endnocache %}{% endcache_each %}",
        "{% for j in [1] %}{% cache_each i in [1], 60, 'y', i %}{% if i %}{% nocache %}{{ f() }}{% endnocache %}{% endif %}{% endcache_each %}{% endfor %}",
    ],
)
@pytest.mark.parametrize("loop", ["{% for k in [1] %}PAGE{% endfor %}", "PAGE"])
@pytest.mark.parametrize("fragment", ["{% cache 60, 'x' %}PAGE{% endcache %}", "PAGE"])
def test_a_hole_calls_a_function_wherever_it_is(
    page: str, loop: str, fragment: str, mode: str
) -> None:
    source = loop.replace("PAGE", fragment.replace("PAGE", page))
    site = Site({"page": source}, mode)
    counter = Counter()
    assert [site.render(f=counter) for _ in range(3)] == ["1", "2", "3"]


@pytest.mark.parametrize(("holes", "tests"), [(1, 0), (2, 2), (3, 3)])
def test_the_code_of_an_only_hole_does_not_ask_which_one_it_is(
    holes: int, tests: int
) -> None:
    hole = "{% nocache %}{{ user }}{% endnocache %}"
    source = "{% cache 60, 'x' %}" + f"-{hole}" * holes + "{% endcache %}"
    code = environment().compile(source, raw=True)
    assert code.count("0hole ==") == tests
    site = Site({"page": source})
    for user in ("a", "b"):
        assert site.render(user=user) == f"-{user}" * holes


def test_an_only_hole_is_one_of_several_in_the_fragment_around(mode: str) -> None:
    inner = "{% cache 60, NAME %}{% nocache %}{{ user }}{% endnocache %}{% endcache %}"
    parts = "-".join(inner.replace("NAME", f"'{each}'") for each in "ab")
    site = Site({"page": "{% cache 60, 'c' %}" + parts + "{% endcache %}"}, mode)
    for user in ("a", "b"):
        assert site.render(user=user) == f"{user}-{user}"


@pytest.mark.parametrize(
    "extends",
    ["{% extends 'base' %}", "{% if yes %}{% extends 'base' %}{% endif %}"],
    ids=["always", "in a branch"],
)
def test_a_hole_outside_of_blocks_in_a_child_template_prints_nothing(
    extends: str, mode: str
) -> None:
    base = "[{% block main %}{% endblock %}]"
    hole = "{% nocache %}{% block main %}{{ user }}{% endblock %}{% endnocache %}"
    site = Site({"base": base, "page": extends + hole}, mode)
    assert site.render(user="u", yes=True) == "[u]"
