"""What holds for a whole cache: its `vary_on` and its `unless`, around templates."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis
from jinja2 import Undefined

from jinja_fragcache import (
    FragmentCache,
    FragmentTagError,
    KeyValueError,
    MemoryStore,
    PolicyError,
    StoreError,
    make_template_fragment_key,
)
from jinja_fragcache.engine.whole import tag_of_key
from jinja_fragcache.keys.beside import version_key
from jinja_fragcache.stores.redis import RedisStore
from tests.support import (
    Clock,
    CoroutineStore,
    Counter,
    RecordingStore,
    environment,
    files_of_calls,
)

BODIES = {
    "constant": '{% cache 300, "a" %}{{ n() }}{{ now() }}{% endcache %}',
    "value": '{% cache 300, "a", 7 %}{{ n() }}{{ now() }}{% endcache %}',
    "no name": "{% cache 300 %}{{ n() }}{{ now() }}{% endcache %}",
    "named by a value": "{% cache 300, name %}{{ n() }}{{ now() }}{% endcache %}",
    "grace": '{% cache 300, "a", stale=60 %}{{ n() }}{{ now() }}{% endcache %}',
    "tags": '{% cache 300, "a", tags=["t"] %}{{ n() }}{{ now() }}{% endcache %}',
    "hole": (
        '{% cache 300, "a" %}{{ n() }}{{ now() }}{% nocache %}{% endnocache %}'
        "{% endcache %}"
    ),
    "row": (
        '{% cache_each i in [1], 300, "a", i %}{{ n() }}{{ now() }}{% endcache_each %}'
    ),
    "row with tags": (
        '{% cache_each i in [1], 300, "a", i, tags=["t"] %}{{ n() }}{{ now() }}'
        "{% endcache_each %}"
    ),
}
bodies = pytest.mark.parametrize("body", BODIES)
STORES: dict[str, Callable[[], Any]] = {
    "memory": MemoryStore,
    "plain": RecordingStore,
    "coroutines": CoroutineStore,
}


class Site:
    """An environment whose cache varies on `values`, and is off while `preview`."""

    def __init__(self, store: Any = None, **options: Any) -> None:
        self.values: Any = ["en"]
        self.preview = False
        self.asked = Counter()
        self.store = store if store is not None else MemoryStore()
        self.clock = Clock()
        options.setdefault("vary_on", lambda: self.values)
        options.setdefault("unless", self.is_preview)
        self.cache = FragmentCache(self.store, clock=self.clock, **options)
        is_async = asyncio.iscoroutinefunction(self.store.get)
        self.env = environment(BODIES, self.cache, enable_async=is_async)
        self.env.globals.update(n=Counter(), now=lambda: self.values[0])

    def is_preview(self) -> bool:
        self.asked()
        return self.preview

    def render(self, name: str, values: Any = None) -> str:
        if values is not None:
            self.values = values
        template = self.env.get_template(name)
        if self.env.is_async:
            return asyncio.run(template.render_async(name="b"))
        return template.render(name="b")

    def delete(self, *what: Any) -> None:
        if self.env.is_async:
            asyncio.run(self.cache.delete_fragment_async(*what))
        else:
            self.cache.delete_fragment(*what)


@pytest.fixture(params=STORES)
def site(request: pytest.FixtureRequest) -> Site:
    return Site(STORES[request.param]())


@bodies
def test_each_value_has_its_own_entry(site: Site, body: str) -> None:
    shown = [site.render(body, [each]) for each in ("en", "de", "en", "de")]
    assert shown == ["1en", "2de", "1en", "2de"]
    stats = site.cache.stats()
    assert (stats.hits, stats.misses, stats.stored, stats.uncached) == (2, 2, 2, 0)


@bodies
def test_nothing_is_read_or_stored_while_unless_is_true(site: Site, body: str) -> None:
    assert site.render(body) == "1en"
    site.preview = True
    assert [site.render(body), site.render(body)] == ["2en", "3en"]
    site.preview = False
    assert site.render(body) == "1en"
    stats = site.cache.stats()
    assert (stats.hits, stats.misses, stats.stored, stats.uncached) == (1, 1, 1, 2)


@bodies
def test_unless_is_asked_once_for_each_look_up(site: Site, body: str) -> None:
    site.render(body)
    assert site.asked() == 2
    site.render(body)
    assert site.asked() == 4


def test_all_rows_are_asked_for_at_once() -> None:
    vary_on = Counter()
    site = Site(vary_on=lambda: [vary_on() and "en"])
    source = '{% cache_each i in range(9), 300, "a", i %}{{ i }}{% endcache_each %}'
    template = site.env.from_string(source)
    assert [template.render(), template.render()] == ["012345678"] * 2
    assert (vary_on(), site.asked()) == (3 + 1, 2 + 1)


def test_a_value_is_not_confused_with_a_key_value_of_the_tag() -> None:
    site = Site()
    template = site.env.from_string(
        '{% cache 300, "a", vary_on=values %}{{ n() }}{% endcache %}'
    )
    shown = []
    both = [(["x", "y"], []), (["x"], ["y"]), ([], ["x", "y"]), (["xy"], [])]
    for own, whole in both:
        site.values = whole
        shown.append(template.render(values=own))
    assert shown == ["1", "2", "3", "4"]


def test_a_cache_without_both_has_the_keys_of_before() -> None:
    site = Site(vary_on=None)
    site.render("value")
    assert site.store.get(make_template_fragment_key("a", [7])) == "1en"
    assert site.cache.key_for("a", [7]) == make_template_fragment_key("a", [7])


@bodies
def test_a_hit_of_a_cache_without_both_runs_nothing_of_engine_whole(body: str) -> None:
    site = Site(vary_on=None, unless=None)
    assert site.render(body) == "1en"
    with files_of_calls() as called:
        assert site.render(body) == "1en"
    assert called
    assert not [each for each in called if each.endswith("/whole.py")]


# Deletes


@pytest.mark.parametrize(
    ("body", "what"), [("constant", ("a",)), ("value", ("a", [7])), ("row", ("a", [1]))]
)
def test_a_delete_reaches_the_entries_of_all_values(
    site: Site, body: str, what: Any
) -> None:
    for each in ("en", "de"):
        site.render(body, [each])
    site.delete(*what)
    assert [site.render(body, [each]) for each in ("en", "de")] == ["3en", "4de"]


def test_a_delete_reaches_what_other_processes_have_stored(redis_port: int) -> None:
    # Each site has its own client, and knows nothing of the values of the other one.
    with redis.Redis(port=redis_port) as first, redis.Redis(port=redis_port) as second:
        one = Site(RedisStore(first, key_prefix="whole:"))
        two = Site(RedisStore(second, key_prefix="whole:"))
        one.cache.clear()
        assert [one.render("value", [each]) for each in ("en", "de")] == ["1en", "2de"]
        assert two.render("value", ["de"]) == "2de"
        two.delete("a", [7])
        assert [one.render("value", [each]) for each in ("en", "de")] == ["3en", "4de"]


def test_a_delete_leaves_the_entries_of_other_key_values() -> None:
    site = Site()
    site.render("value")
    site.render("constant")
    site.cache.delete_fragment("a", [8])
    assert [site.render("value"), site.render("constant")] == ["1en", "2en"]


def test_the_entry_of_the_present_values_can_be_deleted_alone() -> None:
    site = Site()
    for each in ("en", "de"):
        site.render("value", [each])
    key = site.cache.key_for("a", [7])
    assert site.cache.get(key) == "2de"
    site.cache.delete(key)
    assert site.cache.get(key) is None
    assert [site.render("value", [each]) for each in ("en", "de")] == ["1en", "3de"]


def test_a_timeout_del_deletes_for_all_values() -> None:
    site = Site()
    for each in ("en", "de"):
        site.render("value", [each])
    site.env.from_string('{% cache "del", "a", 7 %}{% endcache %}').render()
    assert [site.render("value", [each]) for each in ("en", "de")] == ["3en", "4de"]


def test_what_is_deleted_while_it_is_made_is_not_served() -> None:
    site = Site()
    site.env.globals["now"] = lambda: site.delete("a")
    assert [site.render("constant"), site.render("constant")] == ["1None", "2None"]


def test_a_delete_that_fails_is_raised() -> None:
    version = version_key(tag_of_key(make_template_fragment_key("a")))

    class Failing(RecordingStore):
        def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
            return key != version and super().set(key, value, timeout)

        def delete(self, key: str) -> bool:
            if key == version:
                raise OSError
            return super().delete(key)

    with pytest.raises(StoreError):
        Site(Failing()).cache.delete_fragment("a")


def test_an_entry_and_its_tag_are_read_in_one_trip() -> None:
    class ManyStore(RecordingStore):
        def get_many(self, *keys: str) -> list[Any]:
            self.calls.append("get_many")
            return [self.values.get(key) for key in keys]

    store = ManyStore()
    site = Site(store)
    site.render("value")
    store.calls.clear()
    site.render("value")
    assert store.calls == ["get_many"]


# Refused values


async def coroutine_function() -> Any:
    return []


def unawaited() -> Any:
    return coroutine_function()


REFUSED: dict[str, Any] = {
    "nothing": lambda: None,
    "a text": lambda: "en",
    "an address": lambda: [object()],
    "undefined": lambda: [Undefined(name="x")],
    "an iterator": lambda: iter(["en"]),
    "an error": lambda: [1 // 0],
    "an end": lambda: [next(iter(()))],
    "a coroutine": unawaited,
}


class NoBool:
    def __bool__(self) -> bool:
        raise ZeroDivisionError


UNKNOWN: dict[str, Any] = {
    "an error": lambda: 1 // 0,
    "no truth": NoBool,
    "a coroutine": unawaited,
}


@pytest.mark.parametrize("refused", REFUSED)
@bodies
def test_a_refused_value_is_an_error_in_a_strict_cache(body: str, refused: str) -> None:
    site = Site(vary_on=REFUSED[refused], strict=True)
    with pytest.raises(FragmentTagError, match=r"line 1: .*vary_on of the cache"):
        site.render(body)


@pytest.mark.parametrize("refused", REFUSED)
@bodies
def test_a_refused_value_is_one_warning_in_a_cache_that_is_not_strict(
    body: str, refused: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(vary_on=REFUSED[refused])
    assert [site.render(body), site.render(body)] == ["1en", "2en"]
    (message,) = caplog.messages
    assert "vary_on of the cache" in message
    assert site.cache.stats().uncached == 2
    with pytest.raises(KeyValueError, match="vary_on of the cache"):
        site.cache.key_for("a")


class CoroutineCall:
    async def __call__(self) -> Any:
        return []


@pytest.mark.parametrize("unknown", UNKNOWN)
@bodies
def test_an_unless_that_says_nothing_is_an_error_in_a_strict_cache(
    body: str, unknown: str
) -> None:
    site = Site(unless=UNKNOWN[unknown], strict=True)
    with pytest.raises(FragmentTagError, match=r"line 1: .*in Flask, CACHE_UNLESS\) r"):
        site.render(body)


@pytest.mark.parametrize("unknown", UNKNOWN)
@bodies
def test_an_unless_that_says_nothing_is_one_warning_in_a_cache_that_is_not_strict(
    body: str, unknown: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(unless=UNKNOWN[unknown])
    assert [site.render(body), site.render(body)] == ["1en", "2en"]
    (message,) = caplog.messages
    assert "(in Flask, CACHE_UNLESS)" in message
    assert site.cache.stats().uncached == 2


@pytest.mark.parametrize(
    ("vary_on", "message"),
    [
        (lambda: int("x"), "raised ValueError: .* also without a request"),
        (
            lambda: "en",
            r"returned 'en' \(str\). .* a list of key values, \[\] for none",
        ),
        (lambda: [object()], "A key value is .*object"),
        (unawaited, "returned a coroutine, .* Give a plain function"),
    ],
)
def test_an_error_says_what_to_write(vary_on: Any, message: str) -> None:
    cache = Site(vary_on=vary_on).cache
    with pytest.raises(KeyValueError, match=message) as raised:
        cache.key_for("a")
    assert "(in Flask, CACHE_VARY_ON)" in str(raised.value)


@pytest.mark.parametrize("name", ["vary_on", "unless"])
@pytest.mark.parametrize(
    "given",
    [["en"], "locale", True, lambda x: [x], coroutine_function, CoroutineCall()],
)
def test_a_wrong_function_is_refused_with_an_example(name: str, given: Any) -> None:
    with pytest.raises(PolicyError, match=rf"{name} can't be .* {name}=lambda: "):
        FragmentCache(**{name: given})


# Around others


def test_an_inner_unless_of_another_cache_keeps_the_outer_entry_unstored() -> None:
    outer, inner = Site(unless=None, vary_on=None), Site()
    inner.preview = True
    outer.env.globals["inner"] = lambda: inner.render("constant")
    page = outer.env.from_string('{% cache 300, "o" %}{{ inner() }}{% endcache %}')
    assert [page.render(), page.render()] == ["1en", "2en"]
    inner.preview = False
    assert [page.render(), page.render()] == ["3en", "3en"]


def test_hits_are_verified_where_keys_have_values_of_the_whole_cache() -> None:
    site = Site(verify=1)
    assert [site.render("value"), site.render("value")] == ["1en", "1en"]
    stats = site.cache.stats()
    assert (stats.verified, stats.differed) == (1, 1)


def test_nested_fragments_vary_alike() -> None:
    site = Site()
    source = (
        '{% cache 300, "o" %}{% cache 300, "i" %}{{ now() }}{% endcache %}'
        "{% endcache %}"
    )
    page = site.env.from_string(source)
    for each in ("en", "de", "en", "de"):
        site.values = [each]
        assert page.render() == each
    site.cache.delete_fragment("i")
    assert site.cache.get(site.cache.key_for("i")) is None
    assert site.cache.get(site.cache.key_for("o")) == "de"


def test_a_part_s_own_tag_does_not_pass_to_what_is_around_it() -> None:
    site = Site()
    source = (
        '{% cache 300, "o" %}{% cache_each i in range(400), 300, "i", i %}{{ i }}'
        "{% endcache_each %}{{ n() }}{% endcache %}"
    )
    page = site.env.from_string(source)
    numbers = "".join(map(str, range(400)))
    assert [page.render(), page.render()] == [f"{numbers}1"] * 2
    site.cache.delete_fragment("i", [7])
    assert page.render() == f"{numbers}1"
    site.cache.delete_fragment("o")
    assert page.render() == f"{numbers}2"


def test_an_unknown_unless_of_a_part_keeps_what_is_around_it_unstored() -> None:
    outer, inner = Site(unless=None, vary_on=None), Site(unless=lambda: 1 // 0)
    outer.env.globals["inner"] = lambda: inner.render("constant")
    page = outer.env.from_string('{% cache 300, "o" %}{{ inner() }}{% endcache %}')
    assert [page.render(), page.render()] == ["1en", "2en"]
