"""The guard of a decorated function's key: what it reads of the request is in it."""

from collections.abc import Callable, Sequence
from typing import Any

from jinja_fragcache.engine.dependencies import quietly, start_watching
from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.engine.noted_reads import texts_of_now, value_of_now
from jinja_fragcache.errors import UncoveredReadError
from jinja_fragcache.guard.messages import explain, function_remedy
from jinja_fragcache.guard.reads import Cover, Read, texts_in
from jinja_fragcache.keys.fragment import can_be_encoded

from .keys import full_name
from .proposed_keys import place_of

# What a module can import, so that a key function in it can have it.
_IMPORTED = frozenset({"current_user", "g", "request", "session"})
#: What the key of a user's function names where no guard has seen what it reads.
ANYTHING = Cover(frozenset({"session", "request.headers", "request.cookies"}))


class CallGuard:
    """Sees to it that what a function reads of the request is in its key.

    Args:
        engine: The engine of the cache.
        function: The function.
        named: What the key names by its form or by the reads of a user's function.
        values: The values that are in the key, the arguments of a memoized function;
            None of a key that is a text.
        allowed: The dotted names of what may be read though the key lacks it.
        write: Returns what to write for a key with more values.
    """

    __slots__ = (
        "_allowed",
        "_cover",
        "_engine",
        "_function",
        "_named",
        "_values",
        "_write",
        "takes_values",
    )

    def __init__(
        self,
        engine: Engine,
        function: Callable[..., Any],
        named: Cover,
        values: Sequence[Any] | None,
        allowed: Sequence[str],
        write: Callable[[list[str]], str],
    ) -> None:
        self._engine = engine
        self._function = function
        self._named = named
        self._values = () if values is None else values
        self.takes_values = values is not None
        self._allowed = allowed
        self._write = write
        self._cover: Cover | None = None

    def start(self) -> None:
        """Like `engine.entry_spec.Guard.start`."""
        start_watching()

    def cover(self) -> Cover:
        """Like `engine.entry_spec.Guard.cover`."""
        if self._cover is None:
            policy = self._engine.policy
            self._cover = Cover(
                self._named.names,
                self._named.values.union(*map(texts_in, self._values)),
                frozenset({*policy.guard_allow, *self._allowed}),
                shallow=self._named.shallow,
                told=self._named.told,
            )
        return self._cover

    def texts_now(self, name: str) -> frozenset[str]:
        """Like `engine.entry_spec.Guard.texts_now`."""
        # What can't be read again was read again for the key of this call.
        return texts_of_now(name) or self._named.texts_read(name)

    def value(self, name: str) -> Any:
        """Like `guard.proposals.Now.value`."""
        return value_of_now(name)

    def has(self, name: str) -> bool:
        """Like `guard.proposals.Now.has`: a module can import what a framework has."""
        return name in _IMPORTED

    def encodes(self, value: Any) -> bool:
        """Like `guard.proposals.Now.encodes`."""
        return can_be_encoded(value)

    def refuse(self, reads: Sequence[Read]) -> None:
        """Like `engine.entry_spec.Guard.refuse`."""
        name, place = full_name(self._function), place_of(self._function)
        # Where it reads is told already.
        reads = [read.inside_of(f"{name}()") for read in reads]
        with quietly():
            told = explain(reads, function_remedy(reads, self, self._write))
        error = UncoveredReadError(f"{place}: the value is not cached. {told}")
        self._engine.refuse((name, "reads"), error)
