"""`FragmentCache.memoize`, which needs no application."""

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from markupsafe import Markup

from jinja_fragcache import (
    FragmentCache,
    KeyValueError,
    MemoryStore,
    PolicyError,
    SerializationError,
    Stats,
    StoreError,
    WrongCallError,
)
from tests.support import Clock, CoroutineStore, Counter, RecordingStore, environment


def test_calls_with_equal_arguments_share_a_value() -> None:
    cache, calls = FragmentCache(), Counter()

    @cache.memoize(50)
    def add(a: int, b: int = 2) -> list[int]:
        return [a + b, calls()]

    assert [add(1), add(1, 2), add(1, b=2), add(b=2, a=1)] == [[3, 1]] * 4
    assert add(2, 1) == [3, 2]
    assert cache.stats() == Stats(hits=3, misses=2, stored=2)


def test_coroutine_functions_are_awaited_and_stored_in_an_async_store() -> None:
    store, calls = CoroutineStore(), Counter()
    cache = FragmentCache(store)

    @cache.memoize()
    async def double(number: int) -> list[int]:
        await asyncio.sleep(0)
        return [2 * number, calls()]

    async def ask() -> Any:
        first = await double(2), await double(2)
        await cache.delete_memoized_async(double, 2)
        return *first, await double(2)

    assert asyncio.run(ask()) == ([4, 1], [4, 1], [4, 2])


def test_a_plain_function_needs_a_store_that_is_not_async() -> None:
    cache = FragmentCache(CoroutineStore())
    with pytest.raises(StoreError, match="coroutine"):
        cache.memoize()(len)("abc")


def test_of_several_callers_on_one_loop_one_calls_the_function() -> None:
    cache, calls = FragmentCache(), Counter()

    @cache.memoize()
    async def slow() -> int:
        await asyncio.sleep(0)
        return calls()

    async def ask() -> list[int]:
        return await asyncio.gather(*(slow() for _ in range(9)))

    assert asyncio.run(ask()) == [1] * 9


def test_of_several_threads_one_calls_the_function() -> None:
    cache, calls = FragmentCache(), Counter()
    start, inside = threading.Barrier(4), threading.Event()
    answers: list[int] = []

    @cache.memoize()
    def slow() -> int:
        assert inside.wait(20)
        return calls()

    def ask() -> None:
        start.wait(20)
        answers.append(slow())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    inside.set()
    for each in threads:
        each.join(20)
    assert answers == [1] * 4


class Shop:
    cache = FragmentCache()
    calls = Counter()

    def __init__(self, number: int) -> None:
        self.number = number

    def __cache_key__(self) -> int:
        return self.number

    @cache.memoize()
    def prices(self, currency: str) -> list[Any]:
        return [self.number, currency, self.calls()]

    @classmethod
    @cache.memoize()
    def count(cls, minimum: int = 0) -> list[int]:
        return [minimum, cls.calls()]


def test_methods_and_class_methods_are_memoized_and_deleted() -> None:
    one, two = Shop(1), Shop(2)
    first = [one.prices("EUR"), two.prices("EUR"), Shop.count()]
    assert [Shop(1).prices("EUR"), two.prices("EUR"), Shop.count()] == first
    Shop.cache.delete_memoized(one.prices)
    assert one.prices("EUR") != first[0]
    assert two.prices("EUR") == first[1]
    Shop.cache.delete_memoized(Shop.prices)
    assert two.prices("EUR") != first[1]
    Shop.cache.delete_memoized(Shop.count, minimum=0)
    assert Shop.count() != first[2]


def test_one_call_all_calls_or_several_functions_are_deleted() -> None:
    cache, calls = FragmentCache(), Counter()

    @cache.memoize()
    def one(number: int) -> int:
        return calls()

    @cache.memoize()
    def two() -> int:
        return calls()

    assert [one(1), one(2), two()] == [1, 2, 3]
    cache.delete_memoized(one, 1)
    assert [one(1), one(2), two()] == [4, 2, 3]
    one.delete_memoized()
    assert [one(1), one(2), two()] == [5, 6, 3]
    cache.delete_memoized(one, two)
    assert [one(1), one(2), two()] == [7, 8, 9]


def number_of(card: str) -> int:
    return int(card)


def test_what_can_not_be_deleted_is_told() -> None:
    cache = FragmentCache()
    with pytest.raises(KeyValueError, match=r"function that @cache.memoize\(\) has"):
        cache.delete_memoized(len)
    decorated: Any = cache.memoize()(number_of)
    with pytest.raises(WrongCallError, match="number_of"):
        cache.delete_memoized(decorated, "a", "b")


def test_a_failing_store_calls_the_function_and_fails_deletes() -> None:
    store, calls = RecordingStore(), Counter()
    cache = FragmentCache(store, retry_after=0)

    @cache.memoize()
    def number() -> int:
        return calls()

    store.failing = {"get", "set", "delete"}
    assert [number(), number()] == [1, 2]
    with pytest.raises(StoreError):
        number.delete_memoized()


def test_a_value_is_served_past_its_timeout_if_the_function_raises() -> None:
    clock = Clock()
    cache = FragmentCache(
        MemoryStore(timer=clock), stale_if_error=60, timer=clock, clock=clock
    )
    errors: list[Exception] = []

    @cache.memoize(10)
    def price() -> list[int]:
        for error in errors:
            raise error
        return [5]

    assert price() == [5]
    errors.append(LookupError())
    clock.now += 20
    assert price() == [5]
    clock.now += 100
    with pytest.raises(LookupError):
        price()


def test_tags_and_the_values_of_the_whole_cache_hold_for_functions() -> None:
    language, calls = "en", Counter()
    cache = FragmentCache(vary_on=lambda: [language])

    @cache.memoize(tags=lambda number: [f"item:{number}"])
    def item(number: int) -> str:
        return f"{language} {calls()}"

    assert [item(1), item(1), item(2)] == ["en 1", "en 1", "en 2"]
    language = "de"
    assert item(1) == "de 3"
    cache.invalidate_tags("item:1")
    assert [item(1), item(2)] == ["de 4", "de 5"]


VALUES: list[Any] = [
    *("text", 5, 1.5, True, [1, "a"], {"a": {"b": None}}, (1, (2,)), b"\xff"),
    *(Decimal("1.10"), UUID(int=7), date(2026, 1, 2), Markup("<b>")),
    *(datetime(2026, 1, 2, tzinfo=UTC), {" t": [1]}, {" di": {" t__": 1}}),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back_as_they_were(value: Any) -> None:
    cache = FragmentCache()
    get = cache.memoize()(lambda: value)
    for _ in range(2):
        assert (type(get()), get()) == (type(value), value)
    assert cache.stats().hits == 3


@dataclass
class Card:
    number: int


def test_a_value_that_json_lacks_is_made_each_time_and_told() -> None:
    cache, strict = FragmentCache(), FragmentCache(strict=True)
    get = cache.memoize()(lambda: Card(1))
    assert [get(), get()] == [Card(1)] * 2
    assert cache.stats().stored == 0
    with pytest.raises(SerializationError, match="set serializer to 'pickle'"):
        strict.memoize()(lambda: Card(1))()


def test_the_serializer_pickle_keeps_objects() -> None:
    cache, calls = FragmentCache(serializer="pickle"), Counter()
    get = cache.memoize()(lambda: Card(calls()))
    assert [get(), get()] == [Card(1)] * 2


def test_a_cache_never_unpickles_unless_it_is_told_to() -> None:
    store, calls = MemoryStore(), Counter()

    def card() -> list[int]:
        return [calls()]

    assert FragmentCache(store, serializer="pickle").memoize()(card)() == [1]
    assert FragmentCache(store).memoize()(card)() == [2]


def test_a_wrong_serializer_is_refused() -> None:
    with pytest.raises(PolicyError, match="serializer can't be 'yaml'"):
        FragmentCache(serializer="yaml")


def test_a_body_that_calls_a_memoized_function_gets_its_tags() -> None:
    cache, calls = FragmentCache(), Counter()

    @cache.memoize()
    def price() -> int:
        return calls()

    env = environment({"p": "{% cache 60, 'p' %}{{ price() }}{% endcache %}"}, cache)
    env.globals["price"] = price
    template = env.get_template("p")
    assert [template.render(), template.render()] == ["1", "1"]
    price.delete_memoized()
    assert template.render() == "2"


def test_hits_are_verified_if_the_cache_says_so() -> None:
    cache, calls = FragmentCache(verify=1, strict=True), Counter()
    get = cache.memoize()(calls.__call__)
    assert get() == 1
    with pytest.raises(Exception, match="the value"):
        get()
    unverified = cache.memoize(verify=False)(calls.__call__)
    assert [unverified(), unverified()] == [1, 1]
