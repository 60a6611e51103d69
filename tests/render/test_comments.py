import asyncio
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import Environment

from jinja_fragcache import FragmentCache, PolicyError
from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.render import lookup
from jinja_fragcache.stores import MemoryStore
from jinja_fragcache.testing import isolated
from tests.support import (
    Clock,
    CoroutineStore,
    Ears,
    RecordingStore,
    environment,
    files_of_calls,
)

PAGES = {
    "base.html": "<!doctype html><title>{% block title %}{% endblock %}</title>"
    "<body class='{% cache 60, 'class' %}dark{% endcache %}'>"
    "{% block content %}{% endblock %}{% include 'side.html' %}</body>",
    "home.html": "{% extends 'base.html' %}"
    "{% block title %}{% cache 60, 'title' %}Home{% endcache %}{% endblock %}"
    "{% block content %}"
    "{% cache 300, 'outer', user, tags=['posts'] %}<div>"
    "{% cache 60, 'inner' %}<b>in</b>{% endcache %}<i "
    "id='{% nocache %}a{% endnocache %}'>{% nocache %}{{ user }}"
    "{% cache 60, 'in hole' %}<u>u</u>{% endcache %}{% endnocache %}</i></div>"
    "{% endcache %}"
    "<ul>{% cache_each n in [1, 2], 60, 'row', n %}<li>{{ n }}</li>{% endcache_each %}"
    "{% cache_each n in [1], 60, 'holed', n, stale=9 %}<li>{% nocache %}{{ user }}"
    "{% endnocache %}</li>{% endcache_each %}</ul>"
    "{% cache 60, 'off', unless=user %}<p>{% cache 60, 'in off' %}p{% endcache %}</p>"
    "{% endcache %}"
    "<script>{% cache 60, 'code' %}x{% endcache %}</script>{% endblock %}",
    "side.html": "{% cache 60, 'side' %}<nav></nav>{% endcache %}"
    "{% cache 60, 'text' %}text{% endcache %}",
}
OURS = ("observe/comments.py", "jinja_fragcache/render/comments.py")
COMMENT = re.compile(r"<!-- /?cache.*? -->")


def rendered(env: Environment, page: str = "home.html") -> str:
    template = env.get_template(page)
    if env.is_async:
        return asyncio.run(template.render_async(user=7))
    return template.render(user=7)


@pytest.fixture(params=["sync", "async", "awaited"])
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def site(kind: str, store: Any = None, pages: Any = PAGES, **options: Any) -> Any:
    if store is None:
        store = CoroutineStore() if kind == "awaited" else MemoryStore()
    cache = FragmentCache(store, **options)
    return environment(pages, cache, autoescape=True, enable_async=kind != "sync")


class Tree(HTMLParser):
    """What a browser sees: the comments, and the page without them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.comments: list[str] = []
        self.rest: list[Any] = [""]
        self.feed(page)
        self.close()

    def handle_comment(self, data: str) -> None:
        self.comments.append(data.strip())

    def handle_data(self, data: str) -> None:
        if isinstance(self.rest[-1], str):
            data = self.rest.pop() + data
        self.rest.append(data)

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.rest.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.rest.append((tag,))


def told(page: str) -> list[str]:
    """Return the kind, outcome and name of each comment, and the ends."""
    return [
        re.sub(r'^(\S+ \w+ "[^"]*"|cache-hole "[^"]*"|/\S+).*$', r"\1", each)
        for each in Tree(page).comments
    ]


def pair(
    name: str, *inner: str, kind: str = "cache", outcome: str = "hit"
) -> list[str]:
    return [f'{kind} {outcome} "{name}"', *inner, f"/{kind}"]


def expected(outcome: str) -> list[str]:
    in_hole = pair("in_hole", outcome=outcome)
    return [
        *pair("outer", 'cache-hole "outer"', *in_hole, "/cache-hole", outcome=outcome),
        *pair("row", kind="cache-row", outcome=outcome),
        *pair("row", kind="cache-row", outcome=outcome),
        *pair(
            *("holed", 'cache-hole "holed"', "/cache-hole"),
            kind="cache-row",
            outcome=outcome,
        ),
        *pair("off", *pair("in_off", outcome=outcome), outcome="uncached"),
        *pair("side", outcome=outcome),
        *pair("text", outcome=outcome),
    ]


def test_each_fragment_row_and_hole_is_marked_where_html_has_comments(
    kind: str,
) -> None:
    env, plain = site(kind, debug_comments=True), site(kind)
    for outcome in ("miss", "hit"):
        page = rendered(env)
        assert told(page) == expected(outcome)
        assert Tree(page).rest == Tree(rendered(plain)).rest
        assert COMMENT.sub("", page) == rendered(plain)


def test_both_comments_of_a_pair_have_the_same_number() -> None:
    opened: list[str] = []
    for each in Tree(rendered(site("sync", debug_comments=True))).comments:
        number = each.rpartition("#")[2]
        if each.startswith("/"):
            assert opened.pop() == number
        else:
            assert number not in opened
            opened.append(number)
    assert opened == []


def test_a_comment_has_what_the_report_says() -> None:
    clock, ears = Clock(), Ears()
    source = {"home.html": "<p>{% cache 300, 'a', 1, tags=['t'] %}x{% endcache %}"}
    store = MemoryStore(timer=clock)
    env = site("sync", store, source, debug_comments=True, listeners=[ears])
    rendered(env)
    clock.now += 12
    comment = Tree(rendered(env)).comments[0]
    key = ears.reports[-1].key
    assert comment.rpartition(" #")[0] == (
        f'cache hit "a" key={key} age=12s expires=288s tags=t home.html:1'
    )


class Texts(RecordingStore):
    """Keeps all texts that were ever stored."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def set(self, key: str, value: Any, timeout: int | None = None) -> Any:
        self.texts.append(str(value))
        return super().set(key, value, timeout)


CAPTURED = {
    "set.html": "{% set x %}{% include 'part.html' %}{% endset %}{{ x }}"
    "{% cache 60, 'a' %}<p>{{ x }}</p>{% endcache %}"
    "{% cache 60, 'b' %}<p>{% nocache %}{% endnocache %}{{ x }}</p>{% endcache %}"
    "{% cache_each n in [1], 60, 'c', n %}<p>{{ x }}</p>{% endcache_each %}",
    "part.html": "<p>{% cache 60, 'part' %}part{% endcache %}</p>",
}


@pytest.mark.parametrize("page", ["home.html", "set.html"])
def test_no_comment_is_ever_stored(page: str) -> None:
    store = Texts()
    pages = PAGES | CAPTURED
    commented = site("sync", store, pages, debug_comments=True)
    assert COMMENT.search(rendered(commented, page))
    assert store.texts
    assert not any("<!--" in each for each in store.texts)
    # What was stored with comments is served without them, and the other way round.
    quiet = site("sync", store, pages)
    assert not COMMENT.search(rendered(quiet, page))
    assert COMMENT.search(rendered(commented, page))


def test_nothing_of_a_body_that_is_captured_is_stored_with_comments(kind: str) -> None:
    env = site(kind, pages=CAPTURED, debug_comments=True)
    rendered(env, "set.html")
    page = rendered(env, "set.html")
    assert told(page) == [
        *pair("part"),
        *pair("a"),
        *pair("b", 'cache-hole "b"', "/cache-hole"),
        *pair("c", kind="cache-row"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "{% cache 60, 'a' %}text{% endcache %}",
        "{% cache 60, 'a' %} <?xml version='1.0'?>{% endcache %}",
        "{% cache 60, 'a' %}{% endcache %}",
        "<p>{% cache 60, 'a' %}<a title='{% endcache %}'>",
        "<p>{% cache 60, 'a' %}<script>{% endcache %}</script>",
        "<p>{% cache 60, 'a' %}{{ '<!--'|safe }}{% endcache %}-->",
        "<p>{% autoescape x %}{% cache 60, 'a' %}<b>{% endcache %}{% endautoescape %}",
        "<p>{% set x %}{% cache 60, 'a' %}<b></b>{% endcache %}{% endset %}{{ x }}",
        "{% macro m() %}<b>{% cache 60, 'a' %}{% endcache %}{% endmacro %}<p>{{ m() }}",
    ],
)
def test_in_doubt_there_are_no_comments(source: str) -> None:
    env = site("sync", pages={"home.html": source}, debug_comments=True)
    plain = site("sync", pages={"home.html": source})
    for _ in range(2):
        assert rendered(env) == rendered(plain)


def test_text_templates_have_none() -> None:
    pages = {"mail.txt": "Hello <b>{% cache 60, 'a' %}<i>{% endcache %}"}
    cache = FragmentCache(debug_comments=True)
    env = environment(pages, cache, autoescape=False)
    assert rendered(env, "mail.txt") == "Hello <b><i>"


def test_a_key_that_is_refused_and_what_the_whole_cache_leaves_are_marked(
    kind: str,
) -> None:
    pages = {"home.html": "<p>{% cache 60, 'a', refused %}x{% endcache %}"}
    refused = site(kind, pages=pages, debug_comments=True)
    refused.globals["refused"] = object()
    assert told(rendered(refused)) == pair("a", outcome="uncached")
    off = site(kind, debug_comments=True, unless=lambda: True)
    outcomes = {each.split()[1] for each in told(rendered(off)) if '"' in each}
    assert outcomes == {"uncached", '"outer"', '"holed"'}


def test_verified_hits_are_marked_as_hits() -> None:
    env = site("sync", debug_comments=True, verify=1)
    rendered(env)
    page = rendered(env)
    assert told(page)[: len(expected("hit")[:5])] == expected("hit")[:5]
    assert env.fragment_cache.stats().differed == 0


def test_a_stale_fragment_is_marked_so() -> None:
    clock = Clock()
    pages = {
        "home.html": "<p>{% cache 10, 'a', stale=60, background=true %}x{% endcache %}"
    }
    store = MemoryStore(timer=clock)
    env = site("sync", store, pages, debug_comments=True, clock=clock)
    rendered(env)
    clock.now += 20
    assert told(rendered(env)) == pair("a", outcome="stale")


@pytest.mark.parametrize("page", ["home.html", "side.html"])
def test_a_hit_runs_nothing_for_comments_while_they_are_off(page: str) -> None:
    env = site("sync")
    for _ in range(3):
        rendered(env, page)
    with files_of_calls() as called:
        rendered(env, page)
    assert len(called) > 1
    assert not [each for each in called if each.endswith(OURS)]
    env.fragment_cache = FragmentCache(debug_comments=True)
    with files_of_calls() as called:
        rendered(env, page)
    assert [each for each in called if each.endswith(OURS)]


def test_the_fast_path_reads_nothing_that_tells_of_comments() -> None:
    fast = [lookup.fragment.__code__, Engine.text.__code__]
    names = {name for code in fast for name in code.co_names}
    assert names.isdisjoint({"comments", "differs", "whole"})


def test_what_is_no_flag_is_refused() -> None:
    wrong: Any = "yes"
    with pytest.raises(PolicyError, match="debug_comments can't be 'yes'"):
        FragmentCache(debug_comments=wrong)


def test_a_tester_knows_what_was_rendered_with_comments() -> None:
    env = site("sync")
    with isolated(env, debug_comments=True) as tester:
        page = rendered(env)
        assert COMMENT.search(page)
        tester.assert_cached("outer", 7)
