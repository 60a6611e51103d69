"""What the stores on Redis do, written once for plain and for asynchronous clients."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from jinja_fragcache.errors import DamagedValueError, StoreError
from jinja_fragcache.forks import PerProcess
from jinja_fragcache.operations import Operation

from .base import Timed
from .checksum import is_whole, with_checksum, without_checksum
from .facts import MOST_COUNTED, Amounts, Facts, amounts_of
from .redis_clients import clients_of_server, clients_of_url
from .redis_errors import what_to_check
from .redis_library import PLAIN, Library, address_of
from .redis_scripts import (
    ADD_AND_GET,
    COUNT,
    DELETE_MANY_IF_EQUAL,
    MOST_ADDED_AND_READ,
    READ_WITH_REMAINING,
    REPLACE_IF_EQUAL,
    SET_MANY_IF_EQUAL,
    seconds_left,
)
from .text_lists import Asked, TextList, TextLists
from .text_store import HoldsTexts

#: For how many keys a scan asks at once.
KEYS_AT_ONCE = 500
_GLOB_CHARACTERS = re.compile(r"[*?\[\]\\]")
# The server's error for a key that holds a list, a hash or the like.
_WRONG_TYPE = "WRONGTYPE"
# The server's errors for a value that it can't count with.
_NOT_COUNTABLE = re.compile("not an integer|overflow|WRONGTYPE")


class RedisOperations(HoldsTexts):
    """The operations of the stores on Redis (see `jinja_fragcache.operations`).

    For most methods of a store there is an operation of the same name behind an
    underscore. `RedisStore` runs it, and `AsyncRedisStore` awaits it.

    Args: As for `RedisStore`.
    """

    #: The clients that it makes.
    _library: ClassVar[Library] = PLAIN

    def __init__(
        self,
        host: Any = "localhost",
        port: int = 6379,
        password: str | None = None,
        db: int | None = None,
        default_timeout: int = 300,
        key_prefix: str | Callable[[], str] | None = None,
        *,
        url: str | None = None,
        may_flush: bool = False,
        **options: Any,
    ) -> None:
        if not (
            key_prefix is None or isinstance(key_prefix, str) or callable(key_prefix)
        ):
            raise ValueError(
                f"key_prefix can't be {key_prefix!r}. It is a text, or a function that"
                " returns one."
            )
        if url is not None:
            clients = clients_of_url(self._library, url, password, db, options)
        elif isinstance(host, str):
            clients = clients_of_server(
                self._library, host, port, password, db or 0, options
            )
        elif host is None:
            raise ValueError(
                "The host can't be None. It is a host name, or a client such as"
                f" {self._library.root}.Redis()."
            )
        elif isinstance(host, PerProcess):
            clients = host
        else:
            clients = self._library.clients_of_ready(host)
        super().__init__(default_timeout)
        self.key_prefix = key_prefix or ""
        self._clients = clients
        self._may_flush = may_flush
        self._lists = TextLists()

    @property
    def _client(self) -> Any:
        """The client of this process."""
        return self._clients.value

    @property
    def _sample(self) -> Any:
        """A client that tells where it connects to; None where it is not known yet."""
        return self._client

    @property
    def where(self) -> str:
        """Where the entries are, as people call it."""
        prefix = self._full_key("")
        keys = f"keys that begin with {prefix!r}" if prefix else "all keys"
        return f"{address_of(self._sample)}, {keys}"

    def what_to_check(self, error: Exception) -> str:
        """Return which settings to look at after an error, as a sentence, or ""."""
        pool = getattr(self._sample, "connection_pool", None)
        return what_to_check(error, getattr(pool, "connection_kwargs", {}))

    def _get_failed(self, error: Exception) -> Operation[None]:
        """Return None for a key of another type, and raise any other error of `get`."""
        # Only this key is missing, and the next write overwrites it.
        if str(error).startswith(_WRONG_TYPE):
            return
        if isinstance(error, DamagedValueError):
            yield from self._drop_connections()
        raise error

    def _get_many(self, keys: Sequence[str]) -> Operation[list[Any]]:
        if not keys:
            return []
        asked = self._full_key(""), tuple(keys)
        before = self._lists.get(asked)
        full_keys = before.full_keys if before else _prefixed(*asked)
        stored = yield from self._read_many(full_keys, before)
        return (yield from self._all_loaded(asked, full_keys, stored))

    def _get_with_remaining(
        self, keys: Sequence[str]
    ) -> Operation[list[tuple[Any, float | None]]]:
        asked = self._full_key(""), tuple(keys)
        full_keys = _prefixed(*asked)
        script = (READ_WITH_REMAINING, len(full_keys), *full_keys)
        answer = yield self._client.eval(*script)
        values = yield from self._all_loaded(asked, full_keys, answer[::2])
        return list(zip(values, map(seconds_left, answer[1::2]), strict=True))

    def _has(self, key: str) -> Operation[bool]:
        # A key of another type has no value for `get`.
        kind = yield self._client.type(self._full_key(key))
        return bool(kind == b"string")

    def _set(self, key: str, value: Any, timeout: Any) -> Operation[bool]:
        seconds, full_key = self._expiry(timeout), self._full_key(key)
        data = self._dumped(full_key, value)
        # Returned as it is, so that a client with coroutines is noticed.
        is_stored: bool = yield self._client.set(full_key, data, ex=seconds)
        return is_stored

    def _set_many(self, mapping: Mapping[str, Any], timeout: Any) -> Operation[Any]:
        return self._write_many(mapping, timeout, only_new=False)

    def _add(self, key: str, value: Any, timeout: Any) -> Operation[bool]:
        seconds, full_key = self._expiry(timeout), self._full_key(key)
        data = self._dumped(full_key, value)
        if (yield self._client.set(full_key, data, ex=seconds, nx=True)):
            return True
        return bool((yield from self._replace_unreadable({full_key: data}, seconds)))

    def _add_many(
        self, mapping: Mapping[str, Any], timeout: Any
    ) -> Operation[list[str]]:
        added = yield from self._write_many(mapping, timeout, only_new=True)
        done = set(added)
        left = {self._full_key(key): key for key in mapping if key not in done}
        if left:
            values = {
                full_key: self._dumped(full_key, mapping[key])
                for full_key, key in left.items()
            }
            seconds = self._expiry(timeout)
            replaced = yield from self._replace_unreadable(values, seconds)
            added += [left[full_key] for full_key in replaced]
        return added

    def _add_and_get_many(
        self, mapping: Mapping[str, Any], keys: Sequence[str], timeout: Any
    ) -> Operation[tuple[list[str], list[Any] | None]]:
        prefix = self._full_key("")
        asked = prefix, tuple(keys)
        to_add, full_keys = _prefixed(prefix, mapping), _prefixed(*asked)
        if not keys or len(to_add) + len(full_keys) > MOST_ADDED_AND_READ:
            return (yield from self._add_many(mapping, timeout)), None
        dumped = map(self.serializer.dumps, mapping.values())
        values = list(map(with_checksum, to_add, dumped))
        seconds = self._expiry(timeout)
        answers, stored = yield self._add_by_script(to_add, values, seconds, full_keys)
        are_added = yield from self._added(to_add, values, answers, seconds)
        added = _done(mapping, are_added)
        try:
            return added, (yield from self._all_loaded(asked, full_keys, stored))
        except DamagedValueError:
            # The caller has to know what it has added. It can read again.
            return added, None

    def _set_many_if_equal(
        self, values: Mapping[str, Timed], others: Mapping[str, str], expected: str
    ) -> Operation[list[str]]:
        if not values:
            return []
        full_keys: list[str] = []
        arguments: list[Any] = []
        prefix, wanted = self._full_key(""), self.serializer.dumps(expected)
        # Of a list, most rows have the same timeout.
        timeouts = {timeout for _, timeout in values.values()}
        expiries = {each: self._expiry(each) or 0 for each in timeouts}
        for key, (value, timeout) in values.items():
            full_key, other = prefix + key, prefix + others[key]
            full_keys += [full_key, other]
            arguments += [
                with_checksum(other, wanted),
                with_checksum(full_key, self.serializer.dumps(value)),
                expiries[timeout],
            ]
        script = (SET_MANY_IF_EQUAL, len(full_keys), *full_keys, *arguments)
        return _done(values, (yield self._client.eval(*script)))

    def _delete_many_if_equal(
        self, keys: Sequence[str], expected: str
    ) -> Operation[list[str]]:
        if not keys:
            return []
        full_keys = self._full_keys(keys)
        wanted = [self._dumped(full_key, expected) for full_key in full_keys]
        script = (DELETE_MANY_IF_EQUAL, len(keys), *full_keys, *wanted)
        return _done(keys, (yield self._client.eval(*script)))

    def _delete(self, key: str) -> Operation[bool]:
        return bool((yield self._client.delete(self._full_key(key))))

    def _delete_many(self, keys: Sequence[str]) -> Operation[list[str]]:
        if keys:
            yield self._client.delete(*self._full_keys(keys))
        return list(keys)

    def _remaining(self, key: str) -> Operation[float | None]:
        milliseconds: int = yield self._client.pttl(self._full_key(key))
        return seconds_left(milliseconds)

    def _inc(self, key: str, delta: int) -> Operation[int | None]:
        script = (COUNT, 1, self._full_key(key), delta, self._expiry(None) or 0)
        try:
            return int((yield self._client.eval(*script)))
        except Exception as error:
            if _NOT_COUNTABLE.search(str(error)):
                return None
            raise

    def _clear(self) -> Operation[bool]:
        prefix = self._full_key("")
        if not prefix:
            return (yield from self._flush())
        # The locks go first. Otherwise a value that is being rendered could be stored
        # after the scan has passed its key.
        yield from self._delete_all(_pattern(f"{prefix}lock:"))
        yield from self._delete_all(_pattern(prefix))
        return True

    def _delete_all(self, pattern: str) -> Operation[None]:
        """Delete the keys that match a pattern."""
        missed = 0

        def unlink(keys: Sequence[bytes]) -> Operation[bool]:
            nonlocal missed
            # A key may have expired meanwhile. Or what the server told was damaged on
            # its way, so that it names another one than is there.
            missed += len({*keys}) - (yield self._client.unlink(*keys))
            return True

        yield from self._scan(pattern, unlink)
        if missed:
            yield from self._scan(pattern, unlink)

    def _facts(self) -> Operation[Facts]:
        if not self._full_key(""):
            number = yield self._client.dbsize()
            note = "That counts what others keep in this database, too."
            return Facts(number, note=note)
        amounts = yield from self._amounts()
        return Facts(amounts.entries, amounts.bytes, is_partial=amounts.is_partial)

    def _amounts(self) -> Operation[Amounts]:
        prefix = self._full_key("")
        start = len(prefix.encode())
        sizes: list[tuple[str, int]] = []

        def note(keys: Sequence[bytes]) -> Operation[bool]:
            pipeline = self._client.pipeline(transaction=False)
            for key in keys:
                pipeline.strlen(key)
            answers = yield pipeline.execute(raise_on_error=False)
            for key, size in zip(keys, answers, strict=True):
                # Of a list, a hash or the like, the server does not tell the length.
                known = size if isinstance(size, int) else 0
                sizes.append((key[start:].decode(errors="replace"), known))
            return len(sizes) <= MOST_COUNTED

        yield from self._scan(_pattern(prefix), note)
        return amounts_of(sizes)

    def _scan(
        self, pattern: str, each: Callable[[Sequence[bytes]], Operation[bool]]
    ) -> Operation[None]:
        """Go through the keys that match a pattern, some 500 at a time.

        Args:
            pattern: The pattern.
            each: Does something with some keys, and returns whether to go on.
        """
        cursor = 0
        while True:
            cursor, keys = yield self._client.scan(
                cursor, match=pattern, count=KEYS_AT_ONCE
            )
            if keys and not (yield from each(keys)):
                return
            if not cursor:
                return

    def _flush(self) -> Operation[bool]:
        if not self._may_flush:
            raise StoreError(
                "Without a key prefix, clearing would delete what others keep in"
                " this Redis database. Set CACHE_KEY_PREFIX (or key_prefix=...), or"
                ' CACHE_OPTIONS={"may_flush": True} if the database is this cache\'s'
                " alone."
            )
        return bool((yield self._client.flushdb()))

    def _full_key(self, key: str) -> str:
        """Return the key that the server has for a key of this store."""
        prefix = self.key_prefix
        return f"{prefix if isinstance(prefix, str) else prefix()}{key}"

    def _full_keys(self, keys: Iterable[str]) -> list[str]:
        return _prefixed(self._full_key(""), keys)

    def _expiry(self, timeout: Any) -> int | None:
        """Return the seconds as redis-py takes them: None if an entry never expires."""
        return self._seconds(timeout) or None

    def _dumped(self, full_key: str, value: Any) -> bytes:
        return with_checksum(full_key, self.serializer.dumps(value))

    def _loaded(self, full_key: str, stored: Any) -> str | int | None:
        """Return the value of which the server has returned this.

        Raises:
            DamagedValueError: If this store has not stored it.
        """
        if stored is None:
            return None
        return self.serializer.loads(without_checksum(full_key, stored))

    def _all_loaded(
        self, asked: Asked, full_keys: list[str], stored: list[Any]
    ) -> Operation[list[Any]]:
        """Like `_loaded`, for several keys."""
        try:
            values = self._lists.load(asked, full_keys, stored)
            return self.serializer.loads_all(values)
        except DamagedValueError:
            yield from self._drop_connections()
            raise

    def _drop_connections(self) -> Operation[None]:
        """Use no connection again.

        A damaged value may have been the answer to an earlier question, and then more
        answers will come too late.
        """
        pool = getattr(self._client, "connection_pool", None)
        if pool is not None:
            yield self._library.drop_idle(pool)

    def _read_many(
        self, full_keys: list[str], before: TextList | None
    ) -> Operation[list[Any]]:
        client = self._client
        if before is None or not hasattr(client, "mget_again"):
            found: list[Any] = yield client.mget(full_keys)
        else:
            found = yield client.mget_again(full_keys, before.packed)
        return found

    def _replace_unreadable(
        self, values: Mapping[str, bytes], seconds: int | None
    ) -> Operation[list[str]]:
        """Store values in place of those that this store can't read.

        That are lists, hashes and the like, and what others have stored as a text.

        Returns:
            The full keys that had such a value, or none any more.
        """
        full_keys, texts = list(values), list(values.values())
        answers, _ = yield self._add_by_script(full_keys, texts, seconds)
        return _done(
            full_keys, (yield from self._added(full_keys, texts, answers, seconds))
        )

    def _added(
        self,
        full_keys: Sequence[str],
        values: Sequence[bytes],
        answers: Sequence[Any],
        seconds: int | None,
    ) -> Operation[list[bool]]:
        """Return which values `ADD_AND_GET` has added, and add those that it could not.

        A text that others have stored is no value either. The server can't verify
        checksums, so it tells which text there is.
        """
        added = [answer == 1 for answer in answers]
        for at, full_key in enumerate(full_keys):
            if not added[at] and not is_whole(full_key, answers[at]):
                change = answers[at], values[at], seconds or 0
                replaced = yield self._client.eval(
                    REPLACE_IF_EQUAL, 1, full_key, *change
                )
                added[at] = bool(replaced)
        return added

    def _add_by_script(
        self,
        full_keys: list[str],
        values: list[bytes],
        seconds: int | None,
        wanted: Sequence[str] = (),
    ) -> Any:
        """Send `ADD_AND_GET`, and return its answer, which may have to be awaited."""
        arguments = (*full_keys, *wanted, len(full_keys), seconds or 0, *values)
        return self._client.eval(ADD_AND_GET, len(full_keys) + len(wanted), *arguments)

    def _write_many(
        self, values: Mapping[str, Any], timeout: Any, *, only_new: bool
    ) -> Operation[list[str]]:
        seconds = self._expiry(timeout)
        # No transaction, which twemproxy does not support.
        pipeline = self._client.pipeline(transaction=False)
        for full_key, value in zip(
            self._full_keys(values), values.values(), strict=True
        ):
            data = with_checksum(full_key, self.serializer.dumps(value))
            pipeline.set(full_key, data, ex=seconds, nx=only_new)
        return _done(values, (yield pipeline.execute()))


def _prefixed(prefix: str, keys: Iterable[str]) -> list[str]:
    # Not by `+`, which classes of texts may define in another way.
    return list(map(prefix.__add__, keys))


def _pattern(prefix: str) -> str:
    """Return the pattern of the keys that have a prefix."""
    return _GLOB_CHARACTERS.sub(r"\\\g<0>", prefix) + "*"


def _done(keys: Iterable[str], answers: Iterable[Any]) -> list[str]:
    """Return the keys for which the server has answered that it did something."""
    return [key for key, answer in zip(keys, answers, strict=True) if answer]
