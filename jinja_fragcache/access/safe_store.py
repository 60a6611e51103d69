"""A store behind the rules for using it: what may fail, and what must not.

Reads and writes fail open: a failure is logged and counted, and the caller goes on as
if the store were empty. After a failure the store is skipped for a while. Deletes fail
loudly, because what should be gone may still be served, and they are always tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jinja_fragcache.errors import AsyncOnlyError, StoreError
from jinja_fragcache.messages import (
    logger,
    sentence,
    some_of,
    without_logins,
    without_secret_causes,
)
from jinja_fragcache.operations import Operation, perform
from jinja_fragcache.stores.base import Timed, by_timeout

from .adapter import Adapter
from .breaker import Breaker
from .deletes import deletes
from .failures import is_about_one_value, is_down
from .runner import Runner
from .stats import Recorder
from .store_check import store_name, what_to_check

if TYPE_CHECKING:
    from jinja_fragcache.stores.facts import Amounts, Facts

_FAILED = object()
_MAY_BE_SERVED = " What it holds may still be served."


class SafeStore:
    """A store whose failures are handled. Methods that call it are operations.

    Args:
        adapter: The store.
        run: How its operations are run: `adapter.run` for callers that block, and
            `adapter.run_async` for callers on an event loop.
        recorder: Counts and announces what happens.
        breaker: Decides whether the store may be called. All callers share it.
        default_timeout: The seconds that the timeout None stands for, 0 for never
            expires, None for the store's own default.

    Attributes:
        has_locks: Whether other processes respect the locks of this store.
        added_bytes: How many bytes are added to each text that is written.
        reads_ahead: Whether it reads ahead what a rendering will ask for.
        plain: Has `get`, for direct calls by callers that block and handle failures.
        blocks: Whether a call may block.
        has_coroutines: Whether the store can only be awaited.
        is_shared: Whether other processes may find what this one writes.
        tells_remaining: Whether the store can tell how long an entry is kept.
        reads_plainly: Whether `read` only calls the store, and does so at once.
    """

    added_bytes = 0
    reads_ahead = False

    def __init__(
        self,
        adapter: Adapter,
        run: Runner,
        *,
        recorder: Recorder,
        breaker: Breaker,
        default_timeout: int | None = None,
    ) -> None:
        self._adapter = adapter
        self._run = run
        # While the time of its calls is measured.
        self._plain_run: Runner | None = None
        self._recorder = recorder
        self._breaker = breaker
        self._default_timeout = default_timeout
        self.has_locks = adapter.has_locks
        self.blocks = adapter.blocks
        self.has_coroutines = adapter.has_coroutines
        self.is_shared = adapter.is_shared
        self.plain: Any = adapter.plain
        self.tells_remaining = adapter.tells_remaining
        self.reads_plainly = adapter.gets_many and not adapter.has_coroutines

    def measure(self, timer: Callable[[], float] | None) -> None:
        """Add the time that calls take to the meter, or do not any more.

        Args:
            timer: A monotonic clock, in seconds; None to stop.
        """
        plain = self._plain_run
        if timer is not None and plain is None:
            # Here, because most caches have no listeners.
            from jinja_fragcache.observe.meter import metered  # noqa: PLC0415

            self._plain_run, self._run = self._run, metered(self._run, timer)
        elif timer is None and plain is not None:
            self._plain_run, self._run = None, plain

    @property
    def awaited(self) -> Any:
        """Has `get`, for direct calls on an event loop by callers that await it."""
        return self._adapter.awaited

    @property
    def default_timeout(self) -> int | None:
        """The store's own default timeout; see `Adapter.default_timeout`."""
        return self._adapter.default_timeout

    @property
    def name(self) -> str:
        """The name of the store's class."""
        return store_name(self._adapter.store)

    @property
    def answers(self) -> bool:
        """Whether the store has answered the last call, as far as known."""
        return self._breaker.is_closed

    def seconds(self, timeout: int | None) -> int | None:
        """Return the timeout, or the cache's default for None."""
        return self._default_timeout if timeout is None else timeout

    def read(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Return what is stored under each key, None where there is nothing."""
        if len(keys) == 1:
            call = self._adapter.get(keys[0])
            return [(yield from self._try("read", keys, call, None))]
        nothing: list[Any] = [None] * len(keys)
        call = self._adapter.get_many(keys)
        return (yield from self._try("read", keys, call, nothing))  # type: ignore[no-any-return]

    def read_all_now(self, keys: Sequence[str]) -> list[Any]:
        """Like `read`, for callers that block while nobody listens."""
        if not self.reads_plainly or len(keys) == 1:
            return perform(self.read(keys))
        return self._read_plainly(keys)

    def _read_plainly(self, keys: Sequence[str]) -> list[Any]:
        """Like `read`, in fewer steps: most lists of hits come here."""
        if not self._breaker.is_closed and not self._may_call():
            return [None] * len(keys)
        try:
            stored = self._adapter.get_many_now(keys)
        except AsyncOnlyError:
            raise
        except Exception as error:  # noqa: BLE001 - reads fail open
            self.read_failed(keys, error)
            return [None] * len(keys)
        if not self._breaker.is_closed:
            self._breaker.succeeded()
        return stored

    def read_one(self, key: str) -> Operation[Any]:
        """Like `read`, for one key."""
        (stored,) = yield from self.read([key])
        return stored

    def read_again(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Like `read`, and ask the store itself, also for what is kept near."""
        return SafeStore.read(self, keys)

    def note_use(self, key: str) -> None:
        """Note that a caller has used what is near, which this class need not know."""

    def examine(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Like `read`, for people who want to know. It fails loudly.

        Raises:
            StoreError: If the store failed.
        """
        what = f"read {some_of(keys)}"
        call = self._adapter.get_many(keys)
        stored: list[Any] = yield from self._insist(what, call, "")
        return stored

    def facts(self) -> Operation[Facts | None]:
        """Return how much is in the store, None if it can't tell.

        Raises:
            StoreError: If the store failed.
        """
        from jinja_fragcache.stores.facts import Facts  # noqa: PLC0415 - few ask

        call = self._told("facts")
        facts = yield from self._insist("count its entries", call, "")
        # A store of another package may have a method of this name.
        return facts if isinstance(facts, Facts) else None

    def amounts(self) -> Operation[Amounts | None]:
        """Return how much of each name is in the store, None if it can't tell.

        Raises:
            StoreError: If the store failed.
        """
        from jinja_fragcache.stores.facts import Amounts  # noqa: PLC0415 - few ask

        call = self._told("amounts")
        amounts = yield from self._insist("list its keys", call, "")
        return amounts if isinstance(amounts, Amounts) else None

    def write(self, values: Mapping[str, Timed]) -> Operation[list[str]]:
        """Write values, and return the keys of those that were written.

        Args:
            values: For each key its value and its timeout in seconds, 0 for never
                expires, None for the default.
        """
        if len(values) == 1:
            ((key, (value, timeout)),) = values.items()
            call = self._adapter.set(key, value, self.seconds(timeout))
            if (yield from self._try("write", values, call, _FAILED)) is _FAILED:
                return []
            self._recorder.stored([key])
            return [key]
        stored: list[str] = []
        for timeout, group in by_timeout(values).items():
            call = self._adapter.set_many(group, self.seconds(timeout))
            if (yield from self._try("write", group, call, _FAILED)) is not _FAILED:
                stored += group
        self._recorder.stored(stored)
        return stored

    def put(self, key: str, text: str, timeout: int) -> Operation[bool]:
        """Write a text that does not count as stored; return whether that succeeded."""
        call = self._adapter.set(key, text, timeout)
        return (yield from self._try("write", [key], call, _FAILED)) is not _FAILED

    def write_locked(
        self, values: Mapping[str, Timed], token: str
    ) -> Operation[list[str]]:
        """Write those values whose locks a token holds, and release these locks.

        Args:
            values: As for `write`.
            token: The token.

        Returns:
            The keys of the values that were written.
        """
        call = self._adapter.set_locked(values, token)
        stored: list[str] = yield from self._try("write", values, call, [])
        self._recorder.stored(stored)
        return stored

    def add(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> Operation[list[str]]:
        """Write values under keys that have none, and return the keys of these.

        They do not count as stored, because they may be part of another value's entry.
        """
        call = self._adapter.add_many(values, self.seconds(timeout))
        added: list[str] = yield from self._try("write", values, call, [])
        return added

    def remaining(self, key: str) -> Operation[float | None]:
        """Return the seconds until an entry expires, infinity if it never does.

        Returns:
            None if there is no entry, the store can't tell, or it failed.
        """
        call = self._adapter.remaining(key)
        seconds: float | None = yield from self._try("read", [key], call, None)
        return seconds

    def replace(self, values: Mapping[str, str | int], timeout: int) -> Operation[None]:
        """Replace what is stored under keys, or delete it if it can't be replaced.

        Raises:
            StoreError: If the store failed. The old values may still be there.
        """
        what = f"replace {some_of([*values])}"
        with deletes.noted():
            try:
                yield from self._insist(what, self._adapter.set_many(values, timeout))
            except StoreError:
                # A store that is short of memory may refuse to write.
                yield from self._insist(what, self._adapter.delete_many(list(values)))
                # Now there may be room. The new values tell bodies that are running
                # what has happened meanwhile.
                again = self._adapter.set_many(values, timeout)
                yield from self._try("write", values, again, None)

    def increment(self, key: str, delta: int) -> Operation[int | None]:
        """Add to a number, and return the sum, or None if the store failed."""
        call = self._adapter.increment(key, delta)
        number: int | None = yield from self._try("count", [key], call, None)
        if number is not None:
            self._recorder.announce("set", key)
        return number

    def lock(
        self, keys: Sequence[str], token: str, seconds: int, wanted: Sequence[str]
    ) -> Operation[tuple[Sequence[str] | None, list[Any] | None]]:
        """Take those locks that are free, and read what is stored then.

        Args:
            keys: The keys.
            token: A text of the caller's own.
            seconds: After how many seconds the locks expire.
            wanted: The keys to read.

        Returns:
            The keys whose locks were taken; None if the store failed, which may have
            taken them. And what `read_again` returns, None if that would have taken
            another round trip.
        """
        call = self._adapter.lock_and_get(keys, token, seconds, wanted)
        return (yield from self._try("lock", keys, call, (None, None)))  # type: ignore[no-any-return]

    def unlock(self, keys: Sequence[str], token: str) -> Operation[bool]:
        """Release those locks that a token holds, and return whether that succeeded."""
        call = self._adapter.unlock(keys, token)
        return (yield from self._try("unlock", keys, call, _FAILED)) is not _FAILED

    def delete(self, keys: Sequence[str]) -> Operation[bool]:
        """Delete entries.

        Returns:
            False if there was none, as far as the store knows.

        Raises:
            StoreError: If the store failed. The entries may still be served.
        """
        what = f"delete {some_of(keys)}"
        call = self._adapter.delete_many(keys)
        with deletes.noted():
            deleted: bool = yield from self._insist(what, call)
        self._recorder.deleted(keys)
        return deleted

    def clear(self) -> Operation[None]:
        """Delete everything in the store.

        Raises:
            StoreError: If the store failed, or has no `clear()`.
        """
        with deletes.noted():
            yield from self._insist("clear", self._adapter.clear())

    def failed(self, what: str, keys: Sequence[str], error: Exception) -> None:
        """Count and log a failure that is not raised."""
        self.count_failure(", ".join(keys), error)
        told = what_to_check(self._adapter.store, error)
        why = without_logins(error)
        logger.warning(
            "The store could not %s %s: %s: %s",
            what,
            some_of(keys),
            type(error).__name__,
            f"{sentence(why)}{told}" if told else why.rstrip("."),
        )

    def count_failure(self, key: str, error: Exception) -> None:
        """Count and announce a failure that is not raised."""
        self._recorder.stats.failures += 1
        self._recorder.announce("store_error", key, error)

    def read_failed(self, keys: Iterable[str], error: Exception) -> None:
        """Count and log a read that failed, and open the circuit breaker.

        It stays closed if only this value can't be read.
        """
        self.failed("read", [*keys], error)
        if not is_about_one_value(error):
            self._breaker.failed()

    def _may_call(self) -> bool:
        """Return whether the breaker allows a call that fails open, or count it."""
        if self._breaker.allows():
            return True
        self._recorder.stats.skipped += 1
        return False

    def _try(
        self, what: str, keys: Iterable[str], operation: Operation[Any], failed: Any
    ) -> Operation[Any]:
        """Run an operation that fails open.

        Args:
            what: What is done, for the log.
            keys: The keys it is done to, for the log.
            operation: The operation.
            failed: The result if it fails, or is skipped because the breaker is open.
        """
        if not self._may_call():
            return failed
        try:
            answer = yield self._run(operation)
        except AsyncOnlyError:
            raise
        except Exception as error:  # noqa: BLE001 - reads and writes fail open
            if what == "read":
                self.read_failed(keys, error)
            else:
                self.failed(what, [*keys], error)
                if is_down(error):
                    self._breaker.failed()
            return failed
        if not self._breaker.is_closed:
            self._breaker.succeeded()
        return answer

    def _told(self, method: str) -> Operation[Any]:
        """Return what a method of the store tells of it, None if it has none."""
        tell = getattr(self._adapter.store, method, None)
        return (yield tell()) if callable(tell) else None

    def _insist(
        self,
        what: str,
        operation: Operation[Any],
        consequence: str = _MAY_BE_SERVED,
    ) -> Operation[Any]:
        """Run an operation that fails loudly, and is tried even if the breaker is open.

        Args:
            what: What is done, for the error.
            operation: The operation.
            consequence: What follows if it fails, for the error.

        Raises:
            StoreError: If the store failed.
        """
        try:
            answer = yield self._run(operation)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - raised below
            failure = StoreError(
                f"The store could not {what}: {type(error).__name__}:"
                f" {sentence(without_logins(error))}"
                f"{what_to_check(self._adapter.store, error)}{consequence}"
            )
            cause = without_secret_causes(error)
        else:
            self._breaker.succeeded()
            return answer
        # Here, so that the error is not its context, which may show a password.
        raise failure from cause
