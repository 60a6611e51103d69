"""What the engine asks of a fragment or value, and of the guard of its key.

These are types alone, and imported for annotations only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jinja_fragcache.entries.entry import Entry, Life
    from jinja_fragcache.entries.freshness import GracePeriods
    from jinja_fragcache.guard.reads import Cover, Read
    from jinja_fragcache.observe.events import About, Why


class Guard(Protocol):
    """Sees to it that what a body reads of the request is in its key."""

    def start(self) -> None:
        """Prepare for the body, which begins now."""
        ...

    def cover(self) -> Cover:
        """Return what the key names."""
        ...

    def texts_now(self, name: str) -> frozenset[str]:
        """Return the texts of what a read gives now, none if that is not known."""
        ...

    def refuse(self, reads: Sequence[Read]) -> None:
        """Raise, or log once, that an entry is not stored.

        Args:
            reads: What was read, and is not in the key.

        Raises:
            FragmentCacheError: If the cache is strict.
        """
        ...


class FragmentGuard(Guard, Protocol):
    """The guard of a fragment's key."""

    def apart(
        self, render: Callable[..., Any], *, default: bool
    ) -> tuple[FragmentGuard, Callable[..., Any]] | None:
        """Like `EntrySpec.apart`, with the guard that the body has then."""
        ...


class EntrySpec(Protocol):
    """A fragment or value that is asked for."""

    @property
    def name(self) -> str:
        """What warnings call the fragment or function, whatever its key values."""
        ...

    @property
    def key(self) -> str:
        """The key of its entry."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """The tags that its entry must have."""
        ...

    @property
    def timeout(self) -> int | None:
        """Its timeout: seconds, 0 for never expires, None for the default."""
        ...

    @property
    def grace(self) -> GracePeriods:
        """For how long its entry may be served after its timeout."""
        ...

    @property
    def guard(self) -> Guard | None:
        """The guard of its key; None if there is none."""
        ...

    @property
    def verified_as(self) -> str | None:
        """How messages begin that tell of a difference; None if hits are not verified.

        It says where it is and what it is.
        """
        ...

    def about(self) -> About:
        """Return what listeners are told of it."""
        ...

    def why_not(self, entry: Entry) -> Why:
        """Return why `load` returned MISSING for an entry."""
        ...

    def trial(self, render: Callable[..., Any]) -> Callable[..., Any]:
        """Return what makes the value again, so that this object does not notice it.

        Args:
            render: Makes the value.
        """
        ...

    def apart(
        self, render: Callable[..., Any], *, default: bool, blocking: bool
    ) -> tuple[EntrySpec, Callable[..., Any]] | None:
        """Return what makes the value later, apart from the request that needs it.

        Args:
            render: Makes the value now.
            default: Whether the cache makes stale values behind the request.
            blocking: Whether it is made in another thread, not in a task.

        Returns:
            The same specification and what makes the value then; None if it must be
            made now.
        """
        ...

    def differing(self, served: Any, made: Any) -> tuple[str, str] | None:
        """Return texts that show two values, None if they are equal.

        It never fails: values that can't be compared count as equal.

        Args:
            served: What is stored.
            made: What was made now.
        """
        ...

    def load(self, stored: object, entry: Entry | None) -> Any:
        """Return the value that is stored, or MISSING if it may not be served.

        Args:
            stored: What the store returned.
            entry: The same as an entry, None if it is none.

        Raises:
            UnreadableError: If it can't be read.
        """
        ...

    def timeout_of(self, value: Any) -> int | None:
        """Return the timeout of a value that was made.

        Raises:
            NotStored: If the value must not be stored.
        """
        ...

    def dump(
        self,
        value: Any,
        tags: Mapping[str, str],
        life: Life | None,
        templates: Mapping[str, str],
        reads: tuple[str, ...],
    ) -> str | int:
        """Return what is stored for a value.

        Args:
            value: The value.
            tags: Its tags, each with its version.
            life: How long it is fresh, if the entry has to contain that.
            templates: The templates that expressions named, each with its digest.
            reads: What was read of the request, as for `Entry`.

        Raises:
            NotStored: If the value must not be stored.
        """
        ...
