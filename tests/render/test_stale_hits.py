"""Tests of hits whose entries say when they expire: they take the fast path, too."""

from collections.abc import Collection
from typing import Any

import pytest

from jinja_fragcache import FragmentCache, MemoryStore, make_template_fragment_key
from jinja_fragcache.engine import lookup
from jinja_fragcache.engine.engine import Engine
from tests.support import Clock, Counter, Ears, environment

PAGES = {
    "fragment": '{% cache 60, "a", 1 %}{{ n() }}{% endcache %}',
    "several values": '{% cache 60, "a", 1, x %}{{ n() }}{% endcache %}',
    "not escaped": '{% autoescape false %}{% cache 60, "a" %}{{ n() }}{% endcache %}'
    "{% endautoescape %}",
    "no name": "{% cache 60 %}{{ n() }}{% endcache %}",
    "hole": '{% cache 60, "a" %}{{ n() }}{% nocache %}{% endnocache %}{% endcache %}',
    "version": '{% cache 60, "a", version=2 %}{{ n() }}{% endcache %}',
    "tag": '{% cache 60, "a", tags=["t"] %}{{ n() }}{% endcache %}',
    "rows": '{% cache_each i in [1, 2], 60, "a", i %}{{ n() }}{% endcache_each %}',
    "in another": '{% cache 60, "b" %}{% cache 60, "a" %}{{ n() }}{% endcache %}'
    "{% endcache %}",
}


TIMES: list[float] = [0, 30, 59.9, 61, 61.5, 79.9, 81, 170, 175, 300]


# The body fails at some.
FAILING = {61, 79.9, 81, 175}


def rendered(
    page: str, times: list[float], failing: Collection[float] = (), **options: Any
) -> list[str]:
    """Return what a page shows at some times, "failed" if its body fails."""
    clock, calls = Clock(), Counter()

    def n() -> int:
        if clock.now - 1000 in failing:
            raise LookupError
        return calls()

    cache = FragmentCache(MemoryStore(timer=clock), clock=clock, timer=clock, **options)
    template = environment({"page": page}, cache).get_template("page")
    texts = []
    for now in times:
        clock.now = 1000 + now
        try:
            texts.append(template.render(n=n, x="x"))
        except LookupError:
            texts.append("failed")
    return texts


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_an_entry_is_served_until_its_timeout_ends(page: str) -> None:
    first, *others, last = rendered(page, [0, 1, 59.9, 60], stale_if_error=30)
    assert others == [first, first]
    assert last != first


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_grace_period_changes_nothing_else(page: str) -> None:
    times = [0, 30, 59.9, 200, 259.9, 261]
    assert rendered(page, times, stale=20) == rendered(page, times)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("grace", ["stale=20", "stale=0", "stale_if_error=20"])
@pytest.mark.parametrize("others", [{}, {"stale": 40}, {"stale_if_error": 40}])
def test_the_grace_period_of_a_tag_is_that_of_a_cache(
    page: str, grace: str, others: dict[str, int]
) -> None:
    name, seconds = grace.split("=")
    own = page.replace(" %}{{ n", f", {grace} %}}{{{{ n")
    # A condition is no constant, so such a tag takes the way of all options.
    by_options = own.replace(grace, f"{grace} if x else 1")
    expected = rendered(by_options, TIMES, FAILING, **others)
    assert rendered(own, TIMES, FAILING, **others) == expected
    if '{% cache 60, "b"' not in page:
        given = {**others, name: int(seconds)}
        assert rendered(page, TIMES, FAILING, **given) == expected


@pytest.mark.parametrize(
    ("page", "options"),
    [
        (PAGES["fragment"], {"stale": 30}),
        (PAGES["fragment"].replace(" %}{{", ", stale=30 %}{{"), {}),
        (PAGES["fragment"].replace(" %}{{", ", stale_if_error=30 %}{{"), {}),
        (PAGES["several values"].replace(" %}{{", ", stale=30 %}{{"), {}),
        (PAGES["tag"], {"stale": 30}),
        (PAGES["tag"].replace('["t"]', '["t", "s", "t"], stale=30'), {}),
    ],
)
def test_a_hit_makes_no_operation(
    page: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    n = Counter()
    cache = FragmentCache(**options)
    template = environment({"page": page}, cache).get_template("page")
    assert template.render(n=n, x=1) == "1"
    monkeypatch.setattr(Engine, "find", lambda *_: pytest.fail("looked further"))
    monkeypatch.setattr(lookup, "look_up", lambda *_: pytest.fail("an operation"))
    assert template.render(n=n, x=1) == "1"
    assert cache.stats().hits == 1


def test_an_early_refresh_may_come_before_the_timeout_ends() -> None:
    clock, n = Clock(), Counter()
    cache = FragmentCache(
        MemoryStore(timer=clock),
        clock=clock,
        timer=clock,
        early_refresh=1.0,
        chance=lambda: 1 - 1e-9,
    )
    source = '{% cache 60, "a" %}{{ n() }}{{ later() }}{% endcache %}'
    template = environment({"page": source}, cache).get_template("page")

    def later() -> str:
        clock.now += 5
        return ""

    assert template.render(n=n, later=later) == "1"
    clock.now += 30
    assert template.render(n=n, later=later) == "2"


def test_a_body_expires_with_a_part_that_it_was_served() -> None:
    clock, n = Clock(), Counter()
    part = '{% cache 60, "a", version=2 %}{{ n() }}{% endcache %}'
    pages = {"part": part, "page": '{% cache 60, "b" %}' + part + "{% endcache %}"}
    cache = FragmentCache(MemoryStore(timer=clock), clock=clock, timer=clock)
    env = environment(pages, cache)
    assert env.get_template("part").render(n=n) == "1"
    clock.now += 30
    assert env.get_template("page").render(n=n) == "1"
    clock.now += 31
    assert env.get_template("page").render(n=n) == "2"


def test_listeners_are_told_of_a_hit_with_options() -> None:
    ears = Ears("hit")
    cache = FragmentCache(listeners=[ears])
    template = environment({"page": PAGES["version"]}, cache).get_template("page")
    n = Counter()
    assert [template.render(n=n) for _ in range(2)] == ["1", "1"]
    assert ears.heard == [("hit", make_template_fragment_key("a"))]


def test_tags_of_an_entry_that_another_cache_has_stored_are_looked_up() -> None:
    store, n = MemoryStore(), Counter()
    # The first look-up of a cache takes another way.
    page = '{% cache 60, "other" %}{% endcache %}'
    page += '{% cache 60, "a", version=2 %}{{ cache_tag("t") }}{{ n() }}{% endcache %}'

    def render() -> str:
        env = environment({"page": page}, FragmentCache(store))
        return env.get_template("page").render(n=n)

    assert [render(), render()] == ["1", "1"]
    FragmentCache(store).invalidate_tags("t")
    assert render() == "2"
