"""An entry depends on the fragments, views and functions nested in it."""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, render_template_string

from jinja_fragcache import Cache, FragmentCache, MemoryStore, cache_tag
from jinja_fragcache.errors import FragmentTagError, StoreError
from jinja_fragcache.keys.fragment import make_template_fragment_key
from tests.support import Clock, CoroutineStore, Counter, RecordingStore, environment


class Site:
    """An environment, with a clock set by hand, and counts of what is rendered."""

    def __init__(
        self, templates: dict[str, str], store: Any = None, **options: Any
    ) -> None:
        self.clock = Clock()
        made = store or MemoryStore(timer=self.clock)
        self.cache = FragmentCache(made, clock=self.clock, timer=self.clock, **options)
        self.env = environment(templates, self.cache, enable_async=self.is_async(made))
        self.counts: dict[str, Counter] = {}
        self.env.globals["count"] = self.count

    @staticmethod
    def is_async(store: Any) -> bool:
        return asyncio.iscoroutinefunction(store.get)

    def count(self, name: str) -> int:
        return self.counts.setdefault(name, Counter())()

    def render(self, name: str = "page", **values: Any) -> str:
        template = self.env.get_template(name)
        if self.env.is_async:
            return asyncio.run(template.render_async(values))
        return template.render(values)

    def invalidate(self, *tags: str) -> None:
        if self.env.is_async:
            asyncio.run(self.cache.invalidate_tags_async(*tags))
        else:
            self.cache.invalidate_tags(*tags)


STORES: dict[str, Callable[[], Any]] = {
    "memory": lambda: None,
    "plain": RecordingStore,
    "coroutines": CoroutineStore,
}


@pytest.fixture(params=STORES)
def make_store(request: pytest.FixtureRequest) -> Callable[[], Any]:
    return STORES[request.param]


# Tags


def test_invalidating_a_tag_invalidates_all_its_entries(
    make_store: Callable[[], Any],
) -> None:
    page = (
        '{% cache 60, "post", post, tags=["post:%s" % post, "posts"] %}'
        '{{ count("p%s" % post) }}{% endcache %}'
    )
    site = Site({"page": page}, make_store())
    assert [site.render(post=each) for each in (1, 2, 1, 2)] == ["1", "1", "1", "1"]
    site.invalidate("post:1")
    assert [site.render(post=each) for each in (1, 2, 1, 2)] == ["2", "1", "2", "1"]
    site.invalidate("posts", "other")
    assert [site.render(post=each) for each in (1, 2, 1, 2)] == ["3", "2", "3", "2"]


def test_a_tag_may_be_added_while_rendering(make_store: Callable[[], Any]) -> None:
    page = (
        '{% cache 60, "post" %}{{ cache_tag("author:%s" % author) }}{{ count("p") }}'
        "{% endcache %}"
    )
    site = Site({"page": page}, make_store())
    assert [site.render(author=7), site.render(author=8)] == ["1", "1"]
    site.invalidate("author:8")
    assert site.render(author=8) == "1"
    site.invalidate("author:7")
    assert [site.render(author=8), site.render(author=8)] == ["2", "2"]
    site.invalidate("author:7")
    assert site.render(author=8) == "2"
    site.invalidate("author:8")
    assert site.render(author=8) == "3"


def test_a_fragment_whose_tag_is_invalidated_while_it_renders_is_not_stored() -> None:
    site = Site({"page": '{% cache 60, "x" %}{{ body() }}{% endcache %}'})
    data = ["old"]

    def body() -> str:
        read = data[0]
        if read == "old":
            data[0] = "new"
            # Another process writes a moment later.
            site.clock.now += 0.01
            site.cache.invalidate_tags("data")
        cache_tag("data")
        return read

    site.env.globals["body"] = body
    assert [site.render(), site.render()] == ["old", "new"]
    data[0] = "newer"
    assert site.render() == "new"


def test_known_tags_are_read_with_the_entry_in_one_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = RecordingStore()
    reads: list[list[str]] = []

    def get_many(*keys: str) -> list[Any]:
        reads.append([key.partition(":")[0] for key in keys])
        return [store.values.get(key) for key in keys]

    monkeypatch.setattr(store, "get_many", get_many, raising=False)
    page = '{% cache 60, "x", tags=["a"] %}{{ cache_tag("b") }}{% endcache %}'
    site = Site({"page": page}, store)
    site.render()
    for _ in range(2):
        reads.clear()
        store.calls.clear()
        site.render()
        assert [sorted(each) for each in reads] == [["fragment", "tag", "tag"]]
        assert store.calls == []


def test_unknown_tags_of_an_entry_take_a_second_read() -> None:
    store = RecordingStore()
    page = {"page": '{% cache 60, "x" %}{{ cache_tag("b") }}x{% endcache %}'}
    Site(page, store).render()
    other = Site(page, store)
    store.calls.clear()
    assert other.render() == "x"
    assert store.calls == ["get", "get"]
    other.cache.invalidate_tags("b")
    assert other.cache.get(make_template_fragment_key("x")) is None


def test_a_miss_does_not_ask_for_versions_that_were_read_with_the_entry() -> None:
    page = '{% cache 60, "x", n, tags=["i"] %}{{ n }}{% endcache %}'
    store = RecordingStore()
    site = Site({"page": page}, store)
    site.render(n=1)
    store.calls.clear()
    site.render(n=2)
    # The entry and the version of its tag, and then the entry is written.
    assert store.calls == ["get", "get", "set"]


def test_the_version_of_a_tag_lives_as_long_as_the_row_that_lives_longest() -> None:
    page = '{% cache_each n in seconds, n, "row", n, tags=["i"] %}{{ n }}{% endcache_each %}'
    store = RecordingStore()
    site = Site({"page": page}, store)
    site.render(seconds=[60, 0, 5])
    (version,) = [key for key in store.values if key.startswith("tag:")]
    assert store.timeouts[version] == 0


def test_an_entry_without_a_tag_that_it_must_have_is_a_miss() -> None:
    page = '{% cache 60, "x", tags=tags %}{{ count("x") }}{% endcache %}'
    site = Site({"page": page})
    assert site.render(tags=["a"]) == "1"
    assert site.render(tags=["a", "b"]) == "2"
    assert site.render(tags=["a"]) == "2"
    assert site.render(tags=None) == "2"
    site.invalidate("b")
    assert site.render(tags=["a"]) == "3"


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ('"posts"', "tags takes a list of texts and got 'posts'"),
        ("[7]", "A tag is text and this one is 7"),
        (
            "[nothing]",
            "A tag is text and this one is undefined ('nothing' is undefined)",
        ),
        ("nothing", "tags takes a list of texts and got undefined ('nothing' is"),
    ],
)
def test_wrong_tags_are_logged_and_an_error_in_a_strict_cache(
    tags: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    page = f'{{% set given = {tags} %}}{{% cache 60, "x", tags=given %}}text{{% endcache %}}'
    with pytest.raises(FragmentTagError, match=re.escape(message)):
        Site({"page": page}, strict=True).render()
    assert Site({"page": page}).render() == "text"
    assert message in caplog.text


def test_invalidating_raises_an_error_if_the_store_fails() -> None:
    store = RecordingStore()
    store.failing = {"set", "delete"}
    with pytest.raises(StoreError, match="may still be served"):
        FragmentCache(store).invalidate_tags("a")


# Nested fragments

NESTED = (
    '{% cache 300, "outer", tags=["o"] %}{{ count("outer") }}'
    '{% cache 60, "inner", tags=["i"] %}{{ count("inner") }}{{ cache_tag("late") }}'
    "{% endcache %}{% endcache %}"
)
INNER = NESTED[NESTED.index("{% cache 60") : -len("{% endcache %}")]


@pytest.mark.parametrize("tag", ["i", "late"])
def test_an_outer_entry_has_the_tags_of_the_inner_one(
    tag: str, make_store: Callable[[], Any]
) -> None:
    site = Site({"page": NESTED}, make_store())
    assert [site.render(), site.render()] == ["11", "11"]
    site.invalidate(tag)
    assert [site.render(), site.render()] == ["22", "22"]


def test_an_outer_entry_has_the_tags_of_an_inner_hit(
    make_store: Callable[[], Any],
) -> None:
    site = Site({"page": NESTED, "inner": INNER}, make_store())
    assert site.render("inner") == "1"
    assert site.render() == "11"
    site.invalidate("o")
    assert site.render() == "21"
    site.invalidate("late")
    assert [site.render(), site.render("inner")] == ["32", "2"]


def test_an_outer_entry_expires_with_the_inner_one() -> None:
    site = Site({"page": NESTED})
    assert site.render() == "11"
    site.clock.now += 59
    assert site.render() == "11"
    site.clock.now += 1
    assert site.render() == "22"


@pytest.mark.parametrize("inner_first", ["inner", "page"])
def test_an_outer_entry_expires_with_an_inner_hit(inner_first: str) -> None:
    site = Site({"page": NESTED, "inner": INNER})
    site.render(inner_first)
    site.clock.now += 50
    site.invalidate("o")
    outer = site.counts["outer"].calls if "outer" in site.counts else 0
    assert site.render() == f"{outer + 1}1"
    site.clock.now += 9
    assert site.render() == f"{outer + 1}1"
    site.clock.now += 1
    assert site.render() == f"{outer + 2}2"


@pytest.mark.parametrize("rows_first", [True, False])
def test_an_outer_entry_ends_with_the_first_of_the_rows_in_it(
    rows_first: bool,
) -> None:
    rows = (
        '{% cache_each n in "ab", 5, "row", n %}{{ count("row") }}{% endcache_each %}'
    )
    page = '{% cache 60, "outer" %}{% include "rows" %}{% endcache %}'
    site = Site({"rows": rows, "page": page})
    if rows_first:
        # So that they are hits when the outer fragment is rendered.
        site.render("rows")
        site.clock.now += 2
    assert site.render() == "12"
    site.clock.now += 3 if rows_first else 5
    assert site.render() == "34"


def test_in_a_store_without_remaining_an_inner_hit_counts_with_its_whole_timeout() -> (
    None
):
    plain = '{% cache 60, "inner" %}{{ count("inner") }}{% endcache %}'
    outer = f'{{% cache 300, "outer" %}}{plain}{{% endcache %}}'
    store = RecordingStore()
    site = Site({"page": outer, "inner": plain}, store)
    site.render("inner")
    site.clock.now += 50
    site.render()
    key = make_template_fragment_key("outer")
    assert f'"expires":{site.clock.now + 60}' in store.values[key]
    assert store.timeouts[key] == 60


class TellingStore(RecordingStore):
    """A store with `remaining`, which knows no entry."""

    def remaining(self, key: str) -> float | None:
        self._note("remaining")
        return None


@pytest.mark.parametrize("errors", [{}, {"remaining": ValueError("WRONGTYPE")}])
def test_around_an_inner_entry_that_has_just_gone_nothing_is_fresh_for_long(
    errors: dict[str, Exception],
) -> None:
    """Or if the store does not answer how long it is kept."""
    plain = '{% cache 60, "inner" %}{{ count("inner") }}{% endcache %}'
    outer = f'{{% cache 300, "outer" %}}{plain}{{% endcache %}}'
    store = TellingStore()
    site = Site({"page": outer, "inner": plain}, store)
    site.render("inner")
    store.errors = errors
    site.render()
    assert store.timeouts[make_template_fragment_key("outer")] == 1


def test_an_inner_hit_that_stores_its_expiry_limits_the_outer_entry() -> None:
    store = RecordingStore()
    site = Site({"page": NESTED}, store)
    site.render()
    site.clock.now += 50
    site.invalidate("o")
    assert site.render() == "21"
    key = make_template_fragment_key("outer")
    assert f'"expires":{site.clock.now + 10}' in store.values[key]
    assert store.timeouts[key] == 10


def test_an_inner_entry_that_never_expires_does_not_limit_the_outer_one() -> None:
    page = NESTED.replace("cache 60", "cache 0").replace("cache 300", "cache 0")
    store = RecordingStore()
    site = Site({"page": page}, store)
    site.render()
    fragments = [key for key in store.timeouts if key.startswith("fragment")]
    assert [store.timeouts[key] for key in fragments] == [0, 0]
    assert "expires" not in "".join(store.values[key] for key in fragments)


def test_an_outer_entry_that_would_never_expire_expires_with_the_inner_one() -> None:
    site = Site({"page": NESTED.replace("cache 300", "cache 0")})
    assert site.render() == "11"
    site.clock.now += 60
    assert site.render() == "22"


def test_the_grace_period_of_an_inner_entry_does_not_prolong_the_outer_one() -> None:
    page = NESTED.replace('60, "inner"', '60, "inner", stale=600')
    site = Site({"page": page})
    site.render()
    site.clock.now += 60
    assert site.render() == "22"


def test_an_outer_entry_with_a_stale_part_lives_for_one_second() -> None:
    inner = (
        '{% cache 60, "inner", stale_if_error=600 %}{{ count("inner") }}{{ fail() }}'
        "{% endcache %}"
    )
    page = f'{{% cache 300, "outer" %}}{{{{ count("outer") }}}}{inner}{{% endcache %}}'
    site = Site({"page": page})
    failing: list[bool] = []

    def fail() -> str:
        if failing:
            raise ZeroDivisionError
        return ""

    site.env.globals["fail"] = fail
    assert site.render() == "11"
    site.clock.now += 60
    failing.append(True)
    assert [site.render(), site.render()] == ["21", "21"]
    site.clock.now += 1
    failing.clear()
    assert site.render() == "33"


def test_an_inner_unless_keeps_what_is_around_it_from_being_stored() -> None:
    page = NESTED.replace('tags=["i"]', 'tags=["i"], unless=preview')
    site = Site({"page": page})
    assert [site.render(preview=each) for each in (True, True)] == ["11", "22"]
    assert [site.render(preview=each) for each in (False, True)] == ["33", "33"]


@pytest.mark.parametrize(
    ("inner", "tag", "seconds"),
    [
        ('{% cache "del", "i", tags=["t"] %}BODY{% endcache %}', "t", 0),
        ('{% cache how, "i", tags=["t"] %}BODY{% endcache %}', "t", 0),
        ('{% cache 60, "i", nothing, tags=["t"] %}BODY{% endcache %}', "t", 60),
        ('{% cache 60, "i", nothing %}BODY{% endcache %}', "", 60),
        ('{% cache 60, "i", nothing, 7 %}BODY{% endcache %}', "", 60),
        (
            '{% cache_each i in [1], 60, "i", nothing %}BODY{% endcache_each %}',
            "",
            60,
        ),
        (
            (
                '{% cache_each i in [1], 60, "i", nothing, tags=["t"] %}BODY'
                "{% endcache_each %}"
            ),
            "t",
            60,
        ),
        (
            (
                "{% cache 300, label %}{% endcache %}"
                '{% cache 60, label, tags=["t"] %}BODY{% endcache %}'
            ),
            "t",
            60,
        ),
        (
            (
                "{% cache 300, label, 1 %}{% endcache %}{% cache_each i in [1], 60, label,"
                ' i, tags=["t"] %}BODY{% endcache_each %}'
            ),
            "t",
            60,
        ),
    ],
)
def test_an_outer_entry_has_the_tags_and_the_timeout_of_a_part_that_is_not_cached(
    inner: str, tag: str, seconds: int, make_store: Callable[[], Any]
) -> None:
    inner = inner.replace("BODY", '{{ count("i") }}')
    site = Site(
        {"page": f'{{% cache 300, "o" %}}{inner}{{% endcache %}}'}, make_store()
    )

    def render() -> str:
        return site.render(how="del", label="n")

    assert [render(), render()] == ["1", "1"]
    if tag:
        site.invalidate(tag)
    assert render() == ("2" if tag else "1")
    site.clock.now += 60
    assert render() == str(1 + bool(tag) + bool(seconds))


def test_fragments_in_included_templates_and_macros_count() -> None:
    templates = {
        "page": '{% cache 300, "outer" %}{% include "part" %}{% endcache %}',
        "part": '{% import "macros" as m %}{{ m.row(1) }}',
        "macros": (
            '{% macro row(n) %}{% cache 60, "row", n, tags=["rows"] %}{{ n }}'
            "{% endcache %}{% endmacro %}"
        ),
    }
    store = RecordingStore()
    site = Site(templates, store)
    site.render()
    outer = store.values[make_template_fragment_key("outer")]
    assert '"rows"' in outer
    assert f'"expires":{site.clock.now + 60}' in outer


# Views and functions


@pytest.fixture
def app() -> Flask:
    return Flask(__name__)


def test_a_view_has_the_tags_of_its_fragments(app: Flask) -> None:
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    counter = Counter()
    page = '{% cache 60, "x", tags=["a"] %}{{ cache_tag("b") }}{{ n() }}{% endcache %}'

    @app.route("/")
    @cache.cached(timeout=300)
    def view() -> str:
        return render_template_string(page, n=counter)

    client = app.test_client()
    for expected, tag in enumerate(["a", "b", "other"], start=1):
        assert client.get("/").text == str(expected)
        assert client.get("/").text == str(expected)
        assert cache.invalidate_tags(tag)
    assert client.get("/").text == "3"


def test_a_fragment_has_the_tags_of_the_functions_it_calls(app: Flask) -> None:
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    counter = Counter()

    @cache.memoize(tags=lambda number: [f"post:{number}", "posts"])
    def title(number: int) -> str:
        return f"{number}:{counter()}"

    @cache.cached(key_prefix="all", tags=["posts"])
    def all_titles() -> str:
        return "all"

    template = app.jinja_env.from_string(
        '{% cache 60, "x", n %}{{ title(n) }}{{ all_titles() }}{% endcache %}'
    )
    with app.app_context():

        def render(number: int) -> str:
            return template.render(n=number, title=title, all_titles=all_titles)

        assert [render(1), render(2), render(1)] == ["1:1all", "2:2all", "1:1all"]
        cache.invalidate_tags("post:1")
        assert [render(1), render(2)] == ["1:3all", "2:2all"]
        cache.invalidate_tags("posts")
        assert [render(1), render(2)] == ["1:4all", "2:5all"]
        cache.delete_memoized(title)
        assert [render(1), render(2)] == ["1:6all", "2:7all"]


class Nameless:
    """An object that nothing identifies."""

    def __repr__(self) -> str:
        return "<Nameless at 0x7f31c2d0>"


@pytest.mark.parametrize("which", ["tag", "function", "object", "timeout"])
def test_a_fragment_ends_with_a_call_whose_key_is_refused(
    app: Flask, which: str
) -> None:
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    counter = Counter()

    class Shop:
        def __cache_key__(self) -> str:
            return "shop"

        @cache.memoize(60, tags=lambda *_: ["t"])
        def price(self, _: object) -> int:
            return counter()

    shop, clock = Shop(), Clock()
    template = app.jinja_env.from_string(
        '{% cache 300, "x" %}{{ shop.price(nameless) }}{% endcache %}'
    )
    with app.app_context():
        fragments = cache.fragment_cache
        fragments.engine.context.clock = clock

        def render() -> str:
            return template.render(shop=shop, nameless=Nameless())

        assert [render(), render()] == ["1", "1"]
        if which == "tag":
            cache.invalidate_tags("t")
        elif which == "function":
            cache.delete_memoized(Shop.price)
        elif which == "object":
            cache.delete_memoized(shop.price)
        else:
            clock.now += 60
        assert render() == "2"


def test_a_memoized_function_may_add_tags(app: Flask) -> None:
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    counter = Counter()

    @cache.memoize()
    def post(number: int) -> int:
        cache_tag(f"post:{number}")
        return counter()

    with app.app_context():
        assert [post(1), post(2), post(1)] == [1, 2, 1]
        cache.invalidate_tags("post:1")
        assert [post(1), post(2), post(1)] == [3, 2, 3]
        assert cache.get(post.make_cache_key(1)) == 3
        cache.invalidate_tags("post:1")
        assert cache.get(post.make_cache_key(1)) is None


@pytest.mark.parametrize("tags", ["posts", [1], 7])
def test_wrong_tags_of_a_decorator_are_an_error(app: Flask, tags: Any) -> None:
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    with pytest.raises(TypeError, match="Write tags="):
        cache.memoize(tags=tags)
    with pytest.raises(TypeError, match="Write tags="):
        cache.invalidate_tags(7)  # type: ignore[arg-type]


def test_wrong_tags_from_a_function_are_logged_and_the_value_is_not_cached(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    counter = Counter()

    @cache.cached(key_prefix="x", tags=lambda: "posts")
    def value() -> int:
        return counter()

    with app.app_context(), caplog.at_level(logging.WARNING):
        assert [value(), value()] == [1, 2]
    assert "the value is not cached. tags takes a list" in caplog.text
