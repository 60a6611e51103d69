"""`{% cache_each %}` prints what `for` and `cache` print, in one round trip."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain, count, groupby, islice, repeat, starmap
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined, TemplateSyntaxError, UndefinedError
from markupsafe import Markup

from jinja_fragcache import FragmentCache, MemoryStore
from jinja_fragcache.engine.singleflight import Flight
from jinja_fragcache.errors import FragmentTagError
from jinja_fragcache.keys.fragment import make_template_fragment_key
from tests.support import (
    Clock,
    CoroutineStore,
    Counter,
    Ears,
    RecordingStore,
    SharedStore,
    environment,
    in_threads,
)


class BatchStore(RecordingStore):
    """A store with the methods of cachelib for many keys."""

    def get_many(self, *keys: str) -> list[Any]:
        self._note("get_many")
        return [self.values.get(key) for key in keys]

    def set_many(
        self, mapping: dict[str, Any], timeout: int | None = None
    ) -> list[str]:
        self._note("set_many")
        self.values |= mapping
        self.timeouts |= dict.fromkeys(mapping, timeout)
        return list(mapping)

    def delete_many(self, *keys: str) -> list[str]:
        self._note("delete_many")
        for key in keys:
            self.values.pop(key, None)
        return list(keys)


class SharedBatchStore(BatchStore, SharedStore):
    """A `BatchStore` with an atomic `add`."""


MODES: dict[str, tuple[bool, Callable[[], Any]]] = {
    "memory": (False, MemoryStore),
    "batch": (False, BatchStore),
    "shared": (False, SharedBatchStore),
    "single": (False, RecordingStore),
    "async": (True, BatchStore),
    "coroutines": (True, CoroutineStore),
}


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Site:
    """An environment in one of the `MODES`, and its store."""

    def __init__(
        self, templates: dict[str, str], mode: str = "batch", **options: Any
    ) -> None:
        is_async, make = MODES[mode]
        store: Any = make()
        self.store: Any = getattr(store, "inner", store)
        self.cache = FragmentCache(store, **options)
        self.env = environment(templates, self.cache, enable_async=is_async)

    def render(self, name: str = "page", **values: Any) -> str:
        return self.env.get_template(name).render(values)


LIST = '{% cache_each item in items, 60, "row", item %}{{ item }}{{ n() }},{% else %}none{% endcache_each %}'
ROWS = LIST.replace("{% else %}none", "")


# One round trip


def test_a_list_takes_one_read_and_one_write() -> None:
    site = Site({"page": LIST})
    counter = Counter()
    assert site.render(items="abc", n=counter) == "a1,b2,c3,"
    assert site.store.calls == ["get_many", "set_many"]
    site.store.calls.clear()
    assert site.render(items="abc", n=counter) == "a1,b2,c3,"
    assert site.store.calls == ["get_many"]
    site.store.calls.clear()
    assert site.render(items="xbya", n=counter) == "x4,b2,y5,a1,"
    assert site.store.calls == ["get_many", "set_many"]
    assert site.cache.stats().hits == 5
    assert site.cache.stats().misses == 5
    assert site.cache.stats().stored == 5


def test_a_list_with_tags_takes_one_read_and_is_invalidated_by_its_tags() -> None:
    page = LIST.replace("item %}", 'item, tags=["row:%s" % item, "rows"] %}', 1)
    site = Site({"page": page})
    counter = Counter()
    site.render(items="abc", n=counter)
    for tag, expected in (("row:b", "a1,b4,c3,"), ("rows", "a5,b6,c7,")):
        site.store.calls.clear()
        site.render(items="abc", n=counter)
        assert site.store.calls == ["get_many"]
        site.cache.invalidate_tags(tag)
        assert site.render(items="abc", n=counter) == expected


def test_new_tags_get_their_versions_in_one_call() -> None:
    class AddingStore(BatchStore):
        def add_many(
            self, mapping: dict[str, Any], timeout: int | None = None
        ) -> list[str]:
            self._note("add_many")
            return [key for key in mapping if self.values.setdefault(key, mapping[key])]

    page = LIST.replace("item %}", 'item, tags=["row:%s" % item, "rows"] %}', 1)
    store = AddingStore()
    env = environment({"page": page}, FragmentCache(store))
    env.get_template("page").render(items="abc", n=Counter())
    assert store.calls == ["get_many", "add_many", "set_many"]


def test_locks_are_released_in_one_call() -> None:
    site = Site({"page": LIST}, "shared")
    site.render(items="abc", n=Counter())
    locks = [key for key in site.store.values if key.startswith("lock")]
    assert locks == []
    # Look up, take the locks, look up again, store while the locks are held, release.
    assert [call for call in site.store.calls if call not in {"add", "set"}] == [
        "get_many",
        "get_many",
        "get_many",
        "set_many",
        "get_many",
        "delete_many",
    ]


def test_each_row_has_its_own_timeout() -> None:
    page = LIST.replace("60", "timeouts[item]")
    site = Site({"page": page})
    site.render(items="abc", n=Counter(), timeouts={"a": 5, "b": 60, "c": 5})
    stored = {key: site.store.timeouts[key] for key in site.store.values}
    expected = {"a": 5, "b": 60, "c": 5}
    assert stored == {
        make_template_fragment_key("row", [item]): seconds
        for item, seconds in expected.items()
    }


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        (LIST, "none"),
        (ROWS, ""),
        (ROWS.replace("item %}", "item, tags=[item] %}", 1), ""),
        (ROWS.replace("},", "},{% nocache %}{{ item }}{% endnocache %}"), ""),
    ],
    ids=["else", "plain", "options", "holes"],
)
@pytest.mark.parametrize("mode", ["batch", "async"])
def test_an_empty_list_does_not_call_the_store(
    source: str, printed: str, mode: str
) -> None:
    site = Site({"page": source}, mode)
    assert site.render(items="", n=Counter()) == printed
    assert site.store.calls == []


@pytest.mark.parametrize("mode", ["memory", "batch", "async"])
def test_a_list_that_is_empty_after_it_had_rows_prints_nothing(mode: str) -> None:
    site = Site({"page": ROWS}, mode)
    # The first look-up takes another way than those after it.
    for items in ("a", "", "a", ""):
        text = site.render(items=items, n=Counter())
        assert bool(text) == bool(items)


@pytest.mark.parametrize(
    "around",
    [
        "{{% for a in items %}}{}{{{{ loop.index }}}}{{% endfor %}}",
        "{{% for a in items if a %}}{}{{% if a %}}{{{{ loop.index }}}}{{% endif %}}{{% endfor %}}",
        "{{% for a in items %}}{{% if a %}}{{% with %}}{}{{% endwith %}}{{% endif %}}"
        "{{{{ loop.index }}}}{{% endfor %}}",
        "{{% for a in items %}}{{% cache 60, 'c', a %}}{}{{{{ loop.index }}}}{{% endcache %}}"
        "{{% endfor %}}",
        "{{% for a in items %}}{{% macro m() %}}{}{{% endmacro %}}{{{{ m() }}}}"
        "{{{{ loop.index }}}}{{% endfor %}}",
    ],
    ids=["for", "filtered", "scopes", "fragment", "macro"],
)
@pytest.mark.parametrize("mode", ["memory", "async"])
def test_a_loop_around_a_list_keeps_its_loop(around: str, mode: str) -> None:
    row = "{% cache_each b in items, 60, 'r', a, b %}{{ b }}{{ loop.index }}-{% endcache_each %}"
    site = Site({"page": around.format(row)}, mode)
    for _ in range(2):
        assert site.render(items="xy") == "x1-y2-1x1-y2-2"


# What for and cache print


SHARED = {
    "part": "[{{ item }}{{ loop.index }}]",
    "macros": "{% macro shout(t) %}{{ t }}!{% endmacro %}",
}
# The head of the loop, the arguments after it, and the body.
CASES = {
    "plain": ("item in items", "60, 'r', item", "{{ item }}"),
    "loop": (
        "item in items",
        "60, 'r', item, loop.index",
        "{{ loop.index }}/{{ loop.length }}{{ loop.first }}{{ loop.last }}{{ loop.revindex0 }}"
        "{{ loop.previtem }}{{ loop.nextitem }}{{ loop.depth }}{{ loop.cycle('a', 'b', 'c') }}",
    ),
    "changed": (
        "item in items",
        "60, 'r', item, loop.index",
        "{{ loop.changed(item) }}",
    ),
    "unpacking": ("k, v in pairs.items()", "60, 'r', k", "{{ k }}={{ v }}"),
    "deep": (
        "a, (b, c) in deep",
        "60, 'r', a",
        "{{ a }}{{ b }}{{ c }}{{ loop.previtem }}",
    ),
    "lists": ("a, b in lists", "60, 'r', a", "{{ a }}{{ b }}{{ loop.previtem }}"),
    "filters": ("item in items|sort|reverse|unique", "60, 'r', item", "{{ item }}"),
    "test": (
        "item in items if item != 'b'",
        "60, 'r', item",
        "{{ item }}{{ loop.index }}{{ loop.length }}",
    ),
    "test_unpacking": (
        "k, v in pairs.items() if v > 1",
        "60, 'r', k",
        "{{ k }}{{ loop.nextitem }}",
    ),
    "generator": (
        "item in generated()",
        "60, 'r', item",
        "{{ item }}{{ loop.length }}",
    ),
    "defaults": ("item in items", "60, vary_on=[item]", "{{ item }}"),
    "options": (
        "item in items",
        "timeout=60, name='r', vary_on=[item], unless=item == 'b', tags=[item], version=1, stale=5",
        "{{ item }}",
    ),
    "deleted": (
        "item in items",
        "'del' if item == 'a' else 60, 'r', item",
        "{{ item }}",
    ),
    "scope": (
        "item in items",
        "60, 'r', item",
        "{% set y = item %}{{ y }}{% for item in [1, 2] %}{{ item }}{{ loop.index }}{% endfor %}"
        "{{ item }}{% with item = 3 %}{{ item }}{% endwith %}",
    ),
    "include": (
        "item in items",
        "60, 'r', item, loop.index",
        "{% include 'part' %}{% import 'macros' as m %}{{ m.shout(item) }}",
    ),
    "inner": (
        "item in items",
        "60, 'r', item",
        "{% cache 60, 'i', item %}{{ item }}{% endcache %}{% for x in items %}"
        "{% cache 60, 'j', item, x %}{{ item }}{{ x }}{% endcache %}{% endfor %}",
    ),
    "holes": (
        "item in items",
        "60, 'r', item, loop.index",
        "{{ item }}{% nocache %}<{{ item }}{{ loop.index }}{{ loop.last }}{{ x }}>{% endnocache %}",
    ),
    "holes_unpacked": (
        "k, v in pairs.items()",
        "60, 'r', k",
        "{% nocache %}{{ k }}{{ v }}{% endnocache %}{{ v }}",
    ),
    "twice": ("item in 'abab'", "60, 'r', item", "{{ item }}"),
    "escaped": (
        "item in ['<', safe]",
        "60, 'r', loop.index",
        "{{ item }}<{% autoescape false %}{{ item }}{% endautoescape %}",
    ),
    "undefined": ("item in nowhere", "60, 'r', item", "{{ item }}"),
}
CONTEXT: dict[str, Any] = {
    "items": ["a", "<b>", "b", "c"],
    "pairs": {"k": 1, "l": 2, "m": 3},
    "deep": [(1, (2, 3)), (4, (5, 6))],
    "lists": [[1, 2], [3, 4]],
    "generated": lambda: iter("abc"),
    "safe": Markup("<b>"),
    "x": "<x>",
}


def both(head: str, options: str, body: str) -> tuple[str, str]:
    """Return a list, and a loop with a fragment that has to print the same."""
    tag = f"{{% cache_each {head}, {options} %}}{body}{{% else %}}none{{{{ x }}}}{{% endcache_each %}}"
    loop = f"{{% for {head} %}}{{% cache {options} %}}{body}{{% endcache %}}{{% else %}}none{{{{ x }}}}{{% endfor %}}"
    return tag, loop


@pytest.mark.parametrize("autoescape", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_a_list_prints_what_for_and_cache_print(
    case: str,
    mode: str,
    autoescape: bool,
) -> None:
    tag, loop = both(*CASES[case])
    around = "{% macro m(x) %}BEFORETAGBEHIND{{ caller() }}{% endmacro %}{% call m(x) %}.{% endcall %}"
    for before, behind in (("", ""), ("{% cache 60, 'o' %}", "{% endcache %}")):
        if before and "holes" in case:
            continue
        page = around.replace("BEFORE", before).replace("BEHIND", behind)
        site = Site({**SHARED, "page": page.replace("TAG", tag)}, mode)
        plain = Site({**SHARED, "page": page.replace("TAG", loop)}, mode)
        site.env.autoescape = plain.env.autoescape = autoescape
        for _ in range(3):
            assert site.render(**CONTEXT) == plain.render(**CONTEXT)


rows = st.lists(st.sampled_from(["a", "b", "<c>", 1, 2]), max_size=6)


@pytest.mark.slow
@given(
    st.lists(rows, min_size=1, max_size=3),
    st.sets(st.sampled_from(["holes", "tags", "loop", "test", "cache"])),
    st.sampled_from(sorted(MODES)),
    st.sampled_from(
        ["", "version=v", "stale=60", "unless=item == 1", "template_digest=true"]
    ),
)
def test_a_list_prints_what_for_and_cache_print_for_any_items(
    lists: list[list[Any]], kinds: set[str], mode: str, option: str
) -> None:
    options = "60, 'r', item" + (f", {option}" if option else "")
    body = "{{ item }}."
    head = "item in items"
    if "holes" in kinds:
        body += "{% nocache %}{{ item }}{{ live }}{% endnocache %}"
    if "tags" in kinds:
        options += ", tags=['t:%s' % item]"
        body += "{{ cache_tag('late') }}"
    if "loop" in kinds:
        options = options.replace("item", "item, loop.index, loop.length", 1)
        body += "{{ loop.index }}{{ loop.length }}"
    if "test" in kinds:
        head += " if item != 'b'"
    if "cache" in kinds:
        body += "{% cache 5, 'i', item %}{{ item }}{% endcache %}"
    tag, loop = both(head, options, body)
    site, plain = Site({"page": tag}, mode), Site({"page": loop}, mode)
    for number, items in enumerate(lists):
        values: dict[str, Any] = {
            "items": items,
            "live": number,
            "v": number // 2,
            "x": "x",
        }
        assert site.render(**values) == plain.render(**values)


def test_the_items_may_be_an_asynchronous_iterable() -> None:
    async def letters() -> AsyncIterator[str]:
        for letter in "abc":
            await asyncio.sleep(0)
            yield letter

    async def is_wanted(letter: str) -> bool:
        return letter != "b"

    page = (
        '{% cache_each item in letters() if wanted(item), 60, "row", item, loop.index %}'
        "{{ item }}{{ loop.index }}{{ loop.last }}{{ n() }}{% nocache %}{{ n() }}"
        "{% endnocache %},{% endcache_each %}"
    )
    site = Site({"page": page}, "coroutines")
    counter = Counter()
    values: dict[str, Any] = {"letters": letters, "wanted": is_wanted, "n": counter}
    assert site.render(**values) == "a1False13,c2True24,"
    assert site.render(**values) == "a1False15,c2True26,"


# Rows that fail, that others render, and that may not be stored


def test_the_rows_before_one_that_fails_are_stored(mode: str) -> None:
    site = Site({"page": LIST}, mode)
    calls = Counter()

    def n() -> int:
        if calls() == 3:
            raise ZeroDivisionError
        return calls.calls

    with pytest.raises(ZeroDivisionError):
        site.render(items="abcd", n=n)
    if mode != "memory":
        assert not [key for key in site.store.values if key.startswith("lock")]
    assert site.render(items="abcd", n=n) == "a1,b2,c4,d5,"


def test_a_row_that_fails_is_served_stale() -> None:
    clock = Clock()
    page = LIST.replace('"row"', '"row", stale_if_error=100').replace(
        '"row", stale_if_error=100, item', '"row", item, stale_if_error=100'
    )
    site = Site({"page": page}, "batch", clock=clock, timer=clock)
    counter = Counter()
    assert site.render(items="ab", n=counter) == "a1,b2,"
    clock.now += 61
    calls = Counter()

    def n() -> int:
        if calls() == 1:
            raise ZeroDivisionError
        return counter()

    assert site.render(items="ab", n=n) == "a1,b3,"


def test_a_list_is_rendered_if_the_store_fails(mode: str) -> None:
    site = Site({"page": LIST}, mode)
    if mode == "memory":
        return
    site.store.failing = {"get", "set", "get_many", "set_many"}
    assert site.render(items="abc", n=lambda: "") == "a,b,c,"
    assert site.cache.stats().failures


def test_a_row_that_is_deleted_while_it_is_rendered_is_not_stored() -> None:
    site = Site({"page": LIST}, "shared")
    other = FragmentCache(site.store)
    deleted = iter(["", "x", ""])

    def n() -> str:
        if next(deleted, ""):
            other.delete_fragment("row", ["b"])
        return ""

    site.render(items="abc", n=n)
    kept = [
        item
        for item in "abc"
        if site.cache.get(make_template_fragment_key("row", [item]))
    ]
    assert kept == ["a", "c"]
    assert not [key for key in site.store.values if key.startswith("lock")]


def test_an_entry_that_others_stored_after_a_delete_is_kept(mode: str) -> None:
    site = Site({"page": LIST}, mode)
    if mode == "memory":
        return
    key = make_template_fragment_key("row", ["b"])
    rendered = Counter()

    def n() -> str:
        if rendered() == 2:
            site.cache.engine.context.flights.spoil(key)
            site.store.values[key] = "of others"
        return ""

    assert site.render(items="abc", n=n) == "a,b,c,"
    assert site.store.values[key] == "of others"


def test_a_row_whose_key_is_refused_is_rendered_uncached(
    caplog: pytest.LogCaptureFixture,
) -> None:
    page = '{% cache_each item in items, 60, "row", item.id %}{{ item.x }}{% endcache_each %}'
    items = [{"id": 1, "x": "a"}, {"x": "b"}, {"id": 3, "x": "c"}]
    site = Site({"page": page})
    for _ in range(2):
        assert site.render(items=items) == "abc"
    assert site.cache.stats().uncached == 2
    assert (
        "page, line 1: the fragment is not cached. A key value is undefined"
        in caplog.text
    )
    with pytest.raises(FragmentTagError, match="undefined"):
        Site({"page": page}, strict=True).render(items=items)


def test_each_row_is_rendered_once_by_many_threads() -> None:
    site = Site({"page": LIST}, "shared")
    counter = Counter()
    lock = threading.Lock()
    entered = threading.Event()

    def n() -> str:
        with lock:
            counter()
        entered.set()
        return ""

    pages: list[str] = []
    # In different orders, and with other rows between.
    orders = ["abcdef", "fedcba", "cab", "defabc"]
    in_threads(
        32, lambda which: pages.append(site.render(items=orders[which % 4], n=n))
    )
    assert sorted(pages) == sorted(",".join(order) + "," for order in orders * 8)
    assert counter.calls == 6


def test_a_caller_that_waits_is_served_what_was_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site({"page": LIST}, "shared")
    waiting = threading.Event()
    waited: list[str] = []
    wait = Flight.wait

    def noting(*arguments: Any) -> Any:
        waiting.set()
        return wait(*arguments)

    monkeypatch.setattr(Flight, "wait", noting)
    other = threading.Thread(
        target=lambda: waited.append(site.render(items="cba", n=pytest.fail))
    )

    def n() -> str:
        if not other.ident:
            other.start()
            assert waiting.wait(60)
        return ""

    assert site.render(items="abc", n=n) == "a,b,c,"
    other.join()
    assert waited == ["c,b,a,"]
    # Only the caller that rendered took locks.
    assert site.store.calls.count("add") == 3
    assert site.cache.stats().waited == 3


def test_each_row_is_rendered_once_by_many_tasks() -> None:
    site = Site({"page": LIST}, "coroutines")
    counter = Counter()

    async def n() -> str:
        counter()
        await asyncio.sleep(0)
        return ""

    async def pages() -> list[str]:
        template = site.env.get_template("page")
        orders = ["abcdef", "fedcba"] * 10
        return await asyncio.gather(
            *[template.render_async(items=order, n=n) for order in orders]
        )

    assert set(asyncio.run(pages())) == {"a,b,c,d,e,f,", "f,e,d,c,b,a,"}
    assert counter.calls == 6


def test_rows_that_need_each_other_do_not_deadlock() -> None:
    page = LIST.replace("{{ n() }}", "{% if inner %}{{ other(item) }}{% endif %}")
    site = Site({"page": page}, "memory")

    def other(item: str) -> str:
        # The same rows, while one of them is being rendered.
        return site.render(items="ba", inner=False, other=None) if item == "a" else ""

    text = site.render(items="ab", inner=True, other=other)
    assert text.startswith("ab,a,")


def test_a_list_that_outlives_its_locks_is_stored_the_next_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    site = Site({"page": LIST}, "shared", timer=clock, lock_timeout=10)

    def n() -> str:
        clock.now += 4
        if clock.now > 1010:
            # The store drops expired locks by itself.
            for key in [key for key in site.store.values if key.startswith("lock")]:
                del site.store.values[key]
        return ""

    assert site.render(items="abc", n=n) == "a,b,c,"
    assert site.store.values == {}
    (record,) = caplog.records
    assert "and 2 more took 12.0 seconds" in record.getMessage()
    site.store.timeouts.clear()
    clock.now = 0
    assert site.render(items="abc", n=n) == "a,b,c,"
    locks = {
        key: site.store.timeouts[key] for key in site.store.timeouts if "lock" in key
    }
    assert set(locks.values()) == {24}
    assert site.cache.stats().stored == 3


def test_stale_rows_are_served_while_another_caller_renders_them(mode: str) -> None:
    clock = Clock()
    page = LIST.replace("item %}", "item, stale=60 %}", 1)
    site = Site({"page": page}, mode, clock=clock)
    counter = Counter()
    assert site.render(items="ab", n=counter) == "a1,b2,"
    clock.now += 61
    inside: list[str] = []

    def n() -> int:
        if not inside:
            inside.append("")
            in_threads(1, lambda _: inside.append(site.render(items="bac", n=counter)))
        return counter()

    assert site.render(items="ab", n=n) == "a4,b5,"
    assert inside == ["", "b2,a1,c3,"]


def test_hits_misses_and_writes_of_rows_are_announced() -> None:
    ears = Ears("hit", "miss", "set")
    site = Site({"page": LIST}, "batch", listeners=[ears])
    keys = [make_template_fragment_key("row", [item]) for item in "ab"]
    site.render(items="ab", n=Counter())
    assert sorted(ears.heard) == sorted([(e, k) for e in ("miss", "set") for k in keys])
    ears.heard.clear()
    site.render(items="ab", n=Counter())
    assert ears.heard == [("hit", key) for key in keys]


def test_a_fragment_around_a_list_has_its_tags_and_earliest_expiry() -> None:
    clock = Clock()
    page = (
        '{% cache 300, "o" %}{{ n() }}'
        + LIST.replace("item %}", 'item, tags=["t:%s" % item] %}', 1)
        + "{% endcache %}"
    )
    site = Site({"page": page}, "memory", clock=clock, timer=clock)
    site.cache.store._timer = clock  # type: ignore[attr-defined]
    counter = Counter()
    assert site.render(items="ab", n=counter) == "1a2,b3,"
    site.cache.invalidate_tags("t:b")
    assert site.render(items="ab", n=counter) == "4a2,b5,"
    clock.now += 59
    assert site.render(items="ab", n=counter) == "4a2,b5,"
    clock.now += 1
    assert site.render(items="ab", n=counter) == "6a7,b8,"


# Wrong use


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("cache_each", "does not say what it goes through"),
        ("cache_each item", "'in' is missing"),
        ("cache_each item in items", "no key value"),
        ("cache_each item in items, 60", "no key value"),
        ("cache_each item in items, 60, 'row'", "no key value"),
        ("cache_each item in items, 60, 'row', vary_on=[]", "no key value"),
        ("cache_each item in items recursive, 60, 'row', item", "can't be recursive"),
        ("cache_each item in items, 60, 'row', item, x=1", "no option 'x'"),
        ("cache_each item in items, -1, 'row', item", "A timeout can't be -1"),
        ("cache_each item in x, y, 5, 'row', item", "A fragment's name is text"),
        ("cache_each loop in items, 60, 'row', loop", "loop"),
        ("cache_each 5 in items, 60, 'row', 5", "can't assign|cannot assign"),
        ("cache_each items, 60, 'row'", r"and 'in': .*Write {% cache_each item in it"),
    ],
)
def test_wrong_use_is_a_syntax_error_that_names_the_mistake(
    tag: str, message: str
) -> None:
    with pytest.raises(TemplateSyntaxError, match=message) as raised:
        environment().from_string(f"\n{{% {tag} %}}x{{% endcache_each %}}")
    assert raised.value.lineno == 2


@pytest.mark.parametrize("control", ["break", "continue"])
def test_break_and_continue_can_not_leave_a_row(control: str) -> None:
    env = environment(extensions=["jinja2.ext.loopcontrols"])
    with pytest.raises(TemplateSyntaxError, match=f"{control} %}} can't leave"):
        env.from_string(
            f"{{% cache_each i in x, 60, 'r', i %}}{{% {control} %}}{{% endcache_each %}}"
        )


def test_cache_each_needs_its_end() -> None:
    with pytest.raises(TemplateSyntaxError, match="endcache_each"):
        environment().from_string("{% cache_each i in x, 60, 'r', i %}")


def test_items_that_are_not_iterable_are_the_error_of_a_for_loop() -> None:
    site = Site({"page": LIST})
    with pytest.raises(TypeError, match="not iterable"):
        site.render(items=5, n=Counter())
    strict: Environment = environment({"page": LIST}, undefined=StrictUndefined)
    with pytest.raises(UndefinedError, match="'items' is undefined"):
        strict.get_template("page").render(n=Counter())


def test_a_list_outside_of_blocks_in_a_child_template_prints_nothing() -> None:
    templates = {
        "base": "{% block b %}{% endblock %}",
        "page": "{% extends 'base' %}"
        + LIST
        + "{% block b %}"
        + LIST
        + "{% endblock %}",
    }
    counter = Counter()
    assert Site(templates).render(items="ab", n=counter) == "a1,b2,"
    assert counter.calls == 2


def test_a_row_with_a_block_differs_from_page_to_page() -> None:
    templates = {
        "base": "{% cache_each item in items, 60, 'row', item %}{{ item }}"
        "{% block b scoped %}base{% endblock %}{% endcache_each %}",
        "page": "{% extends 'base' %}{% block b %}page{{ item }}{% endblock %}",
    }
    site = Site(templates)
    for name, text in (("base", "abasebbase"), ("page", "apageabpageb")) * 2:
        assert site.render(name, items="ab") == text


def test_an_iterator_of_items_is_consumed_only_once() -> None:
    site = Site({"page": LIST})
    items: Iterator[str] = iter("abc")
    assert site.render(items=items, n=lambda: "") == "a,b,c,"


# Groups of itertools.groupby


class _Iterable:
    """Its items are groups, each time that somebody goes through it."""

    def __init__(self, words: list[str]) -> None:
        self.words = words

    def __iter__(self) -> Any:
        return groupby(self.words, key=len)


class _Group(NamedTuple):
    number: int
    rows: Any


def _pairs_with(made: Callable[[Any], Any]) -> Callable[[list[str]], Any]:
    """Return a function that makes something of each group."""
    return lambda words: ((n, made(rows)) for n, rows in groupby(words, key=len))


GROUPED: dict[str, Callable[[list[str]], Any]] = {
    "groupby": lambda words: groupby(words, key=len),
    "generator": lambda words: (each for each in groupby(words, key=len)),
    "filter": lambda words: filter(None, groupby(words, key=len)),
    "lists": lambda words: [(n, list(rows)) for n, rows in groupby(words, key=len)],
    "lists of a generator": lambda words: (
        (n, list(rows)) for n, rows in groupby(words, key=len)
    ),
    "iterable": _Iterable,
    "pairs in lists": lambda words: map(list, groupby(words, key=len)),
    "named tuples": lambda words: starmap(_Group, groupby(words, key=len)),
    "map": _pairs_with(lambda rows: map(str, rows)),
    "map of filter": _pairs_with(lambda rows: map(str, filter(None, rows))),
    "generators": _pairs_with(lambda rows: (row for row in rows)),
    "islice": _pairs_with(lambda rows: islice(rows, 3)),
    "chain": _pairs_with(lambda rows: chain(["-"], rows)),
}


@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize("kind", GROUPED)
@pytest.mark.parametrize("key", ["k", "k, loop.index", "rows|list|length, k"])
@pytest.mark.parametrize("test", ["", " if k != 2"])
def test_groups_are_read_as_in_the_loop(
    kind: str, key: str, test: str, enable_async: bool
) -> None:
    body = "{{ k }}:{% for row in rows %}{{ row }},{% endfor %}{{ loop.index }};"
    head = "k, rows in groups(words)" + test
    source = "{% cache_each " + head + ", 300, 'x', " + key + " %}" + body
    env = environment(enable_async=enable_async)
    template = env.from_string(source + "{% endcache_each %}")
    plain = env.from_string("{% for " + head + " %}" + body + "{% endfor %}")
    context = {"words": ["a", "b", "cc", "ddd"], "groups": GROUPED[kind]}
    expected = plain.render(context)
    assert "a,b,;" in expected.replace("1;", ";")
    assert [template.render(context) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize("enable_async", [False, True])
def test_a_group_alone_is_read_as_in_the_loop(enable_async: bool) -> None:
    source = (
        "{% cache_each rows in groupby(words)|map('last'), 300, 'x', loop.index %}"
        "{{ rows|join }};{% endcache_each %}"
    )
    template = environment(enable_async=enable_async).from_string(source)
    for _ in range(2):
        assert template.render(words="aab", groupby=groupby) == "aa;b;"


def test_a_group_in_a_dictionary_is_read_as_in_the_loop() -> None:
    source = (
        "{% cache_each group in groups, 300, 'x', group.n %}"
        "{{ group.rows|join }};{% endcache_each %}"
    )
    template = environment().from_string(source)
    for _ in range(2):
        groups = ({"n": n, "rows": rows} for n, rows in groupby("aab"))
        assert template.render(groups=groups) == "aa;b;"


@pytest.mark.parametrize("enable_async", [False, True])
def test_an_iterator_in_an_item_that_reads_no_group_is_not_read(
    enable_async: bool,
) -> None:
    source = "{% cache_each n, more in pairs, 300, 'x', n %}{{ n }};{% endcache_each %}"
    template = environment(enable_async=enable_async).from_string(source)
    more = [count(), repeat(1), iter("ab"), map(str, "ab"), (x for x in "ab")]
    assert template.render(pairs=iter(enumerate(more))) == "0;1;2;3;4;"
    assert [next(each) for each in more] == [0, 1, "a", "a", "a"]


def test_items_that_contain_themselves_are_read_as_in_the_loop() -> None:
    item: list[Any] = [1]
    item.append(item)
    source = "{% cache_each n, _ in pairs, 300, 'x', n %}{{ n }};{% endcache_each %}"
    assert environment().from_string(source).render(pairs=iter([item])) == "1;"


def test_what_can_be_read_in_both_ways_is_read_as_in_the_loop() -> None:
    class Both(_Iterable):
        def __aiter__(self) -> Any:
            raise AssertionError

    source = "{% cache_each n, _ in pairs, 300, 'x', n %}{{ n }};{% endcache_each %}"
    template = environment().from_string(source)
    assert template.render(pairs=Both(["a", "bb"])) == "1;2;"
