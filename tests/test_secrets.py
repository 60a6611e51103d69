"""No password stands in an error, in one that led to it, in a log or in a repr."""

import asyncio
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from flask import Flask

from jinja_fragcache import Cache, FragmentCache
from jinja_fragcache.errors import FragmentCacheError, StoreError
from jinja_fragcache.stores import (
    AsyncRedisSentinelStore,
    MemcachedStore,
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
)
from tests.support import RecordingStore, environment

SECRET = "correct-horse"
LOGINS = [f"u:{SECRET}@h", f"u:{SECRET}@h:1", f"{SECRET}@h:1", f"u:p/{SECRET}@h:1"]
URLS = [
    f"redis://u:{SECRET}@127.0.0.1:x/0",
    f"redis://u:{SECRET}@[::1/0",
    f"redis://u:p/{SECRET}@h:1",
    f"http://u:{SECRET}@h",
    f"redis://u:{SECRET}@h:1/0?socket_timeout={SECRET}",
    f"redis://h:1/0?password={SECRET}&db=x",
]


def all_errors(error: BaseException | None) -> Iterator[BaseException]:
    """Iterate over an error and all that led to it, shown in a traceback or not."""
    if error is not None:
        yield error
        yield from all_errors(error.__cause__)
        yield from all_errors(error.__context__)


def check(call: Callable[[], Any]) -> None:
    with pytest.raises(FragmentCacheError) as raised:
        call()
    for error in all_errors(raised.value):
        assert SECRET not in f"{error} {error!r}"
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def app_cache(cache_type: str, **settings: Any) -> Cache:
    return Cache(Flask(__name__), config={"CACHE_TYPE": cache_type, **settings})


@pytest.mark.parametrize("client", ["pylibmc", "pymemcache"])
@pytest.mark.parametrize("address", [*LOGINS, *URLS])
def test_addresses_of_memcached(
    address: str, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if client == "pymemcache":
        monkeypatch.setitem(sys.modules, "pylibmc", None)
    else:
        pytest.importorskip("pylibmc")
    check(lambda: MemcachedStore([address]))
    check(lambda: MemcachedStore([(address, 1)]))
    check(lambda: MemcachedStore([("u", SECRET, "h", 1)]))
    check(lambda: MemcachedStore([{"password": SECRET}]))
    check(lambda: MemcachedStore([address.encode()]))
    servers = {"CACHE_MEMCACHED_SERVERS": [address]}
    check(lambda: app_cache("memcached", **servers))
    account = {"CACHE_MEMCACHED_USERNAME": "u", "CACHE_MEMCACHED_PASSWORD": SECRET}
    check(lambda: app_cache("saslmemcached", **servers, **account))


@pytest.mark.parametrize(
    "address",
    [
        "h:1",
        "h",
        "10.0.0.1:11211",
        "[::1]:11211",
        "[::1]",
        "a_b-c.d:1",
        "/run/a@b.sock",
    ],
)
def test_addresses_without_a_login_are_accepted(address: str) -> None:
    MemcachedStore([address]).close()


@pytest.mark.parametrize("url", URLS)
def test_urls_of_redis_that_can_not_be_read(url: str) -> None:
    if url in URLS[:2] or "?" in url:
        check(lambda: RedisStore(url=url))
        check(lambda: RedisClusterStore(url=url).get("k"))
    check(lambda: RedisStore(url))
    check(lambda: RedisClusterStore(url))
    check(lambda: RedisSentinelStore([(url, 1)]))
    for name in ("HOST", "PORT", "DB"):
        check(lambda name=name: app_cache("redis", **{f"CACHE_REDIS_{name}": url}))  # type: ignore[misc]  # of any type
    check(lambda: app_cache("redis", CACHE_REDIS_HOST=url.encode()))
    check(lambda: app_cache("redis", CACHE_KEY_PREFIX=url.encode()))
    for sentinels in (url, [url], [(url, "x")], [(url, 1)]):
        check(lambda s=sentinels: app_cache("redissentinel", CACHE_REDIS_SENTINELS=s))  # type: ignore[misc]  # of any type
    check(lambda: app_cache("rediscluster", CACHE_REDIS_CLUSTER=url))
    check(lambda: app_cache(url))
    check(lambda: app_cache("filesystem", CACHE_DIR={"url": url}))


@pytest.mark.parametrize("login", LOGINS)
def test_hosts_of_redis_with_a_login(login: str) -> None:
    check(lambda: RedisStore(login))
    check(lambda: RedisStore(login, port=1))
    check(lambda: RedisSentinelStore([(login, 1)]))
    check(lambda: RedisClusterStore(f"{login}:1"))
    check(lambda: RedisClusterStore([f"{login}:1"]))


@pytest.mark.parametrize("shown", [*LOGINS, f"redis://u:{SECRET}@h:1 is down"])
def test_errors_of_clients_on_use(shown: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = RecordingStore()
    cache = FragmentCache(store, retry_after=0)
    template = environment(store=cache).from_string(
        '{% cache 60, "k" %}text{% endcache %}'
    )
    inner = ConnectionError(shown)
    outer = ConnectionError("down")
    outer.__cause__ = inner
    for error in (inner, outer):
        store.errors = dict.fromkeys(("get", "set", "delete", "clear"), error)
        assert template.render() == "text"
        check(lambda: cache.delete_fragment("k"))
        check(lambda: cache.invalidate_tags("t"))
        check(cache.clear)
    assert cache.stats().failures
    assert SECRET not in caplog.text


def test_sentinels_that_are_down(caplog: pytest.LogCaptureFixture) -> None:
    options: Any = {"sentinel_password": SECRET, "sentinel_username": "u"}
    for kind in (RedisSentinelStore, AsyncRedisSentinelStore):
        store = kind([("127.0.0.1", 1), ("127.0.0.1", 2)], "m", SECRET, **options)
        cache = FragmentCache(store, retry_after=0)
        if kind is RedisSentinelStore:
            assert cache.get("k") is None
            check(lambda cache=cache: cache.delete("k"))  # type: ignore[misc]  # of any type
        else:
            assert asyncio.run(cache.get_async("k")) is None
            check(lambda cache=cache: asyncio.run(cache.delete_async("k")))  # type: ignore[misc]  # of any type
    assert caplog.text.count("No master found") >= 2
    assert SECRET not in caplog.text


def test_an_error_without_a_secret_keeps_its_cause() -> None:
    store = RecordingStore()
    store.errors = {"delete": ConnectionError("down")}
    with pytest.raises(StoreError) as raised:
        FragmentCache(store).delete_fragment("k")
    assert isinstance(raised.value.__cause__, ConnectionError)
    assert raised.value.__suppress_context__


def test_reprs() -> None:
    stores: list[Any] = [
        RedisStore("h", 1, SECRET),
        RedisStore(url=f"redis://u:{SECRET}@h:1"),
        RedisSentinelStore([("h", 1)], "m", SECRET, sentinel_password=SECRET),
        RedisClusterStore("h:1", SECRET),
        RedisClusterStore(url=f"redis://u:{SECRET}@h:1"),
        RedisStore(redis.Redis(password=SECRET)),
    ]
    if "pylibmc" in sys.modules:
        stores.append(MemcachedStore(["h:1"], username="u", password=SECRET))
    for store in stores:
        shown = [repr(store), repr(FragmentCache(store)), repr(vars(store))]
        client = vars(store).get("_client")
        shown += [repr(each) for each in vars(client or store).values()]
        assert not [each for each in shown if SECRET in each]
