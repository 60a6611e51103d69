import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
import redis

from jinja_fragcache.access.safe_store import SafeStore
from jinja_fragcache.access.stats import Stats
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.errors import AsyncOnlyError, StoreError
from jinja_fragcache.operations import Operation, perform, perform_async
from tests.support import Clock, CoroutineStore, Ears, RecordingStore, context


class Subject:
    def __init__(self, kind: str) -> None:
        store: Any = CoroutineStore() if kind == "coroutines" else RecordingStore()
        self.store: RecordingStore = getattr(store, "inner", store)
        self.counts = Stats()
        self.ears = Ears("hit", "miss", "set", "delete")
        self.clock = Clock()
        self.is_async = kind != "plain"
        self.safe_store = context(
            store,
            self.counts,
            blocking=not self.is_async,
            policy=Policy(default_timeout=60),
            listeners=[self.ears],
            timer=self.clock,
        ).store

    def do(self, method: Callable[..., Operation[Any]], *arguments: Any) -> Any:
        operation = method(self.safe_store, *arguments)
        if self.is_async:
            return asyncio.run(perform_async(operation))
        return perform(operation)


@pytest.fixture(params=["plain", "threads", "coroutines"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(request.param)


def test_a_written_value_is_read_and_counted_as_stored(subject: Subject) -> None:
    assert subject.do(SafeStore.write, {"k": ("text", 5)}) == ["k"]
    assert subject.do(SafeStore.read, ["k"]) == ["text"]
    assert subject.do(SafeStore.read, ["none", "k"]) == [None, "text"]
    assert subject.store.timeouts == {"k": 5}
    assert subject.counts == Stats(stored=1)
    assert subject.ears.heard == [("set", "k")]


def test_none_is_the_default_timeout_and_zero_is_for_ever(subject: Subject) -> None:
    subject.do(SafeStore.write, {"a": ("1", None), "b": ("2", None)})
    subject.do(SafeStore.add, {"c": "3"}, 0)
    assert subject.store.timeouts == {"a": 60, "b": 60, "c": 0}
    assert subject.counts == Stats(stored=2)
    assert subject.ears.heard == [("set", "a"), ("set", "b")]


def test_add_does_not_replace_an_entry(subject: Subject) -> None:
    assert subject.do(SafeStore.add, {"k": "first"}, 5) == ["k"]
    assert subject.do(SafeStore.add, {"k": "second"}, 5) == []
    assert subject.store.values == {"k": "first"}
    assert subject.ears.heard == []


def test_increment_counts_up_and_down(subject: Subject) -> None:
    assert subject.do(SafeStore.increment, "k", 2) == 2
    assert subject.do(SafeStore.increment, "k", -3) == -1
    assert subject.ears.heard == [("set", "k"), ("set", "k")]


def test_delete_and_clear_remove_entries(subject: Subject) -> None:
    subject.store.values = {"a": "1", "b": "2", "c": "3"}
    assert subject.do(SafeStore.delete, ["a"]) is True
    assert subject.do(SafeStore.delete, ["a"]) is False
    subject.do(SafeStore.delete, ["b", "none"])
    assert subject.store.values == {"c": "3"}
    assert subject.counts == Stats(deleted=4)
    heard = [("delete", key) for key in ("a", "a", "b", "none")]
    assert subject.ears.heard == heard
    subject.do(SafeStore.clear)
    assert subject.store.values == {}


@pytest.mark.parametrize(
    ("method", "arguments", "nothing"),
    [
        (SafeStore.read, [["k"]], [None]),
        (SafeStore.read, [["k", "l"]], [None, None]),
        (SafeStore.write, [{"k": ("text", 5)}], []),
        (SafeStore.write, [{"k": ("1", 5), "l": ("2", 5)}], []),
        (SafeStore.add, [{"k": "text"}, 5], []),
        (SafeStore.increment, ["k", 1], None),
    ],
)
def test_reads_and_writes_fail_open(
    subject: Subject,
    caplog: pytest.LogCaptureFixture,
    method: Callable[..., Operation[Any]],
    arguments: list[Any],
    nothing: Any,
) -> None:
    subject.store.failing = {"get", "set"}
    assert subject.do(method, *arguments) == nothing
    assert subject.counts == Stats(failures=1)
    assert subject.ears.heard == []
    failed, left_alone = (record.getMessage() for record in caplog.records)
    assert failed.startswith("The store could not ")
    assert "ConnectionError: " in failed
    assert "'k" in failed
    assert left_alone.startswith("The store is left alone")


class ManyStore(RecordingStore):
    """A store that reads many keys with one call."""

    more: int = 0

    def get_many(self, *keys: str) -> list[Any]:
        self._note("get_many")
        return [*map(self.values.get, keys), *[None] * self.more]


@pytest.fixture(params=[RecordingStore, ManyStore])
def plain(request: pytest.FixtureRequest) -> RecordingStore:
    store: RecordingStore = request.param()
    store.values = {"a": "1", "b": "2"}
    return store


def calls_of(store: RecordingStore, number: int) -> list[str]:
    is_one_call = isinstance(store, ManyStore) and number > 1
    return ["get_many"] if is_one_call else ["get"] * number


@pytest.mark.parametrize("keys", [["a", "none", "b"], ["a"]])
def test_a_caller_that_blocks_reads_the_same_at_once(
    plain: RecordingStore, keys: list[str]
) -> None:
    safe_store = context(plain, Stats()).store
    assert safe_store.read_all_now(keys) == perform(safe_store.read(keys))
    assert plain.calls == calls_of(plain, len(keys)) * 2


def test_the_reason_of_a_failure_stands_behind_a_few_of_many_keys(
    plain: RecordingStore, caplog: pytest.LogCaptureFixture
) -> None:
    safe_store = context(plain, Stats()).store
    keys = [f"fragment:row:{number:064}" for number in range(100)]
    plain.failing = {"get", "get_many", "delete", "delete_many"}
    assert safe_store.read_all_now(keys) == [None] * 100
    failed = caplog.messages[0]
    assert re.fullmatch(r"The store .*0002' and 97 more: ConnectionError: .*", failed)
    with pytest.raises(StoreError, match=r"delete '.*0002' and 97 more: Connection"):
        perform(safe_store.delete(keys))


def test_what_is_read_at_once_fails_open_and_is_then_skipped(
    plain: RecordingStore, caplog: pytest.LogCaptureFixture
) -> None:
    counts, clock = Stats(), Clock()
    safe_store = context(plain, counts, timer=clock).store
    plain.failing = {"get", "get_many"}
    assert safe_store.read_all_now(["a", "b"]) == [None, None]
    assert counts == Stats(failures=1)
    assert "The store could not read 'a', 'b': ConnectionError" in caplog.text
    plain.failing.clear()
    assert safe_store.read_all_now(["a", "b"]) == [None, None]
    assert counts == Stats(failures=1, skipped=1)
    clock.now += 1
    assert safe_store.read_all_now(["a", "b"]) == ["1", "2"]
    assert safe_store.answers


def test_a_store_that_returns_too_many_values_has_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, counts = ManyStore(), Stats()
    store.more = 1
    safe_store = context(store, counts).store
    assert safe_store.read_all_now(["a", "b"]) == [None, None]
    assert counts == Stats(failures=1)
    assert "ManyStore returned 3 values for 2 keys" in caplog.text


def test_a_store_that_has_to_be_awaited_is_not_read_at_once() -> None:
    behind = ManyStore()
    behind.errors = {"get_many": AsyncOnlyError("It has to be awaited.")}
    for store in (CoroutineStore(), behind):
        with pytest.raises(AsyncOnlyError):
            context(store, Stats()).store.read_all_now(["a", "b"])


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        (SafeStore.delete, [["k"]]),
        (SafeStore.delete, [["k", "l"]]),
        (SafeStore.clear, []),
    ],
)
def test_deletes_raise_an_error_if_the_store_fails(
    subject: Subject, method: Callable[..., Operation[Any]], arguments: list[Any]
) -> None:
    subject.store.failing = {"delete", "clear"}
    with pytest.raises(StoreError, match=r"ConnectionError.*may still be served"):
        subject.do(method, *arguments)
    assert subject.counts == Stats()
    assert subject.ears.heard == []


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        (SafeStore.read, [["k"]]),
        (SafeStore.read, [["k", "l"]]),
        (SafeStore.write, [{"k": ("text", 5)}]),
        (SafeStore.add, [{"k": "text"}, 5]),
        (SafeStore.increment, ["k", 1]),
        (SafeStore.delete, [["k"]]),
    ],
)
def test_a_blocking_call_of_a_coroutine_store_is_an_error(
    method: Callable[..., Operation[Any]], arguments: list[Any]
) -> None:
    blocking = context(CoroutineStore(), Stats()).store
    with pytest.raises(AsyncOnlyError):
        perform(method(blocking, *arguments))


@pytest.mark.parametrize("error", [ConnectionError(), TimeoutError(), LookupError()])
def test_after_a_failed_read_the_store_is_not_called_for_a_while(
    subject: Subject, error: Exception
) -> None:
    subject.store.errors["get"] = error
    assert subject.do(SafeStore.read, ["k"]) == [None]
    subject.store.errors.clear()
    subject.store.calls.clear()
    assert subject.do(SafeStore.read, ["k"]) == [None]
    assert subject.do(SafeStore.write, {"k": ("text", 5)}) == []
    assert subject.do(SafeStore.add, {"k": "text"}, 5) == []
    assert subject.do(SafeStore.increment, "k", 1) is None
    assert subject.store.calls == []
    assert subject.counts == Stats(failures=1, skipped=4)
    subject.clock.now += 1
    assert subject.do(SafeStore.write, {"k": ("text", 5)}) == ["k"]
    assert subject.do(SafeStore.read, ["k"]) == ["text"]


class ServerDown(Exception):  # noqa: N818 - pylibmc's name
    pass


class PylibmcError(ServerDown):
    pass


@pytest.mark.parametrize(
    ("error", "is_down"),
    [
        (ConnectionRefusedError(), True),
        (redis.TimeoutError(), True),
        (redis.ConnectionError(), True),
        (PylibmcError(), True),
        (redis.ResponseError("OOM"), False),
        (StoreError("too large"), False),
        (TypeError(), False),
    ],
)
def test_only_connection_errors_open_the_circuit_breaker(
    subject: Subject,
    error: Exception,
    is_down: bool,
) -> None:
    subject.store.errors["set"] = error
    assert subject.do(SafeStore.write, {"k": ("text", 5)}) == []
    subject.do(SafeStore.read, ["k"])
    assert subject.counts == Stats(failures=1, skipped=int(is_down))


def test_deletes_are_always_tried_and_a_successful_one_closes_the_breaker(
    subject: Subject,
) -> None:
    subject.store.failing = {"get", "delete"}
    subject.do(SafeStore.read, ["k"])
    for _ in range(2):
        with pytest.raises(StoreError):
            subject.do(SafeStore.delete, ["k"])
    subject.store.failing = set()
    subject.store.values = {"k": "1", "l": "2", "m": "3"}
    subject.do(SafeStore.delete, ["k"])
    assert subject.do(SafeStore.read, ["l"]) == ["2"]


def test_logs_and_errors_show_no_password(
    subject: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    error = ConnectionError("no redis://ann:hidden@host:6379/0, nor ann:hidden@host.")
    subject.store.errors.update(get=error, delete=error)
    subject.do(SafeStore.read, ["k"])
    with pytest.raises(StoreError) as raised:
        subject.do(SafeStore.delete, ["k"])
    for told in (str(raised.value), caplog.text):
        assert "redis://...@host:6379/0, nor ...@host" in told
        assert "hidden" not in told
