"""Stores on Redis servers: on one, behind sentinels, and in a cluster."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import cachelib

from jinja_fragcache.errors import StoreError

from .base import Timed
from .optional import need
from .text import TextSerializer

# How long a page waits for a server that does not answer.
_SECONDS = 0.25
_KEYS_AT_ONCE = 500
# A list of rows fits into one read. It is 64 KiB if redis-py is not told otherwise.
_READ_BYTES = 128 * 1024
_GLOB_CHARACTERS = re.compile(r"[*?\[\]\\]")
# In a script nothing comes between the question and what depends on it.
# KEYS are a key, its other key, the next key, and so on. ARGV is what is expected, and
# then for each key its value and its seconds.
_SET_MANY_IF_EQUAL = """
local kept = {}
for at = 1, #KEYS, 2 do
  local value, seconds = ARGV[at + 1], ARGV[at + 2]
  local is_equal = redis.call("GET", KEYS[at + 1]) == ARGV[1]
  if is_equal then
    if seconds == "0" then
      redis.call("SET", KEYS[at], value)
    else
      redis.call("SET", KEYS[at], value, "EX", seconds)
    end
    redis.call("DEL", KEYS[at + 1])
  end
  kept[#kept + 1] = is_equal and 1 or 0
end
return kept
"""
_DELETE_MANY_IF_EQUAL = """
local deleted = {}
for at, key in ipairs(KEYS) do
  local is_equal = redis.call("GET", key) == ARGV[1]
  deleted[at] = is_equal and redis.call("DEL", key) or 0
end
return deleted
"""
# What a server says of a value that it can't count with.
_NO_NUMBER = re.compile("not an integer|overflow|WRONGTYPE")
# What it says in place of the time that an entry has left.
_NO_EXPIRY = -1
_NO_ENTRY = -2


class RedisStore(cachelib.RedisCache):
    """A `cachelib.RedisCache` of texts and numbers that clears only its own.

    Its client waits 0.25 seconds at most for the server and does not try again. `add`
    and counting are atomic.

    Args:
        host: the server's name, or a ready client.
        port: the server's port.
        password: the password, if there is one.
        db: the number of the database.
        default_timeout: seconds that an entry lives if it was written without a
            timeout; 0 for ever.
        key_prefix: what all keys begin with.
        url: `redis://user:password@host:port/db`, in place of the four above.
        may_flush: whether the database is this store's alone, so that `clear()` may
            flush it where there is no key prefix.
        options: more keyword arguments for `redis.Redis`.

    Raises:
        StoreError: the package redis is missing, the URL can't be read, or the client
            decodes what it reads.
    """

    serializer = TextSerializer()  # type: ignore[assignment]  # cachelib means its form

    def __init__(  # noqa: PLR0913, PLR0917 - cachelib's signature, and two settings
        self,
        host: Any = "localhost",
        port: int = 6379,
        password: str | None = None,
        db: int = 0,
        default_timeout: int = 300,
        key_prefix: str | None = None,
        *,
        url: str | None = None,
        may_flush: bool = False,
        **options: Any,
    ) -> None:
        if url is not None:
            client = _client_at_url(url, options)
        elif isinstance(host, str):
            address = {"host": host, "port": port, "password": password, "db": db}
            given = {**address, **_patience(), **options}
            client = need("redis", "redis").Redis(**given)
        else:
            client = host
        super().__init__(client, default_timeout=default_timeout, key_prefix=key_prefix)
        self._may_flush = may_flush
        _check_gives_bytes(client)

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Keep a value if there is none, in one command.

        cachelib's takes two, and an end between them would leave the entry for ever.
        """
        return bool(
            self._write_client.set(
                name=self._place(key),
                value=self.serializer.dumps(value),
                ex=self._expiry(timeout),
                nx=True,
            )
        )

    def add_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Keep those values whose keys have none, and give the keys of these.

        Each is added in one command, all of them are sent at once.
        """
        seconds = self._expiry(timeout)
        pipeline = self._write_client.pipeline(transaction=False)
        for place, value in zip(self._places(mapping), mapping.values(), strict=True):
            pipeline.set(place, self.serializer.dumps(value), ex=seconds, nx=True)
        return _chosen(mapping, pipeline.execute())

    def set_many_if_equal(
        self, values: Mapping[str, Timed], others: Mapping[str, str], expected: str
    ) -> list[str]:
        """Keep each value whose other key has an expected value, and forget that key.

        Args:
            values: for each key its value, and the timeout of that.
            others: for each key the other one.
            expected: what has to stand there.

        Returns:
            The keys of the values that were kept.
        """
        if not values:
            return []
        places: list[str] = []
        given: list[Any] = [self.serializer.dumps(expected)]
        for key, (value, timeout) in values.items():
            places += self._places([key, others[key]])
            given += [self.serializer.dumps(value), self._expiry(timeout) or 0]
        script = (_SET_MANY_IF_EQUAL, len(places), *places, *given)
        return _chosen(values, self._write_client.eval(*script))

    def delete_many_if_equal(self, keys: Sequence[str], expected: str) -> list[str]:
        """Forget those keys that have an expected value, and give them."""
        if not keys:
            return []
        text = self.serializer.dumps(expected)
        script = (_DELETE_MANY_IF_EQUAL, len(keys), *self._places(keys), text)
        return _chosen(keys, self._write_client.eval(*script))

    def get_many(self, *keys: str) -> list[Any]:
        """Give the values of keys, None for those that are not there."""
        if not keys:
            return []
        stored = self._get_all(self._places(keys))
        return list(map(self.serializer.loads, stored))

    def delete_many(self, *keys: str) -> list[Any]:
        """Forget keys. A failure raises, so all of them are gone."""
        if keys:
            self._write_client.delete(*self._places(keys))
        return list(keys)

    def remaining(self, key: str) -> float | None:
        """Give the seconds that an entry has left, `math.inf` if it never expires."""
        milliseconds: int = self._read_client.pttl(self._place(key))
        if milliseconds == _NO_ENTRY:
            return None
        return math.inf if milliseconds == _NO_EXPIRY else milliseconds / 1000

    def inc(self, key: str, delta: int = 1) -> int | None:
        """Add to a number, from 0 if there is none. A new one gets the default timeout.

        Returns:
            What it came to; None if there is something else than a number.
        """
        pipeline = self._write_client.pipeline(transaction=True)
        pipeline.set(self._place(key), 0, ex=self._expiry(None), nx=True)
        pipeline.incrby(self._place(key), delta)
        counted = pipeline.execute(raise_on_error=False)[-1]
        if not isinstance(counted, Exception):
            return int(counted)
        if _NO_NUMBER.search(str(counted)):
            return None
        raise counted

    def dec(self, key: str, delta: int = 1) -> int | None:
        """Do as `inc`, downwards."""
        return self.inc(key, -delta)

    def clear(self) -> bool:
        """Delete all keys with this store's prefix, some hundred at a time.

        Without a prefix the database is flushed, if that was allowed (`may_flush`).

        Raises:
            StoreError: it has no prefix, so its keys can't be told from those of
                others in the same database.
        """
        prefix = self._get_prefix()
        if not prefix:
            return self._flush()
        beginning = _GLOB_CHARACTERS.sub(r"\\\g<0>", prefix)
        # What others are about to store is not to stay behind.
        self._delete_like(f"{beginning}lock:*")
        self._delete_like(f"{beginning}*")
        return True

    def _delete_like(self, pattern: str) -> None:
        batch: list[bytes] = []
        for key in self._write_client.scan_iter(match=pattern, count=_KEYS_AT_ONCE):
            batch.append(key)
            if len(batch) == _KEYS_AT_ONCE:
                self._write_client.unlink(*batch)
                batch.clear()
        if batch:
            self._write_client.unlink(*batch)

    def _flush(self) -> bool:
        if not self._may_flush:
            raise StoreError(
                "Without a key prefix, clearing would delete all that others keep in"
                " this Redis database. Set CACHE_KEY_PREFIX (or key_prefix=...), or"
                ' CACHE_OPTIONS={"may_flush": True} if the database is this cache\'s'
                " alone."
            )
        return bool(self._write_client.flushdb())

    def _place(self, key: str) -> str:
        return f"{self._get_prefix()}{key}"

    def _places(self, keys: Iterable[str]) -> list[str]:
        prefix = self._get_prefix()
        return [prefix + key for key in keys]

    def _expiry(self, timeout: Any) -> int | None:
        # cachelib says -1 for "never" here, and Redis nothing.
        seconds = self._normalize_timeout(timeout)
        return None if seconds == -1 else seconds

    def _get_all(self, places: Sequence[str]) -> Iterable[bytes | None]:
        found: Iterable[bytes | None] = self._read_client.mget(places)
        return found


class RedisSentinelStore(RedisStore):
    """The same on the master that Redis sentinels tell of.

    Replicas are not asked: they may still have what was deleted.

    Args:
        sentinels: pairs of host and port.
        master: the name that the sentinels have for the master.
        password: the password of the master, if there is one.
        db: as for `RedisStore`.
        default_timeout: as for `RedisStore`.
        key_prefix: as for `RedisStore`.
        may_flush: as for `RedisStore`.
        options: more keyword arguments for `redis.Redis`; those that begin with
            `sentinel_`, without that, for the sentinels' clients.

    Raises:
        StoreError: the package redis is missing.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - Flask-Caching's signature
        self,
        sentinels: Sequence[tuple[str, int]] = (("127.0.0.1", 26379),),
        master: str = "mymaster",
        password: str | None = None,
        db: int = 0,
        default_timeout: int = 300,
        key_prefix: str | None = None,
        *,
        may_flush: bool = False,
        **options: Any,
    ) -> None:
        start = "sentinel_"
        for_sentinels = {
            name.removeprefix(start): options.pop(name)
            for name in list(options)
            if name.startswith(start)
        }
        sentinel = need("redis.sentinel", "redis").Sentinel(
            sentinels, sentinel_kwargs={**_patience(), **for_sentinels}
        )
        given = {"password": password, "db": db, **_patience(), **options}
        client = sentinel.master_for(master, **given)
        super().__init__(
            client,
            default_timeout=default_timeout,
            key_prefix=key_prefix,
            may_flush=may_flush,
        )


class RedisClusterStore(RedisStore):
    """The same in a Redis cluster.

    The nodes are asked for the first time when the store is used, so an application
    starts while they are down.

    Args:
        cluster: `"host:port,host:port"` of some of its nodes, as a text or a list; or a
            ready client.
        password: the password of the nodes, if there is one.
        default_timeout: as for `RedisStore`.
        key_prefix: as for `RedisStore`.
        url: `redis://user:password@host:port` of one node, in place of the first two.
        may_flush: as for `RedisStore`.
        options: more keyword arguments for `redis.RedisCluster`.

    Raises:
        StoreError: the package redis is missing, or an address can't be read.
    """

    def __init__(  # noqa: PLR0913 - Flask-Caching's signature
        self,
        cluster: Any = "127.0.0.1:6379",
        password: str | None = None,
        default_timeout: int = 300,
        key_prefix: str | None = None,
        *,
        url: str | None = None,
        may_flush: bool = False,
        **options: Any,
    ) -> None:
        if url is not None or isinstance(cluster, str | list | tuple):
            client: Any = _OnFirstUse(_cluster(cluster, password, url, options))
        else:
            client = cluster
        super().__init__(
            client,
            default_timeout=default_timeout,
            key_prefix=key_prefix,
            may_flush=may_flush,
        )

    # Two keys may be on two nodes, and a script can't ask both.
    set_many_if_equal = None  # type: ignore[assignment]

    def delete_many_if_equal(self, keys: Sequence[str], expected: str) -> list[str]:
        """Forget those keys that have an expected value, and give them."""
        # Each by a script of its own, which a pipeline does not take.
        delete = super().delete_many_if_equal
        return [key for key in keys if delete([key], expected)]

    def _get_all(self, places: Sequence[str]) -> Iterable[bytes | None]:
        # MGET takes keys of one slot only.
        found: Iterable[bytes | None] = self._read_client.mget_nonatomic(places)
        return found


def _chosen(keys: Iterable[str], answers: Iterable[Any]) -> list[str]:
    """Give the keys for which the server has answered that it did something."""
    return [key for key, answer in zip(keys, answers, strict=True) if answer]


class _OnFirstUse:
    """Stands for a client that asks its servers as soon as it is made."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def _client(self) -> Any:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _cluster(
    nodes: Any, password: str | None, url: str | None, options: Mapping[str, Any]
) -> Callable[[], Any]:
    module = need("redis.cluster", "redis")
    patience = _patience(tries=1)  # The first try may end at a node that has moved.
    if url is not None:
        given = {**patience, **options}
        return lambda: module.RedisCluster.from_url(_checked_url(url), **given)
    given = {"password": password, **patience, **options}
    startup = [module.ClusterNode(*address) for address in _addresses(nodes)]
    return lambda: module.RedisCluster(startup_nodes=startup, **given)


def _addresses(nodes: Any) -> list[tuple[str, int]]:
    addresses = []
    for node in nodes.split(",") if isinstance(nodes, str) else nodes:
        host, _, port = str(node).strip().rpartition(":")
        if not host or not port.isdecimal():
            raise StoreError(
                "The nodes of a Redis cluster can't be read. They have the form"
                " 'host:port,host:port'."
            )
        addresses.append((host, int(port)))
    return addresses


def _patience(tries: int = 0) -> dict[str, Any]:
    """Give the options of a client that does not hold pages up.

    redis-py waits without a limit, and tries ten times, if it is not told otherwise.
    """
    no_pauses = need("redis.backoff", "redis").NoBackoff()
    return {
        "socket_timeout": _SECONDS,
        "socket_connect_timeout": _SECONDS,
        "retry": need("redis.retry", "redis").Retry(no_pauses, tries),
        "socket_read_size": _READ_BYTES,
    }


def _client_at_url(url: str, options: Mapping[str, Any]) -> Any:
    redis = need("redis", "redis")
    client = redis.Redis.from_url(_checked_url(url), **{**_patience(), **options})
    # Options that a connection does not take would else be told by the first page.
    client.connection_pool.make_connection()
    return client


def _checked_url(url: str) -> str:
    try:
        need("redis.connection", "redis").parse_url(url)
    except (ValueError, AttributeError, TypeError):
        # The reason may quote the URL, and that may hold a password.
        raise StoreError(
            "The URL of the Redis server (CACHE_REDIS_URL) can't be read. It has the"
            " form redis://user:password@host:port/db."
        ) from None
    return url


def _check_gives_bytes(client: Any) -> None:
    if isinstance(client, _OnFirstUse):
        return
    encoder = getattr(client, "get_encoder", lambda: None)()
    if getattr(encoder, "decode_responses", False):
        raise StoreError(
            "A Redis client with decode_responses=True can't tell numbers from texts."
            " Make it without."
        )
