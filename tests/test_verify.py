"""Hits that are verified: fragments and lists, in templates, on all kinds of stores."""

import asyncio
from typing import Any

import pytest
from jinja2 import Environment

from jinja_fragcache import FragmentCache, Stats, VerificationError
from jinja_fragcache.errors import AsyncOnlyError
from jinja_fragcache.stores import MemoryStore
from tests.support import CoroutineStore, RecordingStore, environment, fragment_cache

PAGES = {
    "constant key": '{% cache 300, "a" %}{{ n }}{% endcache %}',
    "key value": '{% cache 300, "a", k %}{{ n }}{% endcache %}',
    "name from a variable": "{% cache 300, k %}{{ n }}{% endcache %}",
    "default name": "{% cache 300 %}{{ n }}{% endcache %}",
    "options": '{% cache 300, "a", stale=60 %}{{ n }}{% endcache %}',
    "tags": '{% cache 300, "a", tags=["t"] %}{{ n }}{% endcache %}',
    "rows": '{% cache_each i in [1], 300, "a", i %}{{ n }}{% endcache_each %}',
    "rows with options": (
        '{% cache_each i in [1], 300, "a", i, tags=["t"] %}{{ n }}{% endcache_each %}'
    ),
}
STORES = {
    "plain": (RecordingStore, False),
    "memory": (MemoryStore, False),
    "threads on a loop": (RecordingStore, True),
    "memory on a loop": (MemoryStore, True),
    "coroutines": (CoroutineStore, True),
}


def verifying(store: Any = None, **options: Any) -> Environment:
    options.setdefault("verify", 1)
    cache = FragmentCache(MemoryStore() if store is None else store, **options)
    return environment(store=cache)


def render(env: Environment, source: str, **values: Any) -> str:
    template = env.from_string(source)
    if env.is_async:
        return asyncio.run(template.render_async(**values))
    return template.render(**values)


@pytest.mark.parametrize("source", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize(("store", "is_async"), STORES.values(), ids=STORES)
def test_every_kind_of_hit_is_verified(
    source: str, store: Any, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    cache = FragmentCache(store(), verify=1)
    env = environment(store=cache, enable_async=is_async)
    texts = [render(env, source, n=n, k="k") for n in "aab"]
    assert texts == ["a", "a", "a"]
    assert cache.stats() == Stats(hits=2, misses=1, stored=1, verified=2, differed=1)
    (message,) = caplog.messages
    assert message.startswith("a template from a string, line 1: the fragment that was")
    assert "Line 1 was served as 'a' and is 'b' now." in message


@pytest.mark.parametrize("source", PAGES.values(), ids=PAGES)
def test_hits_that_are_not_chosen_are_served_as_ever(source: str) -> None:
    env = verifying(verify=0.5, chance=lambda: 0.5)
    assert [render(env, source, n=n, k="k") for n in "aab"] == ["a", "a", "a"]
    assert fragment_cache(env).stats() == Stats(hits=2, misses=1, stored=1)


@pytest.mark.parametrize("source", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("store", [RecordingStore, CoroutineStore])
def test_one_number_is_drawn_for_each_hit(source: str, store: Any) -> None:
    drawn: list[float] = []

    def chance() -> float:
        drawn.append(0.9)
        return 0.9

    cache = FragmentCache(store(), verify=0.5, chance=chance)
    env = environment(store=cache, enable_async=True)
    texts = [render(env, source, n=n, k="k") for n in "a"]
    drawn.clear()
    texts += [render(env, source, n=n, k="k") for n in "bc"]
    assert (texts, len(drawn)) == (["a"] * 3, 2)


def test_a_list_verifies_the_rows_that_are_chosen() -> None:
    numbers = iter([0.9, 0.1, 0.9])
    env = verifying(verify=0.5, chance=lambda: next(numbers))
    source = (
        '{% cache_each i in [1, 2, 3], 300, "r", i %}{{ f(i) }} {% endcache_each %}'
    )
    calls: list[int] = []

    def noted(number: int) -> int:
        calls.append(number)
        return number

    assert [render(env, source, f=noted) for _ in "ab"] == ["1 2 3 "] * 2
    assert calls == [1, 2, 3, 2]
    assert fragment_cache(env).stats().verified == 1


def test_what_stands_in_holes_is_not_compared_and_is_rendered_once() -> None:
    env = verifying()
    source = (
        '{% cache 300, "a" %}[{{ n }}{% nocache %}{{ f() }}{% endnocache %}]'
        "{% endcache %}"
    )
    calls = iter("12345")
    texts = [render(env, source, n=n, f=lambda: next(calls)) for n in "aab"]
    assert texts == ["[a1]", "[a2]", "[a3]"]
    stats = fragment_cache(env).stats()
    assert (stats.verified, stats.differed) == (2, 1)


def test_the_holes_of_a_list_are_rendered_once() -> None:
    env = verifying()
    source = (
        '{% cache_each i in [1, 2], 300, "a", i %}{{ i }}'
        "{% nocache %}{{ f() }}{% endnocache %}{% endcache_each %}"
    )
    calls = iter("abcdef")
    texts = [render(env, source, f=lambda: next(calls)) for _ in range(2)]
    assert texts == ["1a2b", "1c2d"]
    assert fragment_cache(env).stats() == Stats(
        hits=2, misses=2, stored=2, verified=2, differed=0
    )


def test_a_hole_that_is_missing_is_a_difference() -> None:
    env = verifying()
    source = (
        '{% cache 300, "a" %}x{% if hole %}{% nocache %}{% endnocache %}{% endif %}'
        "{% endcache %}"
    )
    for hole in (True, False):
        render(env, source, hole=hole)
    assert fragment_cache(env).stats().differed == 1


def test_a_fault_in_a_nested_fragment_is_found_at_the_outer_one() -> None:
    env = verifying()
    source = (
        '{% cache 300, "outer" %}{% cache 300, "inner" %}{{ user }}{% endcache %}'
        '{% cache_each i in [1], 300, "r", i %}{{ user }}{% endcache_each %}'
        "{% endcache %}"
    )
    assert [render(env, source, user=user) for user in ("ann", "bob")] == ["annann"] * 2
    stats = fragment_cache(env).stats()
    assert (stats.hits, stats.stored, stats.verified, stats.differed) == (1, 3, 1, 1)


def test_a_nested_del_deletes_nothing_when_its_fragment_is_verified() -> None:
    env = verifying()
    render(env, '{% cache 300, "inner" %}a{% endcache %}')
    source = (
        '{% cache 300, "outer" %}{% if go %}{% cache how, "inner" %}b{% endcache %}'
        "{% endif %}{% endcache %}"
    )
    render(env, source, go=False)
    render(env, source, go=True, how="del")
    assert fragment_cache(env).stats().deleted == 0


def test_a_fragment_may_be_left_out() -> None:
    env = verifying(strict=True)
    for source in (
        '{% cache 300, "a", verify=false %}{{ n }}{% endcache %}',
        (
            '{% cache_each i in [1], 300, "b", i, verify=false %}{{ n }}'
            "{% endcache_each %}"
        ),
        '{% cache 300, "c", stale=5, verify=false %}{{ n }}{% endcache %}',
    ):
        assert [render(env, source, n=n) for n in "aab"] == ["a", "a", "a"]
    assert fragment_cache(env).stats().verified == 0


def test_a_strict_cache_that_verifies_all_hits_raises() -> None:
    env = verifying(strict=True)
    source = '\n{% cache 300, "a" %}{{ n }}{% endcache %}'
    assert [render(env, source, n=n) for n in "aa"] == ["\na", "\na"]
    with pytest.raises(VerificationError, match=r"line 2: .* as 'a' and is 'b' now"):
        render(env, source, n="b")


def test_a_strict_cache_that_verifies_some_hits_logs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    env = verifying(strict=True, verify=0.99, chance=lambda: 0.5)
    source = '{% cache 300, "a" %}{{ n }}{% endcache %}'
    assert [render(env, source, n=n) for n in "ab"] == ["a", "a"]
    assert len(caplog.messages) == 1


def test_a_body_that_fails_does_not_fail_the_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    env = verifying(strict=True)
    source = '{% cache 300, "a" %}{{ 1 // n }}{% endcache %}'
    assert [render(env, source, n=n) for n in (1, 0, 0)] == ["1", "1", "1"]
    (message,) = caplog.messages
    assert "could not be verified: making it again raised ZeroDivisionError" in message


def test_a_text_past_its_timeout_is_not_verified() -> None:
    now = 1000.0
    env = verifying(stale_if_error=60, clock=lambda: now)
    source = '{% cache 5, "a" %}{{ 1 // n }}{% endcache %}'
    render(env, source, n=1)
    now += 6
    assert render(env, source, n=0) == "1"
    assert fragment_cache(env).stats().verified == 0


def test_a_store_that_fails_is_a_miss_as_ever() -> None:
    store = RecordingStore()
    env = verifying(store)
    source = '{% cache 300, "a" %}{{ n }}{% endcache %}'
    render(env, source, n="a")
    store.failing = {"get"}
    assert render(env, source, n="b") == "b"
    assert fragment_cache(env).stats().verified == 0


def test_a_store_of_coroutines_needs_an_event_loop_as_ever() -> None:
    env = verifying(CoroutineStore())
    with pytest.raises(AsyncOnlyError):
        render(env, '{% cache 300, "a" %}{% endcache %}')
