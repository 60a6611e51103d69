"""Pages whose first read asks for all that they will ask for."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import pytest
from flask import Flask, render_template
from jinja2 import DictLoader

from jinja_fragcache import Cache, FragmentCache
from jinja_fragcache.access.adapt import adapt
from jinja_fragcache.access.prefetch import (
    History,
    Known,
    PrefetchingStore,
    Rendering,
    _rendering,
    leave_rendering,
    outside,
)
from jinja_fragcache.stores import RedisStore
from tests import servers
from tests.support import Clock, Counter, SharedStore, ask, environment


class ManyStore(SharedStore):
    """A store that reads many keys in one trip, and records which ones."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[set[str]] = []
        self.before_answer: Callable[[], object] = lambda: None

    def get(self, key: str) -> Any:
        return self.get_many(key)[0]

    def get_many(self, *keys: str) -> list[Any]:
        self._note("get_many")
        self.reads.append(set(keys))
        found = [self.values.get(key) for key in keys]
        self.before_answer()
        return found

    def trips(self, work: Callable[[], object]) -> int:
        """Return in how many trips a piece of work reads."""
        del self.reads[:]
        work()
        return len(self.reads)


class AwaitedStore:
    """A `ManyStore` whose methods are coroutine functions."""

    def __init__(self, inner: ManyStore) -> None:
        self.inner = inner

    async def get(self, key: str) -> Any:
        return self.inner.get(key)

    async def get_many(self, *keys: str) -> list[Any]:
        return self.inner.get_many(*keys)

    async def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
        return self.inner.set(key, value, timeout)

    async def add(self, key: str, value: Any, timeout: int | None = None) -> bool:
        return self.inner.add(key, value, timeout)

    async def delete(self, key: str) -> bool:
        return self.inner.delete(key)

    async def clear(self) -> bool:
        return self.inner.clear()


TAG = '{% cache 60, "a" %}a{{ n() }}{% endcache %}'
ROWS = '{% cache_each i in [1, 2], 60, "row", i %}{{ n() }}{% endcache_each %}'
PAGE = (
    f'{TAG}{{{{ between() or "" }}}}'
    '{% cache 60, "b", x|abs, tags=["t"] %}b{{ n() }}{% endcache %}'
    f"{ROWS}"
)


class Page:
    """A page with a cache, in a process of its own."""

    def __init__(
        self,
        store: ManyStore,
        source: str = PAGE,
        *,
        is_async: bool = False,
        **more: Any,
    ) -> None:
        self.store = store
        self.clock = Clock()
        self.cache = FragmentCache(
            AwaitedStore(store) if is_async else store,
            clock=self.clock,
            timer=self.clock,
            **more,
        )
        self.n = Counter()
        env = environment({"page": source}, self.cache, enable_async=is_async)
        self._template = env.get_template("page")

    def render(self, between: Callable[[], object] = lambda: None, x: int = 1) -> str:
        return self._template.render(n=self.n, between=between, x=x)

    def trips(self, between: Callable[[], object] = lambda: None, x: int = 1) -> int:
        return self.store.trips(lambda: self.render(between, x))


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def page(request: pytest.FixtureRequest) -> Page:
    """Provide a page that was rendered twice: all is stored, and its reads known."""
    page = Page(ManyStore(), is_async=request.param)
    page.render()
    page.render()
    return page


def test_a_page_whose_reads_are_known_reads_once(page: Page) -> None:
    before = page.render()

    assert page.trips() == 1
    assert page.render() == before


def test_without_prefetch_each_fragment_is_a_trip() -> None:
    page = Page(ManyStore(), prefetch=False)
    page.render()
    page.render()

    assert page.trips() == 3


def test_constant_keys_are_read_together_by_the_first_rendering_of_a_process() -> None:
    store = ManyStore()
    source = "".join(
        f'{{% cache 60, "{name}" %}}{name}{{% endcache %}}' for name in "abc"
    )
    Page(store, source).render()

    assert Page(store, source).trips() == 1


def test_a_store_that_reads_one_key_at_a_time_is_not_read_ahead() -> None:
    store = SharedStore()
    page = FragmentCache(store)
    template = environment({"page": PAGE}, page).get_template("page")
    for _ in range(3):
        del store.calls[:]
        template.render(n=Counter(), between=lambda: None, x=1)

    assert store.calls.count("get") == 5  # a, b, its tag, and two rows


def test_a_key_that_only_one_of_two_renderings_asked_for_is_not_expected(
    page: Page,
) -> None:
    page.render(x=2)
    page.render(x=3)

    page.trips(x=4)

    first = page.store.reads[0]
    assert page.cache.key_for("a") in first
    assert not first & {page.cache.key_for("b", [x]) for x in (2, 3)}


def test_a_wrong_guess_costs_no_trip(page: Page) -> None:
    page.render(x=2)
    page.render(x=1)
    unknown = page.trips(x=2)
    page.render(x=1)
    page.render(x=1)

    # The first read asks for "b" of 1, which this one doesn't want.
    assert page.trips(x=2) == unknown == 2


CHANGES: dict[str, Callable[[Page], object]] = {
    "delete_fragment": lambda page: page.cache.delete_fragment("b", [1]),
    "delete": lambda page: page.cache.delete(page.cache.key_for("b", [1])),
    "invalidate_tags": lambda page: page.cache.invalidate_tags("t"),
    "clear": lambda page: page.cache.clear(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_deleted_during_a_rendering_is_not_served(
    change: Callable[[Page], object],
) -> None:
    page = Page(ManyStore())
    page.render()
    assert page.trips() == 1

    assert "b2" not in page.render(lambda: change(page))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_another_thread_deletes_during_a_rendering_is_not_served(
    change: Callable[[Page], object],
) -> None:
    page = Page(ManyStore())
    page.render()

    def between() -> None:
        thread = threading.Thread(target=change, args=[page])
        thread.start()
        thread.join()

    assert "b2" not in page.render(between)


def test_what_another_cache_deletes_from_the_same_store_is_not_served() -> None:
    page = Page(ManyStore())
    page.render()
    other = FragmentCache(page.store)

    assert "b2" not in page.render(lambda: other.delete_fragment("b", [1]))


def test_what_is_deleted_while_the_first_read_waits_is_not_served() -> None:
    page = Page(ManyStore())
    page.render()

    def delete_once() -> None:
        page.store.before_answer = lambda: None
        page.cache.delete_fragment("b", [1])

    # The answer already has the entry when the delete begins and ends.
    page.store.before_answer = delete_once

    assert "b2" not in page.render()


def test_an_async_rendering_does_not_serve_what_was_deleted_meanwhile() -> None:
    page = Page(ManyStore(), is_async=True)
    page.render()

    async def between() -> None:
        await page.cache.delete_fragment_async("b", [1])

    assert "b2" in page.render()
    assert "b2" not in page.render(between)


def test_what_a_rendering_stores_it_finds_later() -> None:
    source = (
        '{% cache 60, "a" %}{{ n() }}{% endcache %}'
        '{% cache 60, "b", tags=["t"] %}{{ n() }}{% endcache %}'
        '{% cache 60, "a" %}{{ n() }}{% endcache %}'
        '{% cache 60, "b", tags=["t"] %}{{ n() }}{% endcache %}'
    )

    assert Page(ManyStore(), source).render() == "1212"


def test_what_another_process_stored_meanwhile_is_found_before_a_body_is_rendered() -> (
    None
):
    page = Page(ManyStore())
    page.render()
    other = Page(page.store)
    page.store.clear()

    page.render(other.render)

    # "a", which comes before. The others were read ahead as missing.
    assert page.n.calls == 4 + 1


def test_two_renderings_at_once_do_not_share_what_they_read() -> None:
    page = Page(ManyStore())
    page.render()
    inner: list[str] = []

    def between() -> None:
        page.cache.delete_fragment("b", [1])
        inner.append(page.render())

    outer = page.render(between)

    assert outer == inner[0]


def test_tasks_read_ahead_each_for_itself() -> None:
    page = Page(ManyStore(), is_async=True)
    page.render()

    async def both() -> list[str]:
        template = page._template
        return await asyncio.gather(
            *(
                template.render_async(n=page.n, between=lambda: None, x=1)
                for _ in range(2)
            )
        )

    def work() -> None:
        asyncio.run(both())

    assert page.store.trips(work) == 2


def test_a_store_that_fails_is_as_empty() -> None:
    page = Page(ManyStore(), retry_after=0)
    page.render()
    page.store.failing.add("get_many")

    assert page.render().startswith("a5")


def test_nothing_is_remembered_of_a_rendering_that_failed(page: Page) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        page.render(fail)

    assert page.trips() == 1


def test_a_page_that_is_one_list_is_read_once_also_if_it_shows_it_twice() -> None:
    rows = '{% cache_each i in [1, 2], 60, "row", i %}{{ n() }}{% endcache_each %}'
    page = Page(ManyStore(), f"{rows}{{% if x == 2 %}}{rows}{{% endif %}}")
    for _ in range(3):
        page.render()

    assert page.trips() == 1
    # It did not do so before.
    assert page.trips(x=2) == 2
    assert page.trips(x=2) == 1
    assert page.trips() == 1
    assert page.n.calls == 2


LIST = '{% cache_each i in items, 60, "row", i %}{{ i }}{{ n() }}{% endcache_each %}'


class Lists(Page):
    """A page that is one list."""

    def __init__(self, **more: Any) -> None:
        super().__init__(ManyStore(), LIST, **more)

    def rows(self, *items: int) -> str:
        return self._template.render(n=self.n, items=items)


def test_a_page_that_is_one_list_is_read_in_few_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plainly: list[int] = []
    read_plainly = PrefetchingStore._read_plainly

    def noted(store: PrefetchingStore, keys: Sequence[str]) -> list[Any]:
        plainly.append(len(keys))
        return read_plainly(store, keys)

    monkeypatch.setattr(PrefetchingStore, "_read_plainly", noted)
    page = Lists()
    shown = [page.rows(*items) for items in [(1, 2)] * 4 + [(1, 2, 3)] * 2]
    assert shown == ["1122"] * 4 + ["112233"] * 2
    # While a rendering asks for what the last one asked for, and for no more.
    assert plainly == [2] * 3
    assert page.n.calls == 3


def test_a_list_is_read_anew_after_a_delete() -> None:
    page = Lists()
    for _ in range(3):
        page.rows(1, 2)
    page.cache.delete_fragment("row", [1])
    assert page.rows(1, 2) == "1322"


def test_what_follows_a_list_is_read_without_it() -> None:
    more = '{% if x == 2 %}{% cache 60, "more" %}{% endcache %}{% endif %}'
    page = Page(ManyStore(), LIST.replace("items", "[1, 2]") + more)
    for x in (2, 1, 1):
        page.render(x=x)
    del page.store.reads[:]
    page.render(x=2)
    assert list(map(len, page.store.reads)) == [2, 1]


def test_a_list_that_can_not_be_read_is_rendered() -> None:
    page = Lists()
    for _ in range(3):
        page.rows(1, 2)
    page.store.failing = {"get", "get_many"}
    assert page.rows(1, 2) == "1324"
    stats = page.cache.stats()
    assert stats.failures >= 1
    page.store.failing.clear()
    page.clock.now += 1
    assert page.rows(1, 2) == "1122"


def test_what_generate_renders_is_read_as_it_comes(page: Page) -> None:
    arguments = {"n": page.n, "between": lambda: None, "x": 1}

    def stream() -> None:
        list(page._template.generate(**arguments))

    assert page.store.trips(stream) == 3


@pytest.mark.parametrize("source", [TAG, ROWS])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_read_outside_of_renderings_is_noted(
    source: str, monkeypatch: pytest.MonkeyPatch, *, is_async: bool
) -> None:
    monkeypatch.setattr(outside, "is_read", False)
    page = Page(ManyStore(), source, is_async=is_async)
    page.render()
    assert not outside.is_read

    list(page._template.generate(n=page.n))

    assert outside.is_read


@pytest.mark.parametrize("value", [None, 1, "yes"])
def test_prefetch_is_true_or_false(value: Any) -> None:
    with pytest.raises(ValueError, match=r"prefetch.*True or False"):
        FragmentCache(ManyStore(), prefetch=value)


def test_what_a_sealed_page_did_not_expect_is_read_and_opened() -> None:
    page = Page(ManyStore(), signing_key="secret")
    for x in (1, 2, 1, 2):
        page.render(x=x)

    assert page.n.calls == 1 + 2 + 2
    assert page.cache.stats().failures == 0


def test_a_key_that_can_not_be_read_ahead_keeps_no_other_from_being_read() -> None:
    class Store(ManyStore):
        def get_many(self, *keys: str) -> list[Any]:
            if any(key.startswith("fragment:refused") for key in keys):
                raise ConnectionError("WRONGTYPE of one of the keys")
            return super().get_many(*keys)

    source = "".join(
        f'{{% cache 60, "{name}" %}}{{{{ n() }}}}{{% endcache %}}'
        for name in ("a", "refused", "b")
    )
    page = Page(Store(), source)
    page.render()

    assert [page.render(), page.render()] == ["143", "153"]


def test_sealed_entries_are_read_ahead_and_opened() -> None:
    store = ManyStore()
    page = Page(store, signing_key="secret")
    page.render()
    before = page.render()

    assert page.trips() == 1
    key = page.cache.key_for("b", [1])
    store.values[key] = store.values[page.cache.key_for("a")]
    assert page.render() != before


@pytest.mark.parametrize("signing_key", [None, "secret"])
@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_near_no_more_is_read_together(
    *, is_async: bool, signing_key: str | None
) -> None:
    page = Page(ManyStore(), is_async=is_async, near=2, signing_key=signing_key)
    page.render()
    page.render()

    assert page.trips() == 0
    page.clock.now += 2
    assert page.trips() == 1


def test_a_history_keeps_a_thousand_keys() -> None:
    history = History(lambda: ["first"]).of(adapt(ManyStore()))

    assert list(history.expected()) == ["first"]
    history.note([*map(str, range(2000))])
    assert list(history.expected()) == list(map(str, range(1000)))


def test_a_given_key_is_expected_if_the_last_rendering_asked_for_that_of_its_tag() -> (
    None
):
    history = History(lambda: ["first"]).of(adapt(ManyStore()))

    assert history.expected(["a1", None, "b1"]) == ["first", "a1", "b1"]
    history.note(["nav", "a1"], ["a1", None, "b1"])
    assert history.expected(["a2", "c2", "b2"]) == ["nav", "a2"]
    history.note(["nav", "a2", "b2"], ["a2", "c2", "b2"])
    assert history.expected(["a3", None, "b3"]) == ["nav", "a3", "b3"]
    assert history.expected([None]) == ["nav"]


def test_the_first_guess_has_a_thousand_keys_at_most() -> None:
    known = Known(lambda: map(str, range(2000)))

    assert known.expected() == list(map(str, range(1000)))


def test_a_history_keeps_no_long_keys() -> None:
    known = Known(list)
    known.note(["a", "b" * 251, "c" * 250])

    assert known.expected() == ["a", "c" * 250]


def test_a_history_keeps_no_store_alive() -> None:
    history = History(list)
    history.of(adapt(ManyStore())).note(["key"])

    assert not history._known


GIVEN = (
    '{% cache 60, "a" %}a{% endcache %}'
    '{% if is_known %}{% cache 60, "user", user.id, 7 %}u{% endcache %}{% endif %}'
    '{% cache 60, "lang", lang, stale=9 %}l{% endcache %}{% include "foot" %}'
)


class User:
    def __init__(self, number: int) -> None:
        self.id = number


FOOT = '{% cache 60, "foot", user["id"] %}f{% endcache %}'


@pytest.mark.parametrize("is_async", [False, True])
def test_keys_of_what_a_page_is_given_are_read_in_the_same_trip(
    *, is_async: bool
) -> None:
    store = ManyStore()
    cache = FragmentCache(AwaitedStore(store) if is_async else store)
    sources = {"page": GIVEN, "foot": FOOT}
    template = environment(sources, cache, enable_async=is_async).get_template("page")

    def keys_of(user: int, *, is_known: bool) -> set[str]:
        """Return what the only trip of a rendering asks for."""
        user_of_page = User(user)

        def render() -> str:
            return template.render(user=user_of_page, lang="en", is_known=is_known)

        assert store.trips(render) == 1
        return store.reads[0]

    def wanted(user: int) -> set[str]:
        return {
            cache.key_for("a"),
            cache.key_for("lang", ["en"]),
            cache.key_for("foot", [user]),
        }

    for user in (1, 2, 3, 4, 5):
        template.render(user=User(user), lang="en", is_known=True)
    for user in (1, 2):
        of_user = {cache.key_for("user", [user, 7])}
        assert keys_of(user, is_known=True) == wanted(user) | of_user
    assert keys_of(3, is_known=False) == wanted(3) | {cache.key_for("user", [3, 7])}
    assert keys_of(4, is_known=False) == wanted(4)


@contextmanager
def counted_redis(port: int) -> Iterator[tuple[RedisStore, servers.RoundTrips]]:
    with servers.round_trips(port) as trips:
        store = RedisStore("127.0.0.1", trips.port, key_prefix="shop:")
        store.clear()
        try:
            yield store, trips
        finally:
            store._client.close()


def test_ten_fragments_on_redis_are_one_round_trip(redis_port: int) -> None:
    source = "".join(
        f'{{% cache 60, "f{at}", x %}}{at}{{% endcache %}}' for at in range(10)
    )
    with counted_redis(redis_port) as (store, trips):
        template = environment({"page": source}, FragmentCache(store)).get_template(
            "page"
        )
        for _ in range(2):
            template.render(x=1)
        before = trips.count

        assert template.render(x=1) == "0123456789"
        assert trips.count == before + 1


def test_what_goes_on_later_is_no_part_of_the_rendering() -> None:
    page = Page(ManyStore())
    page.render()

    def later() -> None:
        leave_rendering()
        ask(page.cache, "other", lambda: "")

    with Rendering(History(lambda: ["fragment:x"])):
        copy_context().run(later)
        assert not any("fragment:x" in keys for keys in page.store.reads)
        ask(page.cache, "one more", lambda: "")
        assert any("fragment:x" in keys for keys in page.store.reads)


def test_a_task_that_outlives_the_rendering_reads_what_is_there() -> None:
    page = Page(ManyStore(), is_async=True)
    page.render()
    seen: list[Any] = []

    async def work() -> None:
        ended, tasks = asyncio.Event(), []
        key = page.cache.key_for("b", [1])

        async def later() -> None:
            await ended.wait()
            seen.append(await page.cache.get_async(key))
            page.store.values[key] = "newer"
            seen.append(await page.cache.get_async(key))

        def between() -> None:
            tasks.append(asyncio.create_task(later()))

        await page._template.render_async(n=page.n, between=between, x=1)
        page.store.values[key] = "new"
        ended.set()
        await tasks[0]

    asyncio.run(work())

    assert seen == ["new", "newer"]


def test_renderings_that_follow_each_other_in_tasks_are_not_inside_each_other() -> None:
    context = copy_context()

    def render() -> None:
        nonlocal context
        with Rendering(History(list)):
            context = copy_context()

    for _ in range(3):
        context.run(render)

    last = context[_rendering]
    assert last is not None
    assert last.outer is None


class Pause:
    """Awaited by a rendering that never goes on."""

    def __await__(self) -> Iterator[None]:
        yield


def test_a_rendering_that_is_closed_in_another_context_ends() -> None:
    page = Page(ManyStore(), is_async=True)
    rendering = page._template.render_async(n=page.n, between=Pause, x=1)
    others = Rendering(History(list))

    copy_context().run(rendering.send, None)
    with others:
        rendering.close()
        assert _rendering.get() is others

    assert _rendering.get() is None


def test_what_a_rendering_inside_writes_is_found_outside() -> None:
    flask = Flask(__name__)
    cache = Cache(flask, config={"CACHE_TYPE": ManyStore()})
    outer = "{{ get() }}{{ inner() or '' }}{{ get() }}"
    flask.jinja_loader = DictLoader({"outer": outer, "inner": "{{ set() }}"})
    values = iter(range(9))

    def set_next() -> str:
        cache.set("x", next(values))
        return ""

    def inner() -> None:
        render_template("inner", set=set_next)

    with flask.app_context():
        set_next()
        pages = [
            render_template("outer", get=lambda: cache.get("x"), inner=inner)
            for _ in range(3)
        ]

    assert pages == ["01", "12", "23"]


def test_a_store_with_several_entries_for_a_key_is_not_read_ahead(
    redis_port: int,
) -> None:
    tenant = ["a"]

    def use(name: str) -> str:
        tenant[0] = name
        return ""

    source = (
        "{% for name in names %}{{ use(name) }}"
        '{% cache 60, "x" %}{{ name }}{% endcache %}{% endfor %}'
    )
    store = RedisStore("127.0.0.1", redis_port, key_prefix=lambda: tenant[0])
    template = environment({"page": source}, store).get_template("page")
    pages = [template.render(names="ab", use=use) for _ in range(3)]
    store._client.close()

    assert pages == ["ab"] * 3
