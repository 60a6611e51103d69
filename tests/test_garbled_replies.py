"""Pages on servers whose replies are lost, late, repeated, damaged or nonsense."""

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis._parsers import _RESP2Parser
from redis.backoff import NoBackoff
from redis.retry import Retry

from jinja_fragcache import FragmentCache, StoreError
from jinja_fragcache.stores import (
    MemcachedStore,
    RedisStore,
    memcached_clients,
    redis_clients,
)
from tests.faulty_proxy import (
    DAMAGES,
    LOSSES,
    MEMCACHED_ANSWERS,
    NOTHING,
    REDIS_ANSWERS,
    REPEATS,
    Again,
    Cut,
    Fault,
    FaultyProxy,
    Framing,
    Hang,
    Instead,
    Twice,
    TwiceLate,
    faulty_proxy,
    memcached_reply,
    plans,
    redis_reply,
    tls_record,
)
from tests.support import environment

# How long clients wait, in seconds, where it does not matter if they wait too short.
IMPATIENCE = 0.05
VISITOR = "Ann"
PAGE = (
    '{% cache 300, "plain" %}{{ body("plain") }}{% endcache %}|'
    '{% cache 300, "tagged", tags=["t"] %}{{ body("tagged") }}'
    "{% nocache %}{{ visitor }}{% endnocache %}{% endcache %}|"
    '{% cache_each n in range(3), 300, "row", n %}{{ body("row%d" % n) }}'
    "{% if not loop.last %}|{% endif %}{% endcache_each %}"
)
NAMES = ["plain", "tagged", "row0", "row1", "row2"]
FAILURES = [Cut(0), Cut(1), Hang()]
HTTP = b"HTTP/1.1 400 Bad Request\r\n\r\n"
REDIS_ERRORS = [
    HTTP,
    *(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", b"*1\r\n"),
    *(b"-LOADING Redis is loading the dataset in memory\r\n", b"$9999999999\r\n"),
    *(b"-NOAUTH Authentication required.\r\n", b"-MOVED 1 127.0.0.1:1\r\n"),
    *(b"+OK\r\n", b":1\r\n", b"$4\r\ntext\r\n"),
]
MEMCACHED_ERRORS = [
    HTTP,
    *(b"ERROR\r\n", b"SERVER_ERROR out of memory\r\n", b"VALUE k\r\n"),
    b"VALUE k 0 99999999999\r\n",
]
prefixes = map("p{}:".format, itertools.count())


def text_of(name: str, edition: int) -> str:
    """Return the text of a fragment, which looks like replies of servers."""
    return f"{name}@{edition} é\r\nEND\r\n$5\r\nVALUE k 0 5\r\n:1\r\n"


def own_redis(port: int, prefix: str) -> Any:
    return RedisStore("127.0.0.1", port, key_prefix=prefix)


def redis_without_hiredis(port: int, prefix: str) -> Any:
    url = f"redis://127.0.0.1:{port}"
    return RedisStore(url=url, parser_class=_RESP2Parser, key_prefix=prefix)


def ready_redis(port: int, prefix: str) -> Any:
    """Return a store with a client as redis-py makes it, which speaks RESP3."""
    seconds = redis_clients._SECONDS
    client = redis.Redis(
        port=port,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )
    return RedisStore(client, key_prefix=prefix)


def redis_with_tls(port: int, prefix: str) -> Any:
    url = f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none"
    return RedisStore(url=url, key_prefix=prefix)


def memcached(port: int, prefix: str) -> Any:
    return MemcachedStore([f"127.0.0.1:{port}"], key_prefix=prefix, pool_size=2)


class Kind(NamedTuple):
    """A store with one of its clients.

    Attributes:
        make: Returns the store for a port and a prefix.
        server: The fixture that provides the port of the server.
        framing: Finds the ends of replies.
        answers: What may come in place of a reply.
        errors: Those of them that a read is never answered with.
    """

    make: Callable[[int, str], Any]
    server: str
    framing: Framing
    answers: Sequence[bytes]
    errors: Sequence[bytes]


REDIS = Kind(own_redis, "redis_port", redis_reply, REDIS_ANSWERS, REDIS_ERRORS)
MEMCACHED = Kind(
    memcached, "memcached_port", memcached_reply, MEMCACHED_ANSWERS, MEMCACHED_ERRORS
)
KINDS = {
    "redis": REDIS,
    "redis_python": REDIS._replace(make=redis_without_hiredis),
    "redis_ready": REDIS._replace(make=ready_redis),
    "redis_tls": Kind(redis_with_tls, "redis_tls_port", tls_record, [HTTP], [HTTP]),
    "memcached_pymemcache": MEMCACHED,
    "memcached_pylibmc": MEMCACHED,
}


class Site:
    """A page on a store behind a proxy.

    Args:
        kind: One of `KINDS`.
        proxy: The proxy.
        options: More keyword arguments for `FragmentCache`.
    """

    def __init__(self, kind: str, proxy: FaultyProxy, **options: Any) -> None:
        self.store = KINDS[kind].make(proxy.port, next(prefixes))
        options = {"retry_after": 0, "lock_timeout": 0.05, **options}
        self.cache = FragmentCache(self.store, **options)
        self.bodies = 0
        self.edition = 0
        # Up to which edition of each text it may have failed to be deleted.
        self.oldest = dict.fromkeys(NAMES, 0)
        self._page = environment(store=self.cache).from_string(PAGE)

    def check_page(self, *, is_exact: bool = True) -> None:
        """Render the page, and check all of its texts.

        Args:
            is_exact: Whether a text that was deleted must not be served.
        """

        def body(name: str) -> str:
            self.bodies += 1
            return text_of(name, self.edition)

        parts = self._page.render(body=body, visitor=VISITOR).split("|")
        for name, part in zip(NAMES, parts, strict=True):
            oldest = self.oldest[name] if is_exact else 0
            assert part.removesuffix(VISITOR if name == "tagged" else "") in {
                text_of(name, edition) for edition in range(oldest, self.edition + 1)
            }

    def change(self, delete: Callable[[], Any], *names: str) -> None:
        """Make new editions of all texts, and delete some old ones."""
        self.edition += 1
        with suppress(StoreError):
            delete()
            self.oldest.update(dict.fromkeys(names, self.edition))

    def close(self) -> None:
        with suppress(Exception):
            getattr(self.store, "close", lambda: None)()
        if isinstance(self.store, RedisStore):
            self.store._client.connection_pool.disconnect()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a store and its client."""
    if request.param == "memcached_pylibmc":
        pytest.importorskip("pylibmc")
    else:
        monkeypatch.setitem(sys.modules, "pylibmc", None)
    name: str = request.param
    return name


@pytest.fixture
def proxy(kind: str, request: pytest.FixtureRequest) -> Iterator[FaultyProxy]:
    """Provide a proxy of the server of a store."""
    port = request.getfixturevalue(KINDS[kind].server)
    with faulty_proxy(port, KINDS[kind].framing) as proxy:
        yield proxy


def faults(kind: str) -> st.SearchStrategy[Fault]:
    """Return a strategy of what may happen to a reply."""
    losses = LOSSES | st.sampled_from(KINDS[kind].answers).map(Instead)
    if kind == "memcached_pylibmc":
        # It writes outside of its memory if it gets more values than it asked for.
        return losses
    return losses | REPEATS | DAMAGES


@pytest.mark.slow
@pytest.mark.own_patience
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_page_is_wrong_or_fails(
    kind: str, proxy: FaultyProxy, data: st.DataObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (memcached_clients, redis_clients):
        monkeypatch.setattr(module, "_SECONDS", IMPATIENCE)
    plan = data.draw(plans(faults(kind)))
    # A reply that comes again may be an older text of the same fragment.
    is_exact = not any(isinstance(each, (Twice, TwiceLate, Again)) for each in plan)
    proxy.start(plan)
    site = Site(kind, proxy)
    cache = site.cache
    site.check_page(is_exact=is_exact)
    site.check_page(is_exact=is_exact)
    site.change(lambda: cache.delete_fragment("plain"), "plain")
    site.check_page(is_exact=is_exact)
    site.change(lambda: cache.invalidate_tags("t"), "tagged")
    site.check_page(is_exact=is_exact)
    site.change(cache.clear, *NAMES)
    site.check_page(is_exact=is_exact)
    site.close()


@pytest.mark.slow
@pytest.mark.own_patience
@pytest.mark.parametrize("fault", [Twice(), TwiceLate()])
def test_a_reply_that_comes_twice_is_never_the_text_of_another_fragment(
    kind: str, proxy: FaultyProxy, fault: Fault
) -> None:
    if kind == "memcached_pylibmc":
        pytest.skip("pylibmc writes outside of its memory")
    for at in range(0, 30, 3):
        proxy.start([*[NOTHING] * at, fault])
        site = Site(kind, proxy)
        for _ in range(3):
            site.check_page()
        site.close()


@pytest.mark.slow
@pytest.mark.own_patience
def test_a_failure_is_counted_and_the_next_page_is_served(
    kind: str, proxy: FaultyProxy
) -> None:
    # pylibmc takes an error for no value where it is asked for many keys.
    more = {"prefetch": False} if kind == "memcached_pylibmc" else {}
    site = Site(kind, proxy, **more)
    for fault in [*FAILURES, *map(Instead, KINDS[kind].errors)]:
        site.check_page()
        before = site.cache.stats().failures
        proxy.start([fault])
        site.check_page()
        assert proxy.happened == [fault]
        assert site.cache.stats().failures > before, fault
        if kind == "memcached_pylibmc":
            # libmemcached leaves a server alone for a second.
            site.close()
            site = Site(kind, proxy, **more)
            continue
        site.check_page()
        bodies = site.bodies
        site.check_page()
        assert site.bodies == bodies, fault
    site.close()


@pytest.mark.own_patience
def test_a_page_waits_once(kind: str, proxy: FaultyProxy) -> None:
    site = Site(kind, proxy, retry_after=3600)
    site.check_page()
    proxy.start([Hang()] * 100)
    site.check_page()
    site.check_page()
    assert len(proxy.happened) == 1
    assert site.cache.stats().failures == 1
    with pytest.raises(StoreError):
        site.cache.delete_fragment("plain")
    site.close()


def test_an_unread_reply_is_not_taken_for_the_next_one(
    kind: str, proxy: FaultyProxy
) -> None:
    site = Site(kind, proxy)
    store = site.store
    for key in "ab":
        store.set(key, f"text of {key}")
    # pymemcache forgets what it has received behind a reply.
    is_late = kind == "memcached_pymemcache"
    proxy.start([TwiceLate() if is_late else Twice()])
    before = proxy.connections
    assert store.get("a") == "text of a"
    drops_it = {"redis", "redis_python", "redis_tls"}
    if redis.VERSION < (8,):
        # Until then, it is what clients do if nobody chooses a version of the protocol.
        drops_it.add("redis_ready")
    if kind not in drops_it:
        with pytest.raises((StoreError, KeyError)):
            store.get("b")
    assert store.get("b") == "text of b"
    assert proxy.connections == before + 1
    site.close()
