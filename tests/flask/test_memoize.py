"""`Cache.memoize` and `Cache.delete_memoized`."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from jinja_fragcache import Cache, KeyValueError, Stats, StoreError
from tests.support import Clock, Counter, RecordingStore


def test_a_function_is_called_once_for_equal_arguments(
    cache: Cache, calls: Counter
) -> None:
    @cache.memoize(timeout=50)
    def add(a: int, b: int = 2) -> tuple[int, int]:
        return a + b, calls()

    assert [add(1), add(1, 2), add(1, b=2), add(b=2, a=1)] == [(3, 1)] * 4
    assert add(2, 1) == (3, 2)
    assert cache.stats() == Stats(hits=3, misses=2, stored=2)


def test_all_kinds_of_parameters_count(cache: Cache, calls: Counter) -> None:
    @cache.memoize()
    def function(a: int, /, *rest: int, key: int = 0, **more: int) -> Any:
        return a, rest, key, more, calls()

    first = function(1, 2, 3, key=4, x=5, y=6)
    assert first == (1, (2, 3), 4, {"x": 5, "y": 6}, 1)
    assert function(1, 2, 3, y=6, x=5, key=4) == first
    others = [function(1), function(1, 2), function(1, key=2), function(1, x=2)]
    assert [each[-1] for each in others] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    "arguments", [[1, "1", 1.0, True, b"1"], [None, "None", ""], [(1, 2), [1, 2]]]
)
def test_arguments_of_different_types_are_different(
    cache: Cache, calls: Counter, arguments: list[Any]
) -> None:
    @cache.memoize()
    def function(argument: Any) -> tuple[Any, int]:
        return argument, calls()

    for _ in range(2):
        answers = [function(argument) for argument in arguments]
        assert [number for _, number in answers] == list(range(1, len(arguments) + 1))


class Person:
    """The person of the example in Flask-Cache's manual."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"Person({self.number})"


class Adder:
    """The example of Flask-Caching's documentation."""

    cache = Cache(Flask(__name__), config={"CACHE_TYPE": "simple"})
    calls = Counter()

    @cache.memoize()
    def add(self, b: int) -> tuple[int, int]:
        return b, self.calls()

    @classmethod
    @cache.memoize()
    def by_class(cls, b: int) -> tuple[str, int, int]:
        return cls.__name__, b, cls.calls()

    @cache.memoize()
    @classmethod
    def other_order(cls, b: int) -> tuple[str, int, int]:
        return cls.__name__, b, cls.calls()

    @staticmethod
    @cache.memoize()
    def static(b: int) -> tuple[int, int]:
        return b, Adder.calls()


class Subtractor(Adder):
    pass


@pytest.fixture
def adder() -> Iterator[type[Adder]]:
    Adder.cache.clear()
    Adder.calls.calls = 0
    yield Adder
    Adder.cache.clear()


def test_methods_are_memoized_for_each_object(adder: type[Adder]) -> None:
    one, two = adder(), adder()
    assert [one.add(3), two.add(3), one.add(3), two.add(b=3)] == [
        (3, 1),
        (3, 2),
        (3, 1),
        (3, 2),
    ]


def test_an_object_does_not_get_the_values_of_an_older_one_at_its_address(
    adder: type[Adder],
) -> None:
    addresses = set()
    seen = set()
    for _ in range(50):
        one = adder()
        addresses.add(id(one))
        seen.add(one.add(3)[1])
        del one
        gc.collect(0)
    assert len(addresses) < 50, "no address was used again"
    assert len(seen) == 50


def test_class_methods_are_memoized_for_each_class(adder: type[Adder]) -> None:
    for name in ("by_class", "other_order"):
        answers = [
            getattr(kind, name)(3) for kind in (adder, Subtractor, adder, adder())
        ]
        assert [each[0] for each in answers] == ["Adder", "Subtractor"] + ["Adder"] * 2
        assert len({each[2] for each in answers}) == 2


def test_static_methods_are_memoized(adder: type[Adder]) -> None:
    owners: list[Any] = [adder, adder(), Subtractor]
    assert [owner.static(1) for owner in owners] == [(1, 1)] * 3


def test_delete_memoized_of_a_bound_method(adder: type[Adder]) -> None:
    one, two = adder(), adder()
    before = [one.add(1), one.add(2), two.add(1)]
    adder.cache.delete_memoized(one.add, 1)
    assert [one.add(1) == before[0], one.add(2), two.add(1)] == [False, *before[1:]]
    adder.cache.delete_memoized(one.add, one, 2)
    assert one.add(2) != before[1]
    before = [one.add(1), one.add(2), two.add(1)]
    adder.cache.delete_memoized(one.add)
    assert one.add(1) != before[0]
    assert one.add(2) != before[1]
    assert two.add(1) == before[2]


def test_delete_memoized_of_an_unbound_method(adder: type[Adder]) -> None:
    one, two = adder(), adder()
    before = [one.add(1), two.add(1), two.add(2)]
    adder.cache.delete_memoized(adder.add, two, b=2)
    assert [one.add(1), two.add(1)] == before[:2]
    assert two.add(2) != before[2]
    adder.cache.delete_memoized(adder.add)
    assert one.add(1) != before[0]
    assert two.add(1) != before[1]


def test_delete_memoized_of_class_and_static_methods(adder: type[Adder]) -> None:
    methods: list[Any] = [adder.by_class, Subtractor.by_class, adder.static]
    before = [method(1) for method in methods]
    adder.cache.delete_memoized(adder.by_class)
    adder.cache.delete_memoized(adder.static, 1)
    after = [method(1) for method in methods]
    same = [new == old for new, old in zip(after, before, strict=True)]
    assert same == [False, True, False]


def test_an_object_is_identified_by_its_repr_or_caching_id(
    cache: Cache, calls: Counter
) -> None:
    class User(Person):
        def __caching_id__(self) -> int:
            return self.number // 10

    @cache.memoize(50)
    def has_membership(person: Person, role: str) -> tuple[bool, int]:
        return role in str(person), calls()

    first = has_membership(Person(1), "admin")
    assert has_membership(Person(1), "admin") == first
    assert has_membership(Person(2), "admin") != first
    assert has_membership(User(10), "x") == has_membership(User(11), "x")
    assert has_membership(User(10), "x") != has_membership(User(20), "x")


def test_delete_memoized_by_name_as_the_manual_shows(
    cache: Cache, calls: Counter
) -> None:
    @cache.memoize(50)
    def user_has_membership(name: str, role: str) -> tuple[str, str, int]:
        return name, role, calls()

    before = [user_has_membership("demo", role) for role in ("admin", "user")]
    cache.delete_memoized("user_has_membership", "demo", "user")
    after = [user_has_membership("demo", role) for role in ("admin", "user")]
    assert after == [before[0], ("demo", "user", 3)]
    cache.delete_memoized("user_has_membership")
    assert user_has_membership("demo", "admin")[2] == 4
    full = f"{__name__}.{user_has_membership.__qualname__}"
    cache.delete_memoized(full, role="admin", name="demo")
    assert user_has_membership("demo", "admin")[2] == 5


def test_delete_memoized_of_an_unknown_function_is_an_error(cache: Cache) -> None:
    def make() -> Any:
        @cache.memoize()
        def same() -> int:
            return 1

        return same

    @cache.memoize()
    def same() -> int:
        return 2

    make()
    with pytest.raises(KeyValueError, match=r"No memoized .* 'other'\. Write"):
        cache.delete_memoized("other")
    with pytest.raises(KeyValueError, match="Several memoized functions have the name"):
        cache.delete_memoized("same")
    for wrong in (make, 5, cache.cached(key_prefix="x")(make)):
        with pytest.raises(KeyValueError, match=r"takes a function that @cache\.mem"):
            cache.delete_memoized(wrong)  # type: ignore[arg-type]


def test_delete_memoized_of_a_wrong_call_is_an_error(cache: Cache) -> None:
    @cache.memoize()
    def function(a: int) -> int:
        return a

    with pytest.raises(TypeError, match="too many positional arguments"):
        cache.delete_memoized(function, 1, 2)


def test_delete_memoized_raises_if_the_store_fails() -> None:
    store = RecordingStore()
    cache = Cache(Flask(__name__), config={"CACHE_TYPE": store})

    @cache.memoize()
    def function(a: int) -> int:
        return a

    function(1)
    # If a new tag version can't be written, the old one is deleted. Both fail here.
    store.failing = {"set", "delete"}
    for arguments in ((), (1,)):
        with pytest.raises(StoreError, match="may still be served"):
            cache.delete_memoized(function, *arguments)


def test_a_value_deleted_while_it_is_made_is_not_served(
    cache: Cache, calls: Counter
) -> None:
    data = ["old"]

    @cache.memoize()
    def function() -> tuple[str, int]:
        made = data[0], calls()
        if made[1] == 1:
            data[0] = "new"
            cache.delete_memoized(function)
        return made

    assert function() == ("old", 1)
    assert [function(), function()] == [("new", 2)] * 2


def test_tag_versions_are_read_in_the_same_round_trip() -> None:
    store = RecordingStore()
    cache = Cache(Flask(__name__), config={"CACHE_TYPE": store})
    reads: list[tuple[str, ...]] = []

    class Many(RecordingStore):
        def get_many(self, *keys: str) -> list[Any]:
            reads.append(keys)
            return [self.values.get(key) for key in keys]

    store = Many()
    cache = Cache(Flask(__name__), config={"CACHE_TYPE": store})

    class Owner:
        @cache.memoize()
        def method(self, a: int) -> int:
            return a

    owner = Owner()
    owner.method(1)
    store.calls.clear()
    reads.clear()
    owner.method(1)
    assert [len(keys) for keys in reads] == [3]
    assert store.calls == []


def test_a_value_whose_tags_have_no_version_is_not_stored() -> None:
    store = RecordingStore()
    cache = Cache(Flask(__name__), config={"CACHE_TYPE": store})
    store.failing = {"set", "get"}

    @cache.memoize()
    def function() -> str:
        store.failing = set()
        return "text"

    assert function() == "text"
    assert store.values == {}


def test_a_value_expires_after_its_timeout(
    cache: Cache, calls: Counter, clock: Clock
) -> None:
    @cache.memoize(10)
    def function() -> int:
        return calls()

    assert [function(), function()] == [1, 1]
    clock.now += 10
    assert function() == 2
    assert function.cache_timeout == 10


def test_tag_versions_live_as_long_as_their_values(
    cache: Cache, calls: Counter, clock: Clock
) -> None:
    @cache.memoize(0)
    def function() -> int:
        return calls()

    function()
    clock.now += 29 * 24 * 3600
    assert function() == 1


def test_make_name_and_args_to_ignore(cache: Cache, calls: Counter) -> None:
    @cache.memoize(make_name=lambda name: f"{name}:v2", args_to_ignore=["connection"])
    def function(a: int, connection: object) -> tuple[int, int]:
        return a, calls() if connection is not calls else 0

    assert function(1, object()) == function(1, object()) == (1, 1)
    assert "function:v2" in function.make_cache_key(1, None)
    cache.delete_memoized(function, 1, object())
    assert function(1, None) == (1, 2)


def test_args_to_ignore_may_name_self(cache: Cache, calls: Counter) -> None:
    class Owner:
        @cache.memoize(args_to_ignore=["self"])
        def method(self, a: int) -> tuple[int, int]:
            return a, calls()

    one, two = Owner(), Owner()
    assert one.method(1) == two.method(1) == (1, 1)
    cache.delete_memoized(one.method)
    assert two.method(1) == (1, 2)


def test_make_cache_key_returns_the_key(cache: Cache) -> None:
    @cache.memoize()
    def function(a: int, b: int = 2) -> list[int]:
        return [a, b]

    function(1)
    key = function.make_cache_key(function.uncached, 1, b=2)
    assert key == function.make_cache_key(1)
    assert cache.get(key) == [1, 2]
    cache.delete_memoized(function)
    assert cache.get(key) is None


def test_make_cache_key_may_be_replaced(cache: Cache, calls: Counter) -> None:
    @cache.memoize()
    def function(a: int) -> tuple[int, int]:
        return a, calls()

    function.make_cache_key = lambda f, a: f"{f.__name__}:{a % 2}"
    assert [function(1), function(3), function(2)] == [(1, 1), (1, 1), (2, 2)]
    assert cache.get("function:1") == (1, 1)
    cache.delete_memoized(function)
    assert function(1) == (1, 3)


@pytest.mark.parametrize(("cache_none", "expected"), [(False, 2), (True, 1)])
def test_none_is_stored_only_with_cache_none(
    cache: Cache,
    calls: Counter,
    cache_none: bool,
    expected: int,
) -> None:
    @cache.memoize(cache_none=cache_none)
    def function() -> None:
        calls()

    function()
    function()
    assert calls.calls == expected


def test_a_call_with_an_argument_without_identity_is_not_cached(
    calls: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})

    class Nameless:
        __slots__ = ()

    @cache.memoize()
    def function(_: Nameless) -> int:
        return calls()

    assert [function(Nameless()), function(Nameless())] == [1, 2]
    assert cache.stats() == Stats(uncached=2)
    assert len(caplog.records) == 1
    assert "function(): the value is not cached. A key value is known" in caplog.text
    app.debug = True
    with pytest.raises(KeyValueError, match=r"function\(\): the value is not cached"):
        function(Nameless())


def test_a_call_with_an_argument_whose_repr_raises_is_not_cached(
    cache: Cache, calls: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise LookupError("no row")

    @cache.memoize()
    def function(a: Broken) -> tuple[bool, int]:
        return isinstance(a, Broken), calls()

    assert [function(Broken()), function(Broken())] == [(True, 1), (True, 2)]
    assert (
        "The argument a does not say what it is. It raised LookupError" in caplog.text
    )


def test_functions_made_by_one_function_do_not_share_values(cache: Cache) -> None:
    def make(factor: int) -> Callable[[int], int]:
        @cache.memoize()
        def times(number: int) -> int:
            return number * factor

        return times

    double, triple = make(2), make(3)
    assert [double(5), triple(5), make(2)(5)] == [10, 15, 10]
    assert cache.stats() == Stats(hits=1, misses=2, stored=2)


def test_a_function_may_call_itself(cache: Cache, calls: Counter) -> None:
    @cache.memoize()
    def fibonacci(n: int) -> int:
        calls()
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert fibonacci(60) == 1548008755920
    assert calls.calls == 61


def test_a_generator_is_stored_as_a_list(cache: Cache, calls: Counter) -> None:
    @cache.memoize()
    def numbers(limit: int) -> Iterator[int]:
        yield from range(limit)
        yield calls()

    assert list(numbers(2)) == list(numbers(2)) == [0, 1, 1]


def test_coroutine_functions_are_memoized(cache: Cache, calls: Counter) -> None:
    class Owner:
        @cache.memoize()
        async def method(self, a: int) -> tuple[int, int]:
            await asyncio.sleep(0)
            return a, calls()

    async def use() -> list[Any]:
        return [await owner.method(1), await owner.method(a=1), await owner.method(2)]

    owner = Owner()
    assert asyncio.run(use()) == [(1, 1), (1, 1), (2, 2)]
    cache.delete_memoized(owner.method, 1)
    assert asyncio.run(use())[0] == (1, 3)


def test_a_method_has_the_undecorated_function(adder: type[Adder]) -> None:
    one = adder()
    one.add(1)
    assert adder.add.uncached(one, 1) == (1, 2)
    assert one.add.uncached(one, 1) == (1, 3)
    assert one.add(1) == (1, 1)


def test_two_lambdas_do_not_share_values(cache: Cache) -> None:
    add, times = (
        cache.memoize()(function) for function in (lambda x: x + 1, lambda x: x * 10)
    )
    assert [add(5), times(5)] == [6, 50]


def test_classes_made_by_one_function_are_different_arguments(
    cache: Cache, calls: Counter
) -> None:
    def make() -> type:
        class Made:
            pass

        return Made

    @cache.memoize()
    def function(_: type) -> int:
        return calls()

    one, other = make(), make()
    assert [function(one), function(other), function(one)] == [1, 2, 1]


def test_functions_with_the_same_make_name_share_values(
    cache: Cache, calls: Counter
) -> None:
    decorate = cache.memoize(make_name=lambda _: "shared")

    @decorate
    def one(a: int) -> tuple[int, int]:
        return a, calls()

    @decorate
    def other(a: int) -> tuple[int, int]:
        return a, calls()

    def module_level(function: Any) -> Any:
        function.__qualname__ = function.__name__
        return function

    first, second = (
        decorate(module_level(one.uncached)),
        decorate(module_level(other.uncached)),
    )
    assert first(1) == second(1) == (1, 1)
    cache.delete_memoized(second)
    assert first(1) == (1, 2)


_MISSING = object.__new__(object)


def test_a_default_may_be_a_sentinel(cache: Cache, calls: Counter) -> None:
    @cache.memoize()
    def function(a: object = _MISSING) -> tuple[bool, int]:
        return a is _MISSING, calls()

    assert [function(), function(_MISSING), function(5)] == [
        (True, 1),
        (True, 1),
        (False, 2),
    ]
    assert function(object()) == (False, 3)


def test_equal_objects_with_different_reprs_do_not_share_values(calls: Counter) -> None:
    class Equal(Person):
        cache = Cache(Flask(__name__), config={"CACHE_TYPE": "simple"})

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Equal)

        def __hash__(self) -> int:
            return 1

        @cache.memoize()
        def method(self, other: "Equal | None" = None) -> tuple[str, int]:
            return repr(other), calls()

    one, two = Equal(1), Equal(2)
    before = [one.method(), one.method(two)]
    Equal.cache.delete_memoized(one.method, two)
    assert one.method() == before[0]
    assert one.method(two) != before[1]
