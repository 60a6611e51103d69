"""What is asked for, and what is there of it."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from jinja_fragcache.access.runner import Operation
from jinja_fragcache.access.safe_store import Guard
from jinja_fragcache.entries.entry import Entry, Life, encode
from jinja_fragcache.entries.freshness import (
    GONE,
    Standing,
    Wanted,
    Windows,
    has_current_tags,
    matches,
)
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.entries.values import MISSING, UnreadableError, read_entry
from jinja_fragcache.errors import is_no_failure

from .dependencies import current_recording
from .tags import read_versions


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

    def load(self, stored: object, entry: Entry | None) -> Any:
        """Give the value that is stored, or MISSING if it may not be served.

        Args:
            stored: what the store gave.
            entry: the entry that it is, None if it is none.

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

    def dump(
        self,
        value: Any,
        tags: Mapping[str, str],
        life: Life | None,
        templates: Mapping[str, str],
    ) -> str | int:
        """Give what is to be stored for a value.

        Args:
            value: the value.
            tags: its tags, each with its version.
            life: how long it is fresh, if that has to be told.
            templates: the templates that were named by expressions, each with its
                digest.

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
        tags: the tags that its tag in the template names.
        digest_of: gives the present digest of a template, if an entry is bound to the
            sources of those that it was rendered from.
        holes: the numbers of the holes that it may have. Where it may have some, its
            value is not a text, but `Pieces`.
    """

    key: str
    wanted: Wanted
    timeout: int | None
    windows: Windows = Windows()
    tags: tuple[str, ...] = ()
    digest_of: Callable[[str], str] | None = None
    holes: tuple[int, ...] = ()

    def load(self, stored: object, entry: Entry | None) -> Any:
        """Do as `Request.load`."""
        if stored is not None and not isinstance(stored, str):
            if inspect.iscoroutine(stored):
                stored.close()
            raise UnreadableError(TypeError(f"it gave {stored!r:.100}, no text"))
        if entry is None or not matches(entry, self.wanted):
            return MISSING
        digest_of = self.digest_of
        if digest_of is not None and any(
            digest_of(name) != digest for name, digest in entry.templates
        ):
            return MISSING
        if not {number for _, number in entry.holes} <= set(self.holes):
            return MISSING
        return Pieces(entry.text, entry.holes) if self.holes else entry.text

    def timeout_of(self, value: Any) -> int | None:  # noqa: ARG002 - Request's form
        """Do as `Request.timeout_of`."""
        return self.timeout

    def dump(
        self,
        value: Any,
        tags: Mapping[str, str],
        life: Life | None,
        templates: Mapping[str, str],
    ) -> str:
        """Do as `Request.dump`."""
        text, holes = value if isinstance(value, Pieces) else (str(value), ())
        entry = Entry(
            text,
            self.wanted.escaped,
            self.wanted.version,
            tags=tuple(sorted(tags.items())),
            life=life,
            templates=tuple(sorted(templates.items())) if self.digest_of else (),
            holes=holes,
        )
        return encode(entry)


class Found(NamedTuple):
    """What a look-up found.

    Attributes:
        value: the value, or MISSING.
        standing: what may be done with it.
        stored: what the store gave.
        versions: the present version of each tag that it has, or had the last time.
        entry: the entry, None if there is none.
    """

    value: Any
    standing: Standing
    stored: object
    versions: Mapping[str, object]
    entry: Entry | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether it may be served as it is."""
        return self.standing.served and not self.standing.due


def look_up(
    request: Request, guard: Guard, stored: Sequence[object] | None = None
) -> Operation[Found]:
    """Ask a store for a value; else as `look_up_many`."""
    (found,) = yield from look_up_many([request], guard, stored)
    return found


def look_up_many(
    requests: Sequence[Request],
    guard: Guard,
    stored: Sequence[object] | None = None,
) -> Operation[list[Found]]:
    """Ask a store for values, in one round trip if their tags are known.

    Args:
        requests: what is asked for.
        guard: the store.
        stored: what it gave for each of them, None if it was not asked yet.
    """
    if stored is not None:
        return (yield from examine(requests, guard, stored, {}))
    known = guard.known_tags
    tags = {tag for each in requests for tag in (*each.tags, *known.of(each.key))}
    keys = [each.key for each in requests]
    stored, versions = yield from read_versions(guard, keys, list(tags))
    return (yield from examine(requests, guard, stored, versions))


def examine(
    requests: Sequence[Request],
    guard: Guard,
    stored: Sequence[object],
    versions: dict[str, object],
) -> Operation[list[Found]]:
    """Tell what may be done with what a store gave.

    Args:
        requests: what is asked for.
        guard: the store.
        stored: what it gave for each of them.
        versions: the present version of each tag that was read together with it.
    """
    entries = [read_entry(each) for each in stored]
    yield from _read_other_versions(guard, entries, versions)
    for request, entry in zip(requests, entries, strict=True):
        if entry is not None:
            others = [tag for tag, _ in entry.tags if tag not in request.tags]
            guard.known_tags.note(request.key, others)
    return [
        assess(*each, versions, guard)
        for each in zip(requests, stored, entries, strict=True)
    ]


def _read_other_versions(
    guard: Guard, entries: Sequence[Entry | None], versions: dict[str, object]
) -> Operation[None]:
    """Read the versions of tags that only the entries tell."""
    has = {tag for entry in entries if entry is not None for tag, _ in entry.tags}
    others = sorted(has - versions.keys())
    if others:
        _, read = yield from read_versions(guard, [], others)
        versions |= read


def assess(
    request: Request,
    stored: object,
    entry: Entry | None,
    versions: Mapping[str, object],
    guard: Guard,
) -> Found:
    """Tell what may be done with what a store gave.

    Args:
        request: what is asked for.
        stored: what it gave.
        entry: the entry that it is, None if it is none.
        versions: the present version of each tag that matters.
        guard: the store.
    """
    tags = (*request.tags, *guard.known_tags.of(request.key))
    mine = {tag: versions.get(tag) for tag in tags}
    value: Any = MISSING
    if entry is None or has_current_tags(entry, request.tags, versions):
        try:
            value = request.load(stored, entry)
        except UnreadableError as error:
            guard.failed("read", request.key, error.reason)
    if value is MISSING or entry is None:
        return Found(MISSING, GONE, stored, mine)
    standing = guard.standing(entry.life, request.windows)
    return Found(value, standing, stored, mine, entry)


def current_entries(guard: Guard, keys: Sequence[str]) -> Operation[list[Entry | None]]:
    """Give the entries of keys that are fresh, whoever has stored them.

    What was made of templates is given although they may have been edited.
    """
    stored = yield from guard.read_many(keys)
    entries = [read_entry(each) for each in stored]
    versions: dict[str, object] = {}
    yield from _read_other_versions(guard, entries, versions)
    return [
        entry
        if entry is not None
        and has_current_tags(entry, (), versions)
        and not guard.is_expired(entry.life)
        else None
        for entry in entries
    ]


def note_served(request: Request, found: Found, guard: Guard) -> Operation[None]:
    """Note what is served in the recording of the body that asked for it."""
    recording, entry = current_recording(), found.entry
    if recording is None or entry is None:
        return
    if entry.life is not None:
        expires = entry.life.expires
    else:
        left = yield from guard.remaining(request.key)
        expires = guard.end(request.timeout) if left is None else guard.now() + left
    recording.include(dict(entry.tags), expires, dict(entry.templates))


def note_unstored(request: Request, guard: Guard) -> None:
    """Note a value that was made and is stored nowhere, as `note_served` does."""
    recording = current_recording()
    if recording is not None:
        tags: dict[str, str | None] = dict.fromkeys(request.tags)
        recording.include(tags, guard.end(request.timeout))


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
