"""Both clients of Redis that try each command once, on real servers."""

import asyncio
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from subprocess import run
from typing import Any

import pytest
import redis

from jinja_fragcache.stores.redis_once import ASKED_WITH
from tests.faulty_proxy import (
    Cut,
    FaultyProxy,
    Hang,
    Instead,
    faulty_proxy,
    redis_reply,
)
from tests.forking import Child
from tests.stores.once import KINDS, Caller, Kind, calling
from tests.support import in_threads

VALUES = [b"1", b"2", None]
KEYS = ["a", "b", "nothing"]


@pytest.fixture(params=KINDS, ids=["plain", "async"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def port(redis_port: int) -> int:
    """Provide the port of a server that has two values."""
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        client.mset({"a": "1", "b": "2"})
        client.rpush("list", "x")
    return redis_port


@pytest.fixture
def once(kind: Kind, port: int) -> Iterator[Caller]:
    with calling(kind, port, max_connections=1) as caller:
        yield caller


@pytest.fixture
def proxy(port: int) -> Iterator[FaultyProxy]:
    with faulty_proxy(port, redis_reply) as proxy:
        yield proxy


READS: list[Callable[[Caller], Any]] = [
    lambda caller: [caller.call("get", key) for key in KEYS],
    lambda caller: caller.call("mget", KEYS),
    lambda caller: caller.mget(*KEYS),
    lambda caller: caller.mget(*KEYS, times=3),
]
reads = pytest.mark.parametrize("read", READS, ids=["get", "mget", "first", "again"])
# One command, which is sent in either way.
ONE: list[Callable[[Caller], Any]] = [
    lambda caller: caller.call("get", "a"),
    lambda caller: caller.mget("a")[0],
]
one_command = pytest.mark.parametrize("read", ONE, ids=["get", "again"])


# Answers.

COMMANDS: list[tuple[Any, ...]] = [
    ("set", "k", "é", 60),
    ("set", "k", "other", None, None, True),
    ("get", "k"),
    ("mget", ["k", "a", "nothing"]),
    ("mget", []),
    ("eval", "return {KEYS[1], 7, false}", 1, "k"),
    ("eval", "return redis.error_reply('no')", 0),
    ("exists", "a", "nothing"),
    ("expire", "a", 100),
    ("ttl", "a"),
    ("pttl", "b"),
    ("type", "list"),
    ("get", "list"),
    ("set", "k", object()),
    ("incrby", "a", 5),
    ("incrby", "k", 5),
    ("rename", "a", "c"),
    ("rename", "a", "c"),
    ("unlink", "b"),
    ("delete", "c", "nothing"),
    ("strlen", "k"),
    ("dbsize",),
    ("scan", 0, "k*", 500),
    ("client_setname", "name"),
    ("config_get", "maxmemory-policy"),
    ("ping",),
    ("flushdb",),
]


def test_each_command_is_answered_as_by_redis_py(kind: Kind, redis_port: int) -> None:
    answers = {}
    for made_of in (kind.plain, kind.once):
        with calling(kind, redis_port, made_of) as caller:
            caller.call("flushdb")
            caller.call("mset", {"a": 1, "b": 2})
            caller.call("rpush", "list", "x")
            answers[made_of] = [answer(caller, *each) for each in COMMANDS]
    assert answers[kind.once] == answers[kind.plain]


def answer(caller: Caller, *command: Any) -> Any:
    try:
        return caller.call(*command)
    except redis.RedisError as error:
        return type(error), str(error).partition(" object at ")[0]


@reads
def test_redis_py_s_own_loop_is_left_out(
    once: Caller,
    kind: Kind,
    read: Callable[[Caller], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(kind.plain, "_send_command_parse_response")
    assert read(once) == VALUES


def test_a_list_that_is_read_again_is_sent_as_it_was_packed(once: Caller) -> None:
    packed: list[bytes] = []
    assert once.call("mget_again", ["a", "é"], packed) == [b"1", None]
    assert b"".join(packed).startswith(b"*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$2\r\n")
    before = list(packed)
    assert once.call("mget_again", ["b"], packed) == [b"1", None]
    assert packed == before


def test_threads_may_pack_a_list_at_the_same_time(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack: Any = redis.Connection.pack_command
    both = threading.Barrier(2)

    def pack_together(self: Any, *arguments: Any) -> Any:
        if arguments[0] == "MGET":
            both.wait(20)
        return pack(self, *arguments)

    monkeypatch.setattr(redis.Connection, "pack_command", pack_together)
    packed: list[bytes] = []
    answers: list[Any] = []
    with calling(KINDS[0], port) as once:
        in_threads(2, lambda _: answers.append(once.call("mget_again", KEYS, packed)))
        assert once.call("mget_again", KEYS, packed) == VALUES
    assert answers == [VALUES] * 2
    assert b"".join(packed).count(b"MGET") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_child_process_reads_a_list_again_on_a_connection_of_its_own(
    port: int,
) -> None:
    with calling(KINDS[0], port) as once:
        packed: list[bytes] = []

        def read() -> Any:
            found = once.call("mget_again", KEYS, packed)
            return [found == VALUES, once.call("client_id")]

        mine = read()
        child = Child(read)
        assert child.result() == [True, mine[1] + 1]
        assert read() == mine


# What watches.


def counted(function: Any, calls: list[Any]) -> Any:
    def wrapper(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments[1:])
        return function(*arguments, **options)

    return wrapper


def counted_with_its_name(function: Any, calls: list[Any]) -> Any:
    return functools.wraps(function)(counted(function, calls))


def counted_by_wrapt(function: Any, calls: list[Any]) -> Any:
    wrapt = pytest.importorskip("wrapt")

    def wrapper(function: Any, _: Any, arguments: Any, options: Any) -> Any:
        calls.append(arguments)
        return function(*arguments, **options)

    return wrapt.FunctionWrapper(function, wrapper)


@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("wrap", [counted, counted_with_its_name, counted_by_wrapt])
@pytest.mark.parametrize(("method", "expected"), [("execute_command", 4), ("mget", 3)])
def test_a_tracer_sees_each_command(
    kind: Kind,
    port: int,
    method: str,
    expected: int,
    wrap: Any,
    is_first: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Any] = []
    made_before = kind.loaded_anew()
    wrapped = wrap(getattr(kind.plain, method), calls)
    monkeypatch.setattr(kind.plain, method, wrapped)
    made_of = kind.loaded_anew() if is_first else made_before
    with calling(kind, port, made_of) as caller:
        assert caller.mget(*KEYS, times=3) == VALUES
        assert caller.call("get", "a") == b"1"
        assert len(calls) == expected
        # A tracer that is taken away again leaves all as it was.
        monkeypatch.undo()
        assert caller.mget(*KEYS, times=3) == VALUES
    assert len(calls) == expected


MEASURED = """
import asyncio, sys
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from redis.observability import OTelConfig, get_observability_instance, MetricGroup
from jinja_fragcache.stores import AsyncRedisStore, RedisStore

reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
server = {"host": "127.0.0.1", "port": int(sys.argv[1]), "key_prefix": "shop:"}
store = RedisStore(**server)
store.set_many({"a": "x", "b": "y"})
for _ in range(4):
    store.get_many("a", "b")
groups = [MetricGroup.COMMAND]
get_observability_instance().init(OTelConfig(metric_groups=groups))
for _ in range(4):
    store.get_many("a", "b")

async def main():
    asynchronous = AsyncRedisStore(**server)
    for _ in range(4):
        await asynchronous.get_many("a", "b")

asyncio.run(main())
data = reader.get_metrics_data()
print(sum(
    point.count
    for resource in data.resource_metrics
    for scope in resource.scope_metrics
    for metric in scope.metrics
    if metric.name == "db.client.operation.duration"
    for point in metric.data.data_points
    if point.attributes["db.operation.name"] == "MGET"
))
"""


def test_redis_py_s_own_measurements_have_each_command(port: int) -> None:
    pytest.importorskip("redis.observability")
    pytest.importorskip("opentelemetry.sdk.metrics")
    command = [sys.executable, "-c", MEASURED, str(port)]
    told = run(command, check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "8"


# Failures. A pool with one connection raises if it is not given back.


@one_command
@pytest.mark.parametrize(
    "fault", [Cut(0), Cut(3), Hang(), Hang(3), Instead(b"$x\r\n")], ids=str
)
def test_what_is_left_of_an_answer_is_not_taken_for_the_next(
    kind: Kind, proxy: FaultyProxy, read: Callable[[Caller], Any], fault: Any
) -> None:
    with calling(kind, proxy.port, max_connections=1, socket_timeout=0.1) as once:
        once.call("ping")
        proxy.start([fault])
        with pytest.raises((redis.RedisError, ValueError)):
            read(once)
        assert not once.is_connected()
        assert once.call("get", "b") == b"2"
        assert read(once) == b"1"
        assert proxy.happened == [fault]


@one_command
def test_no_command_is_tried_again(
    kind: Kind, proxy: FaultyProxy, read: Callable[[Caller], Any]
) -> None:
    with calling(kind, proxy.port) as caller:
        caller.call("get", "b")
        proxy.start([Cut(0)])
        with pytest.raises(redis.ConnectionError):
            read(caller)


class Interruption(BaseException):
    """What gevent or a signal raises anywhere."""


@one_command
@pytest.mark.parametrize("error", [KeyboardInterrupt, Interruption, ValueError])
def test_an_answer_that_nobody_has_read_is_not_taken_for_the_next(
    once: Caller,
    read: Callable[[Caller], Any],
    error: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    once.call("ping")

    def interrupt(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(once.client, "parse_response", interrupt)
        with pytest.raises(error):
            read(once)
    assert not once.is_connected()
    assert once.call("get", "b") == b"2"


def test_an_error_of_the_server_keeps_the_connection(once: Caller) -> None:
    number = once.call("client_id")
    for _ in range(3):
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            once.call("get", "list")
    assert once.call("client_id") == number


@one_command
def test_a_connection_that_the_server_has_closed_is_opened_again(
    kind: Kind, proxy: FaultyProxy, read: Callable[[Caller], Any]
) -> None:
    with calling(kind, proxy.port, max_connections=1) as once:
        for connections in (1, 2, 3):
            assert read(once) == b"1"
            assert proxy.connections == connections
            proxy.cut_all()
            # An event loop notices it when it runs.
            once.wait(asyncio.sleep(0))


@one_command
def test_idle_connections_are_checked(
    kind: Kind, port: int, read: Callable[[Caller], Any]
) -> None:
    with calling(kind, port, max_connections=1, health_check_interval=60) as once:
        once.call("config_resetstat")
        pings = []
        for _ in range(2):
            read(once)
            pings.append(once.call("info", "commandstats").get("cmdstat_ping"))
            (connection,) = once.pool._available_connections
            connection.next_health_check = 0.5
    assert [each and each["calls"] for each in pings] == [None, 1]


def test_no_more_connections_are_made_than_allowed(once: Caller) -> None:
    taken = once.wait(once.pool.get_connection(*ASKED_WITH))
    with pytest.raises(redis.ConnectionError):
        once.call("get", "a")
    once.wait(once.pool.release(taken))
    assert once.call("get", "a") == b"1"
