"""What holds for a whole cache: its own key values, and when it is not used.

The key of an entry is made in two steps: that of the tag, view or function, and then
one that has the values of the whole cache, too. An entry under the second has the tag
that stands for the first. So whoever deletes by what the tag, view or function names,
deletes the entries with all values of the whole cache, in any store, and though some of
them may be known to other processes only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.guard.reads import Cover, Read, texts_in
from jinja_fragcache.keys.digests import digest
from jinja_fragcache.keys.fragment import encode_values, varied_key
from jinja_fragcache.messages import (
    class_name,
    describe,
    describe_class,
    describe_error,
)
from jinja_fragcache.operations import Operation
from jinja_fragcache.remembered import Remembered

from . import claims
from .context import Context
from .dependencies import OWN_TAG, quietly, start_watching
from .expiry import keep_out_of_store
from .key_reads import KeyReads
from .policy import Policy
from .spec import FragmentSpec
from .tags import invalidate

if TYPE_CHECKING:
    from .entry_spec import Guard

_VARY_ON = "vary_on of the cache (in Flask, CACHE_VARY_ON)"
_UNLESS = "unless of the cache (in Flask, CACHE_UNLESS)"
_LIST = "It has to return a list of key values, [] for none."
_EVERYWHERE = "It has to work wherever the cache is used, also without a request."
# By the key without the values, and these.
_known: Remembered[tuple[str, str], tuple[str, str]] = Remembered(4096, 4 * 2**20)
T = TypeVar("T")


def delete(context: Context, keys: Sequence[str]) -> Operation[bool]:
    """Delete entries, and those with all values of the whole cache.

    Args:
        context: The cache.
        keys: Keys with or without the values of the whole cache.

    Returns:
        Whether there were some, as far as that is known.

    Raises:
        StoreError: If the store failed. The entries may still be served.
    """
    there = yield from claims.delete(context, keys)
    if context.policy.vary_on is None:
        return there
    yield from invalidate(context, map(tag_of_key, keys))
    return True


def tag_of_key(key: str) -> str:
    """Return the tag of all entries with a key and any values of the whole cache."""
    # As a digest, because a key may be of any length, and tags stand in entries.
    return f"{OWN_TAG}key:{digest(key)}"


class Whole:
    """What holds for all entries of a cache.

    Args:
        policy: The rules of the cache.
    """

    def __init__(self, policy: Policy) -> None:
        self._vary_on = policy.vary_on
        self._unless = policy.unless

    def is_off(self) -> bool:
        """Return whether the cache is used for nothing now, as the user says.

        Raises:
            KeyValueError: If the user's function does not say so.
        """
        if self._unless is None:
            return False
        is_off = True
        try:
            with quietly():
                is_off = _answer(_UNLESS, self._unless, bool)
        finally:
            # Also if it is not known.
            if is_off:
                keep_out_of_store()
        return is_off

    def present(self) -> Present | None:
        """Return the present key values; None if the cache has no `vary_on`.

        Raises:
            KeyValueError: If they can't be part of a key.
        """
        if self._vary_on is None:
            return None
        # In the key of this entry, they are not read by the body around it.
        with quietly():
            return Present(self, self.encode(self.values()))

    def values(self) -> list[Any] | tuple[Any, ...]:
        """Return what the user's function returns now.

        Raises:
            KeyValueError: If that is no list, or it raises anything.
        """
        if self._vary_on is None:
            return ()
        values = _answer(_VARY_ON, self._vary_on, lambda values: values)
        if isinstance(values, (list, tuple)):
            return values
        raise KeyValueError(
            f"{_VARY_ON} returned {describe(values)}. {_LIST}",
            for_log=f"{_VARY_ON} returned {describe_class(values)}. {_LIST}",
        )

    def encode(self, values: Any) -> str:
        """Return key values as one string.

        Raises:
            KeyValueError: If they can't be part of a key.
        """
        try:
            return encode_values(values)
        except KeyValueError as error:
            raise KeyValueError(
                f"{_VARY_ON}: {error}", for_log=f"{_VARY_ON}: {error.for_log}"
            ) from error


def _answer(what: str, function: Callable[[], Any], read: Callable[[Any], T]) -> T:
    """Return what a function of the user's returns.

    Args:
        what: What messages call it.
        function: The function.
        read: Takes what it returned, and may run code of its class.

    Raises:
        KeyValueError: If it raises anything, or returns what has to be awaited.
    """
    try:
        answer = function()
        # The first is quicker, and most answers are one of these.
        if isinstance(answer, (bool, list, tuple)) or not inspect.isawaitable(answer):
            return read(answer)
    except Exception as error:
        raise KeyValueError(
            f"{what} raised {describe_error(error)}. {_EVERYWHERE}",
            for_log=f"{what} raised {class_name(error)}. {_EVERYWHERE}",
        ) from error
    if inspect.iscoroutine(answer):
        answer.close()
    raise KeyValueError(
        f"{what} returned a {class_name(answer)}, which has to be awaited. Give a plain"
        " function."
    )


class Present:
    """The values that a whole cache varies on, at one look-up.

    Args:
        whole: What holds for the cache.
        encoded: The values as one string.
    """

    __slots__ = ("_cover", "_encoded", "_whole")

    def __init__(self, whole: Whole, encoded: str) -> None:
        self._whole = whole
        self._encoded = encoded
        self._cover: Cover | None = None

    def key_of(self, key: str) -> str:
        """Return the key of an entry that has these values, too."""
        return self._key_and_tag(key)[0]

    def of(self, spec: FragmentSpec) -> FragmentSpec:
        """Return a fragment with these values in its key."""
        key, tag = self._key_and_tag(spec.key)
        return spec._replace(
            key=key,
            tags=(*spec.tags, tag),
            guard=spec.guard and WholeGuard(spec.guard, self),
        )

    def _key_and_tag(self, key: str) -> tuple[str, str]:
        known = _known.get((key, self._encoded))
        if known is None:
            known = varied_key(key, self._encoded), tag_of_key(key)
            _known.add((key, self._encoded), known)
        return known

    def cover(self) -> Cover:
        """Return what the values name of the request.

        The user's function is called again for that, because what it reads is not
        looked at on a hit. If it returns something else now, they name nothing.
        """
        if self._cover is None:
            self._cover = self._find_cover()
        return self._cover

    def _find_cover(self) -> Cover:
        with KeyReads() as read:
            start_watching()
            try:
                values = self._whole.values()
                is_same = self._whole.encode(values) == self._encoded
            except KeyValueError:
                is_same = False
        return read.cover(*texts_in(values)) if is_same else Cover()


class WholeGuard:
    """The guard of a key that has the values of the whole cache, too.

    Args:
        guard: The guard of the key without them.
        present: The values.
    """

    __slots__ = ("_cover", "_guard", "_present")

    def __init__(self, guard: Guard, present: Present) -> None:
        self._guard = guard
        self._present = present
        self._cover: Cover | None = None

    @property
    def inner(self) -> Guard:
        """The guard of the key without the values of the whole cache."""
        return self._guard

    def start(self) -> None:
        """Like `engine.entry_spec.Guard.start`."""
        self._guard.start()
        # The body may change what the values are made of.
        self._present.cover()

    def cover(self) -> Cover:
        """Like `engine.entry_spec.Guard.cover`."""
        if self._cover is None:
            self._cover = self._guard.cover().beside(self._present.cover())
        return self._cover

    def texts_now(self, name: str) -> frozenset[str]:
        """Like `engine.entry_spec.Guard.texts_now`."""
        texts = self._guard.texts_now(name)
        return texts or self._present.cover().texts_read(name)

    def apart(self, render: Any, *, default: bool) -> None:
        """Return None: the values of the whole cache are those of a request."""

    def refuse(self, reads: Sequence[Read]) -> None:
        """Like `engine.entry_spec.Guard.refuse`."""
        self._guard.refuse(reads)
