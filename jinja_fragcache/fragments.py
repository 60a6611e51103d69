"""The engine: a store, the rules for using it, and the flows carried out over it."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jinja2.utils import internalcode

from .entry import decode
from .errors import FragmentTagError, KeyValueError, StoreError
from .flow import Delete, Flow, Render, Step, Write, drive, drive_async
from .freshness import Wanted, servable_text
from .keys import make_template_fragment_key
from .stores import AsyncOnlyError, MemoryStore, Store, adapt
from .timeouts import normalize_timeout

logger = logging.getLogger("jinja_fragcache")


@dataclass(frozen=True, slots=True)
class Stats:
    """What a `FragmentCache` has done since it was made, counted in this process.

    The numbers are kept without a lock. On an interpreter without a global lock a few
    may be lost under load.

    Attributes:
        hits: fragments served from the store.
        misses: fragments that were asked for and had to be rendered.
        stored: texts written.
        deleted: entries deleted, whether or not they were there.
        uncached: fragments rendered without asking the store (`unless`, `'del'`, and
            keys that were refused).
        failures: reads and writes in which the store failed.
    """

    hits: int = 0
    misses: int = 0
    stored: int = 0
    deleted: int = 0
    uncached: int = 0
    failures: int = 0


class FragmentCache:
    """Keeps fragments in a store, for one environment or several.

    Args:
        store: a `MemoryStore`, a cachelib cache, a Flask-Caching `Cache`, Django's
            `cache`, or any object with `get`, `set` and `delete` (see
            `jinja_fragcache.stores.Store`). None makes a new `MemoryStore`.
        default_timeout: what the timeout None in a tag stands for: seconds (int or
            float), a timedelta, 0 for ever. None leaves it to the store's own default.
        strict: whether a tag with a key that has to be refused is an error (for
            development and tests) or renders uncached with a warning. A function
            without arguments is asked each time.

    Raises:
        StoreError: `store` is no store.
        TimeoutValueError: `default_timeout` is no timeout.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        default_timeout: Any = None,
        strict: bool | Callable[[], bool] = False,
    ) -> None:
        if isinstance(store, FragmentCache):
            raise StoreError(
                "The store is a FragmentCache already. Use it as it is:"
                " env.fragment_cache = that_one."
            )
        self.store: Store = MemoryStore() if store is None else store
        self.default_timeout = normalize_timeout(default_timeout)
        self._strict = strict
        self._sync, self._async = adapt(self.store)
        #: Whether a call to the store may have to be waited for, so that on an event
        #: loop it has to be awaited.
        self.waits = self._sync.blocking
        self._places_warned_of: set[tuple[str | None, int]] = set()
        self._hits = self._misses = self._stored = 0
        self._deleted = self._uncached = self._failures = 0

    def get(self, key: str) -> str | None:
        """Give the text stored under a key, or None.

        A store that fails is logged and counts as having nothing.

        Args:
            key: what `make_template_fragment_key` gives.
        """
        return _text(self._read(key))

    async def get_async(self, key: str) -> str | None:
        """Do as `get`, awaiting the store."""
        return _text(await self._read_async(key))

    def delete(self, key: str) -> None:
        """Delete an entry. That there is none is no error.

        Raises:
            StoreError: the store failed. The entry may still be served.
        """
        with _telling(f"delete {key!r}"):
            self._sync.delete(key)
        self._deleted += 1

    async def delete_async(self, key: str) -> None:
        """Do as `delete`, awaiting the store."""
        with _telling(f"delete {key!r}"):
            await self._async.delete(key)
        self._deleted += 1

    def delete_fragment(self, name: str, vary_on: Iterable[Any] | None = None) -> None:
        """Delete the fragment of a name and key values.

        `cache.delete_fragment("row", [item.id])` makes
        `{% cache 300, "row", item.id %}` render anew.

        Args:
            name: the fragment's name.
            vary_on: its key values, in the tag's order.

        Raises:
            KeyValueError: a value can't stand in a key.
            StoreError: the store failed. The entry may still be served.
        """
        self.delete(make_template_fragment_key(name, vary_on))

    async def delete_fragment_async(
        self, name: str, vary_on: Iterable[Any] | None = None
    ) -> None:
        """Do as `delete_fragment`, awaiting the store."""
        await self.delete_async(make_template_fragment_key(name, vary_on))

    def clear(self) -> None:
        """Delete all that the store holds, also what others keep in it.

        Raises:
            StoreError: the store failed, or has no `clear()`.
        """
        with _telling("clear"):
            self._sync.clear()

    async def clear_async(self) -> None:
        """Do as `clear`, awaiting the store."""
        with _telling("clear"):
            await self._async.clear()

    def stats(self) -> Stats:
        """Tell what was done so far."""
        return Stats(
            hits=self._hits,
            misses=self._misses,
            stored=self._stored,
            deleted=self._deleted,
            uncached=self._uncached,
            failures=self._failures,
        )

    def look_up(self, key: str, wanted: Wanted) -> str | None:
        """Give the text to serve for a key, or None for a miss."""
        stored = self._read(key)
        return self._count(key, stored, servable_text(stored, wanted))

    async def look_up_async(self, key: str, wanted: Wanted) -> str | None:
        """Do as `look_up`, awaiting the store."""
        stored = await self._read_async(key)
        return self._count(key, stored, servable_text(stored, wanted))

    @internalcode
    def run(self, flow: Flow, render: Callable[[], str]) -> str:
        """Carry a flow out.

        Args:
            flow: what has to be done.
            render: gives the body's text. What it raises passes through.

        Raises:
            StoreError: the flow deletes and the store failed.
        """

        @internalcode
        def perform(step: Step) -> str:
            match step:
                case Render():
                    return str(render())
                case Write(key, value, timeout):
                    try:
                        self._sync.set(key, value, self._seconds(timeout))
                    except Exception as error:  # noqa: BLE001 - writes fail open
                        self._failed("write", key, error)
                    else:
                        self._stored += 1
                case Delete(key):
                    self.delete(key)
            return ""

        return drive(flow, perform)

    @internalcode
    async def run_async(self, flow: Flow, render: Callable[[], Awaitable[str]]) -> str:
        """Do as `run`, awaiting the body and the store."""

        @internalcode
        async def perform(step: Step) -> str:
            match step:
                case Render():
                    return str(await render())
                case Write(key, value, timeout):
                    try:
                        await self._async.set(key, value, self._seconds(timeout))
                    except Exception as error:  # noqa: BLE001 - writes fail open
                        self._failed("write", key, error)
                    else:
                        self._stored += 1
                case Delete(key):
                    await self.delete_async(key)
            return ""

        return await drive_async(flow, perform)

    def count_uncached(self) -> None:
        """Note that a fragment is rendered without asking the store."""
        self._uncached += 1

    def refuse_key(self, template: str | None, line: int, error: KeyValueError) -> None:
        """Raise, or warn once, that a tag's key is refused.

        Raises:
            FragmentTagError: this cache is strict.
        """
        if self._strict() if callable(self._strict) else self._strict:
            raise FragmentTagError(_not_cached(template, line, error)) from None
        self.warn_once(template, line, error)

    def warn_once(self, template: str | None, line: int, error: KeyValueError) -> None:
        """Log that a tag's fragment is not cached, once for each place."""
        if (template, line) not in self._places_warned_of:
            self._places_warned_of.add((template, line))
            logger.warning(_not_cached(template, line, error))

    def _read(self, key: str) -> object:
        try:
            return self._sync.get(key)
        except AsyncOnlyError:
            raise
        except Exception as error:  # noqa: BLE001 - reads fail open
            self._failed("read", key, error)
            return None

    async def _read_async(self, key: str) -> object:
        try:
            return await self._async.get(key)
        except Exception as error:  # noqa: BLE001 - reads fail open
            self._failed("read", key, error)
            return None

    def _count(self, key: str, stored: object, text: str | None) -> str | None:
        if text is not None:
            self._hits += 1
            return text
        self._misses += 1
        if stored is not None and not isinstance(stored, str):
            if inspect.iscoroutine(stored):
                stored.close()
            self._failed("read", key, TypeError(f"it gave {stored!r:.100}, no text"))
        return None

    def _failed(self, what: str, key: str, error: Exception) -> None:
        self._failures += 1
        logger.warning(
            "The store could not %s %r: %s: %s", what, key, type(error).__name__, error
        )

    def _seconds(self, timeout: int | None) -> int | None:
        return self.default_timeout if timeout is None else timeout


def place(template: str | None, line: int) -> str:
    """Name a line of a template in a message."""
    name = "a template from a string" if template is None else template
    return f"{name}, line {line}"


def _not_cached(template: str | None, line: int, error: KeyValueError) -> str:
    return f"{place(template, line)}: the fragment is not cached. {error}"


def _text(stored: object) -> str | None:
    entry = decode(stored)
    return None if entry is None else entry.text


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Turn what a store raises into an error that tells what was not done."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(
            f"The store could not {what}: {type(error).__name__}: {error}. What it"
            " holds may still be served."
        ) from error
