"""Reads what a page will ask for in one round trip, when it asks for the first of it.

What a rendering asked for is remembered with its template. The next rendering's first
read asks for all of that at once, with the keys that are known from what the page was
given in place of the last one's, and its later reads are answered from there. So they
are as old as a read at the start of the rendering would be, and never older: after a
delete in this process, nothing that was read before is used any more.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Iterable,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextvars import ContextVar
from itertools import islice, repeat
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from jinja_fragcache.operations import Operation, perform, perform_async
from jinja_fragcache.stores.base import Timed

from .adapter import Adapter
from .deletes import deletes
from .failures import is_about_one_value
from .safe_store import SafeStore

# Of one template. A key has about 100 characters, and longer ones are not read ahead.
_MOST_KEYS = 1000
_LONGEST_KEY = 250
_UNREAD = object()
#: Keys that are known from what a page was given, each in the place of its tag; None
#: where the tag's key is not known.
Given = Sequence[str | None]


class _Last(NamedTuple):
    """What the last rendering asked for.

    Attributes:
        keys: The keys, without given ones.
        expected: Those that the next rendering is expected to ask for.
        wanted: Which given keys it asked for, by their places.
        settled: What it asked for and was given, if to note the same again would change
            nothing, as is so for most renderings; else None.
    """

    keys: list[str]
    expected: list[str]
    wanted: list[int]
    settled: tuple[list[str], Given] | None


class Known:
    """What the renderings of one template asked one store for.

    Args:
        first_guess: As for `History`.
    """

    def __init__(self, first_guess: Callable[[], Iterable[str]]) -> None:
        self._first_guess = first_guess
        # In one object, because several threads render.
        self._last: _Last | None = None

    def expected(self, given: Given = ()) -> list[str]:
        """Return the keys that a rendering is expected to ask for.

        Args:
            given: The keys that are known from what the page was given.
        """
        last = self._last
        if last is None:
            return _bounded([*self._first_guess(), *filter(None, given)])
        if not last.wanted:
            return last.expected
        # There are fewer than the last time if the template was loaded again.
        mine = [given[at] for at in last.wanted if at < len(given)]
        return _bounded([*last.expected, *filter(None, mine)])

    @property
    def asks_once(self) -> bool:
        """Whether the last rendering asked for the same as usual, for each key once."""
        return self._last is not None and self._last.settled is not None

    def note(self, asked: list[str], given: Given = ()) -> None:
        """Remember what a rendering asked for.

        Args:
            asked: The keys, in order. Some may have been asked for several times.
            given: As for `expected`.
        """
        last = self._last
        if last is not None and last.settled == (asked, given):
            return
        keys = _bounded(dict.fromkeys(asked))
        is_all = len(keys) == len(asked)
        wanted: list[int] = []
        if given:
            found = frozenset(asked)
            wanted = [at for at, key in enumerate(given) if key in found]
            others = frozenset(given)
            keys = [key for key in keys if key not in others]
        expected = keys
        if last is not None and last.keys != keys:
            # A key that only one of two renderings asked for is likely that of one
            # user, or of one product.
            before = frozenset(last.keys)
            expected = [key for key in keys if key in before]
        settled = (asked.copy(), given) if is_all and expected is keys else None
        self._last = _Last(keys, expected, wanted, settled)


class History:
    """What the renderings of one template asked stores for.

    Args:
        first_guess: Returns the keys that the first rendering is expected to ask for.
    """

    def __init__(self, first_guess: Callable[[], Iterable[str]]) -> None:
        self._first_guess = first_guess
        self._known: MutableMapping[Adapter, Known] = WeakKeyDictionary()

    def of(self, store: Adapter) -> Known:
        """Return what they asked one store for."""
        known = self._known.get(store)
        if known is None:
            known = self._known[store] = Known(self._first_guess)
        return known


def _bounded(keys: Iterable[str]) -> list[str]:
    # At once, since a thread that a body has left may still ask for more.
    first = list(islice(keys, _MOST_KEYS))
    if max(map(len, first), default=0) <= _LONGEST_KEY:
        return first
    return [key for key in first if len(key) <= _LONGEST_KEY]


class _Ahead:
    """What one rendering has read of one store, and what it asked it for."""

    __slots__ = ("asked", "expected", "is_refused", "known", "stored", "valid_for")

    def __init__(self, known: Known, given: Given) -> None:
        self.known = known
        self.expected: Sequence[str] = known.expected(given)
        self.asked: list[str] = []
        self.stored: dict[str, Any] = {}
        self.valid_for: object = None
        #: Whether the last read failed because of one of its keys.
        self.is_refused = False

    def begin_anew(self, latest: object) -> None:
        """Forget all, since something was deleted."""
        # In this order: threads that a body has started share this object.
        self.stored = {}
        self.valid_for = latest


class Rendering:
    """One rendering of a template, in whose `with` block stores are read ahead.

    Args:
        history: That of the template.
        give: Returns the keys that are known from what the page was given. Called when
            something is read.

    Attributes:
        outer: The rendering that it is a part of, or None.
        is_over: Whether it has ended. Tasks that it has started may go on.
        aheads: What was read of each store so far.
    """

    __slots__ = ("_give", "_given", "_history", "aheads", "is_over", "outer")

    def __init__(self, history: History, give: Callable[[], Given] = tuple) -> None:
        self._history = history
        self._give = give
        self._given: Given | None = None
        self.aheads: dict[Adapter, _Ahead] = {}
        self.outer: Rendering | None = None
        self.is_over = False

    def __enter__(self) -> None:
        """Begin to read ahead."""
        outer = _rendering.get()
        while outer is not None and outer.is_over:
            outer = outer.outer
        self.outer = outer
        _rendering.set(self)

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Remember what was asked for, if the rendering ended well."""
        # Not by a token, which another context would refuse: a coroutine that nobody
        # awaits any more may be closed in one.
        if _rendering.get() is self:
            _rendering.set(self.outer)
        aheads, self.aheads, self.is_over = self.aheads, {}, True
        given, self._given, self._give = self._given or (), (), tuple
        if error is None:
            for ahead in list(aheads.values()):
                ahead.known.note(ahead.asked, given)

    def ahead(self, store: Adapter) -> _Ahead:
        """Return what was read of a store."""
        known = self.aheads.get(store)
        if known is None and self.is_over:
            # What is read after the end is read anew each time.
            return _Ahead(Known(tuple), ())
        if known is None:
            if self._given is None:
                self._given = self._give()
            known = _Ahead(self._history.of(store), self._given)
            self.aheads[store] = known
        return known

    def forget(self, keys: Iterable[str]) -> None:
        """Forget what was read under keys, also in renderings around this one."""
        for ahead in list(self.aheads.values()):
            for key in keys:
                ahead.stored.pop(key, None)
        if self.outer is not None:
            self.outer.forget(keys)


_rendering: ContextVar[Rendering | None] = ContextVar("rendering", default=None)
#: Returns the rendering that this is a part of, or None.
current_rendering = _rendering.get


class Outside:
    """Tells whether stores that read ahead are read outside of renderings, too.

    Attributes:
        is_read: Whether one was, in this process.
    """

    is_read = False


outside = Outside()


def leave_rendering() -> None:
    """Use nothing that was read ahead, in a thread or task that goes on later."""
    _rendering.set(None)


class PrefetchingStore(SafeStore):
    """A `SafeStore` of which renderings read ahead. The arguments are the same.

    It can be put before any kind of `SafeStore`.
    """

    reads_ahead = True

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # Of the store below, whose place this one takes.
        self._read_plain = self.plain.get
        self.plain = self

    def get(self, key: str) -> Any:
        """Return what is stored under a key, for a caller that blocks.

        It is called in place of the store's own `get`, and raises what that raises.
        """
        this = _rendering.get()
        if this is None:
            outside.is_read = True
            return self._read_plain(key)
        # Without a call, since each hit of a page comes here.
        ahead = this.aheads.get(self._adapter) or this.ahead(self._adapter)
        if ahead.expected:
            return perform(self._read_ahead(ahead, [key]))[0]
        ahead.asked.append(key)
        if ahead.valid_for is deletes.latest:
            try:
                return ahead.stored[key]
            except KeyError:
                pass
        return self._read_plain(key)

    @property
    def awaited(self) -> Any:
        """Like `SafeStore.awaited`. What the rendering has read ahead is not read."""
        return _AwaitedAhead(self, super().awaited)

    def read(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Like `SafeStore.read`. What the rendering has read ahead is not read."""
        this = _rendering.get()
        if this is None:
            outside.is_read = True
            return super().read(keys)
        return self._read_ahead(this.ahead(self._adapter), keys)

    def read_all_now(self, keys: Sequence[str]) -> list[Any]:
        """Like `SafeStore.read_all_now`. What was read ahead is not read."""
        this = _rendering.get()
        if this is None:
            outside.is_read = True
            return super().read_all_now(keys)
        ahead = this.ahead(self._adapter)
        # A page that is one list, and asks for the same as usual. It has read nothing
        # before, and so the rest of what `_read_ahead` does has no effect.
        if (
            self.reads_plainly
            and ahead.expected == keys
            and ahead.known.asks_once
            and len(keys) > 1
        ):
            ahead.asked += keys
            ahead.expected = ()
            return self._read_plainly(keys)
        return perform(self._read_ahead(ahead, keys))

    def _read_ahead(self, ahead: _Ahead, keys: Sequence[str]) -> Operation[list[Any]]:
        ahead.asked += keys
        latest = deletes.latest
        if ahead.valid_for is not latest:
            ahead.begin_anew(latest)
        stored = ahead.stored
        missing, known = keys, {}
        if stored:
            # Once, as another thread may forget some of them meanwhile.
            found = list(map(stored.get, keys, repeat(_UNREAD)))
            pairs = zip(keys, found, strict=True)
            missing = [key for key, each in pairs if each is _UNREAD]
            if not missing:
                return found
            known = dict(zip(keys, found, strict=True))
        # A page that is one list asks for what it asked for the last time, in order.
        is_all = ahead.expected == missing
        has_more = bool(ahead.expected) and not is_all
        if has_more:
            missing = list(dict.fromkeys((*missing, *ahead.expected)))
        ahead.expected = ()
        ahead.is_refused = False
        read = yield from super().read(missing)
        if ahead.is_refused and has_more:
            # Of one of the keys that were only expected, maybe.
            missing = keys
            read = yield from super().read(keys)
        # Nobody is expected to look for it again, and to note 50 texts by their keys
        # takes as long as all else that is done here.
        is_last = is_all and ahead.known.asks_once
        if deletes.latest is latest and not is_last:
            stored.update(zip(missing, read, strict=True))
        if missing is keys:
            return read
        known.update(zip(missing, read, strict=True))
        return [known[key] for key in keys]

    def read_failed(self, keys: Iterable[str], error: Exception) -> None:
        """Like `SafeStore.read_failed`."""
        super().read_failed(keys, error)
        this = _rendering.get()
        if this is not None and is_about_one_value(error):
            this.ahead(self._adapter).is_refused = True

    def note_use(self, key: str) -> None:
        """Like `SafeStore.note_use`. The next rendering is expected to want it, too."""
        this = _rendering.get()
        if this is not None:
            this.ahead(self._adapter).asked.append(key)

    def read_again(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Like `SafeStore.read_again`. What was read ahead is not used, either."""
        self._forget(keys)
        return super().read_again(keys)

    def lock(
        self, keys: Sequence[str], token: str, seconds: int, wanted: Sequence[str]
    ) -> Operation[tuple[Sequence[str] | None, list[Any] | None]]:
        """Like `SafeStore.lock`."""
        self._forget(wanted)
        return super().lock(keys, token, seconds, wanted)

    def write(self, values: Mapping[str, Timed]) -> Operation[list[str]]:
        """Like `SafeStore.write`."""
        self._forget(values)
        return super().write(values)

    def write_locked(
        self, values: Mapping[str, Timed], token: str
    ) -> Operation[list[str]]:
        """Like `SafeStore.write_locked`."""
        self._forget(values)
        return super().write_locked(values, token)

    def add(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> Operation[list[str]]:
        """Like `SafeStore.add`."""
        self._forget(values)
        return super().add(values, timeout)

    def increment(self, key: str, delta: int) -> Operation[int | None]:
        """Like `SafeStore.increment`."""
        self._forget([key])
        return super().increment(key, delta)

    def _forget(self, keys: Iterable[str]) -> None:
        this = _rendering.get()
        if this is not None:
            this.forget(keys)


class _AwaitedAhead:
    """Stands for a `PrefetchingStore` where its `get` is awaited.

    Args:
        store: The store.
        below: Has the `get` of the store whose place it takes.
    """

    def __init__(self, store: PrefetchingStore, below: Any) -> None:
        self._store = store
        self._read = below.get

    async def get(self, key: str) -> Any:
        """Like `PrefetchingStore.get`, but awaits the store."""
        this = _rendering.get()
        if this is None:
            outside.is_read = True
            return await self._read(key)
        ahead = this.ahead(self._store._adapter)  # noqa: SLF001 - of this module
        if ahead.expected:
            return await perform_async(self._store.read_one(key))
        ahead.asked.append(key)
        if ahead.valid_for is deletes.latest:
            try:
                return ahead.stored[key]
            except KeyError:
                pass
        return await self._read(key)
