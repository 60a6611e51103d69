"""What is asked for, and what is there of it."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from .entry import Entry, Life, encode
from .errors import is_no_failure
from .freshness import GONE, Standing, Wanted, Windows, matching_entry
from .guard import Guard
from .operations import Operation
from .tags import read_versions
from .values import MISSING, UnreadableError


class Request(Protocol):
    """A value that is asked for, and the rules of whoever caches it."""

    @property
    def key(self) -> str:
        """The key of its entry."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """The tags of its entry."""
        ...

    @property
    def timeout(self) -> int | None:
        """Its timeout: seconds, 0 for ever, None for the default."""
        ...

    @property
    def windows(self) -> Windows:
        """What may be done with its entry past its timeout."""
        ...

    def load(
        self, stored: object, tags: Mapping[str, object]
    ) -> tuple[Any, Life | None] | None:
        """Give the value that is stored, and how long it is fresh.

        Args:
            stored: what the store gave.
            tags: the present version of each tag.

        Returns:
            None if it may not be served, fresh or not.

        Raises:
            UnreadableError: it can't be read.
        """
        ...

    def timeout_of(self, value: Any) -> int | None:
        """Give the timeout of a value that was made.

        Raises:
            NotKept: nothing is to be stored.
        """
        ...

    def dump(self, value: Any, tags: Mapping[str, str], life: Life | None) -> str | int:
        """Give what is to be stored for a value.

        Raises:
            NotKept: nothing is to be stored.
        """
        ...


class Stopped(Exception):  # noqa: N818 - what it stands for is no error
    """A body's StopIteration on its way out of a flow, a generator, which changes it.

    Args:
        error: the StopIteration.
    """

    def __init__(self, error: StopIteration) -> None:
        self.error = error


class NotKept(Exception):  # noqa: N818 - it is no error
    """A value is not to be stored."""


class FragmentRequest(NamedTuple):
    """A fragment that is asked for.

    Attributes:
        key: the fragment's key.
        wanted: what an entry must match to be served.
        timeout: seconds, 0 for ever, None for the cache's default.
        windows: what may be done with an entry past its timeout.
    """

    key: str
    wanted: Wanted
    timeout: int | None
    windows: Windows = Windows()
    tags: tuple[str, ...] = ()

    def load(
        self,
        stored: object,
        tags: Mapping[str, object],  # noqa: ARG002 - Request's form
    ) -> tuple[str, Life | None] | None:
        """Do as `Request.load`."""
        if stored is not None and not isinstance(stored, str):
            if inspect.iscoroutine(stored):
                stored.close()
            raise UnreadableError(TypeError(f"it gave {stored!r:.100}, no text"))
        entry = matching_entry(stored, self.wanted)
        return None if entry is None else (entry.text, entry.life)

    def timeout_of(self, value: Any) -> int | None:  # noqa: ARG002 - the same
        """Do as `Request.timeout_of`."""
        return self.timeout

    def dump(self, value: Any, tags: Mapping[str, str], life: Life | None) -> str:  # noqa: ARG002 - the same
        """Do as `Request.dump`."""
        wanted = self.wanted
        return encode(Entry(str(value), wanted.escaped, wanted.version, life=life))


class Found(NamedTuple):
    """What a look-up found.

    Attributes:
        value: the value, or MISSING.
        standing: what may be done with it.
        stored: what the store gave.
        versions: the present version of each tag.
    """

    value: Any
    standing: Standing
    stored: object
    versions: Mapping[str, object]

    @property
    def is_fresh(self) -> bool:
        """Whether it may be served as it is."""
        return self.standing.served and not self.standing.due


def look_up(request: Request, guard: Guard) -> Operation[Found]:
    """Ask a store for a value."""
    stored, versions = yield from read_versions(guard, request.key, request.tags)
    return assess(request, guard, stored, versions)


def assess(
    request: Request, guard: Guard, stored: object, versions: Mapping[str, object]
) -> Found:
    """Tell what may be done with what a store gave.

    Args:
        request: what is asked for.
        guard: the store.
        stored: what it gave.
        versions: the present version of each tag.
    """
    try:
        loaded = request.load(stored, versions)
    except UnreadableError as error:
        guard.failed("read", request.key, error.reason)
        loaded = None
    if loaded is None:
        return Found(MISSING, GONE, stored, versions)
    value, life = loaded
    return Found(value, guard.standing(life, request.windows), stored, versions)


def last_good(
    request: Request, found: Found, guard: Guard, error: Exception
) -> Operation[Found | None]:
    """Give what is served in place of an error; None if the error is to pass.

    Args:
        request: what is asked for.
        found: what was there before.
        guard: the store.
        error: what the body raised.
    """
    if not found.standing.served_on_error or is_no_failure(error):
        return None
    # It may have been deleted meanwhile, in any process. Where the store fails too,
    # nobody was told that it was.
    there = yield from look_up(request, guard)
    last = there if guard.store_answers else found
    if not last.standing.served_on_error:
        return None
    guard.body_failed(request.key, error.error if isinstance(error, Stopped) else error)
    if last.standing.expired:
        guard.count_stale()
    return last
