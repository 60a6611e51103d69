"""One call of a decorated function, as the engine looks it up, makes and stores it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jinja_fragcache.engine.captured import Captured
from jinja_fragcache.engine.covering import is_covered_now
from jinja_fragcache.engine.entry_spec import Guard
from jinja_fragcache.engine.spec import NotStored, Stopped
from jinja_fragcache.engine.whole import Present, WholeGuard, tag_of_key
from jinja_fragcache.entries.entry import Entry, Life
from jinja_fragcache.entries.freshness import GracePeriods
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.errors import (
    KeyValueError,
    NeedsRequestError,
    SerializationError,
)
from jinja_fragcache.guard.places import tell_places
from jinja_fragcache.guard.reads import Cover
from jinja_fragcache.observe.events import About, Reason, Why

from .call_guard import CallGuard
from .keys import full_name
from .options import Options
from .proposed_keys import call_with
from .value_rules import ValueRules


@dataclass(slots=True, kw_only=True)
class FunctionCall:
    """One call of a decorated function: the engine's spec of its entry.

    Attributes:
        rules: How the cache stores values.
        function: The function.
        options: The options of its decorator.
        args: The arguments of the call.
        kwargs: The arguments of the call.
        key: The key of the entry.
        tags: The tags of the entry.
        is_forced: Whether to call the function even if there is a value.
        timeout: The function's timeout in seconds, 0 for never expiring, None for the
            cache's default.
        named: What the key names of the request.
        grace: The grace periods of the entry.
        present: The values that the whole cache varies on; None if there are none.
        verified_as: How messages begin that tell of a difference between what is served
            and what the function returns now; None if that is not looked at.
        is_made: Whether the function was called and returned.
        is_kept: Whether the value it returned is to be stored.
    """

    rules: ValueRules
    function: Callable[..., Any]
    options: Options
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    key: str
    tags: tuple[str, ...]
    is_forced: bool
    timeout: int | None
    named: Cover
    grace: GracePeriods
    present: Present | None = None
    verified_as: str | None = None
    is_made: bool = False
    is_kept: bool = False
    _guard: Guard | None = None
    # What is stored, and whether the user's is_stale has called it stale.
    _asked: tuple[object, bool] | None = None

    def vary(self, present: Present) -> None:
        """Add the values that the whole cache varies on to the key."""
        self.present = present
        self.tags = (*self.tags, tag_of_key(self.key))
        self.key = present.key_of(self.key)

    @property
    def name(self) -> str:
        """Like `EntrySpec.name`."""
        return f"{full_name(self.function)}()"

    def about(self) -> About:
        """Like `EntrySpec.about`."""
        return about_function(self.function, self.args, self.kwargs)

    def why_not(self, entry: Entry) -> Why:
        """Like `EntrySpec.why_not`."""
        if self.is_forced or self._asked is not None:
            return Why(Reason.ASKED)
        if entry.reads and not is_covered_now(entry.reads, self.guard):
            return Why(Reason.READS)
        return Why(Reason.UNREADABLE)

    @property
    def guard(self) -> Guard | None:
        """Sees to it that what the function reads of the request is in the key.

        None if nothing does.
        """
        if self._guard is None and self.rules.engine.policy.guard:
            values = (*self.args, *self.kwargs.values())
            self._guard = CallGuard(
                self.rules.engine,
                self.function,
                self._names_in_key(),
                values if self.options.is_memoized else None,
                self.options.allow,
                self._write_key,
            )
            if self.present is not None:
                self._guard = WholeGuard(self._guard, self.present)
        return self._guard

    def _names_in_key(self) -> Cover:
        """Return what the key names of the request."""
        return self.named

    def _write_key(self, expressions: list[str]) -> str:
        """Return what to write for a key with more values."""
        return call_with(self.function, expressions)

    def load(self, stored: object, entry: Entry | None) -> Any:
        """Like `EntrySpec.load`."""
        if entry is None or self.is_forced:
            return MISSING
        if entry.reads and not is_covered_now(entry.reads, self.guard):
            return MISSING
        value = self.rules.codec.decode(entry)
        if value is None and not self.options.cache_none:
            return MISSING
        if value is MISSING or self._is_stale(stored, value):
            return MISSING
        return value

    def _is_stale(self, stored: object, value: Any) -> bool:
        """Return whether the user calls a stored value stale.

        The user is asked once for each call. What others have stored since is as new as
        what this call would make.
        """
        if self._asked is None:
            shown = self._shown(value)
            answer = self.options.is_stale(shown, *self.args, **self.kwargs)
            self._asked = (stored, bool(answer))
        asked, is_stale = self._asked
        return is_stale and stored == asked

    def _shown(self, value: Any) -> Any:
        """Return a stored value as the user's functions get it."""
        return value

    def timeout_of(self, value: Any) -> int | None:
        """Like `EntrySpec.timeout_of`."""
        if not self.is_kept:
            raise NotStored
        return self.timeout

    def dump(
        self,
        value: Any,
        tags: Mapping[str, str],
        life: Life | None,
        templates: Mapping[str, str],
        reads: tuple[str, ...] = (),
    ) -> str | int:
        """Like `EntrySpec.dump`. Values have no templates.

        Raises:
            NotStored: If the serializer can't keep it, and the cache is not strict.
            SerializationError: The same, if the cache is strict.
        """
        try:
            return self.rules.codec.encode(value, tags, life, reads)
        except SerializationError as error:
            self._refuse_value(error)
            raise NotStored(why=Why(Reason.RULES, "its value can't be kept")) from None

    def _refuse_value(self, error: SerializationError) -> None:
        refuse(self.rules, self.function, error)

    def apart(
        self, render: Callable[..., Any], *, default: bool, blocking: bool
    ) -> "tuple[FunctionCall, Callable[..., Any]] | None":
        """Like `EntrySpec.apart`."""
        wanted = self.options.background
        if not (default if wanted is None else wanted) or self.present is not None:
            return None
        if self.guard is None or not blocking:
            return None
        try:
            args, kwargs = Captured().of((self.args, self.kwargs))
        except NeedsRequestError:
            return None
        call = self._copy_apart(args, kwargs)
        return call, call.make_apart

    def _copy_apart(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> "FunctionCall":
        """Return the same call, to be made behind the request."""
        return replace(self, args=args, kwargs=kwargs)

    def make_apart(self) -> Any:
        """Like `make`, behind the request."""
        return self.make()

    def trial(self, render: Callable[..., Any]) -> Callable[..., Any]:
        """Like `EntrySpec.trial`."""
        call = self._copy()
        if inspect.iscoroutinefunction(self.function):
            return call.make_async
        return call.make

    def _copy(self) -> "FunctionCall":
        """Return the same call, to be made beside this one."""
        return replace(self)

    def differing(self, served: Any, made: Any) -> tuple[str, str] | None:
        """Like `EntrySpec.differing`."""
        try:
            if served == made:
                return None
            return _text_of(served), _text_of(made)
        except Exception:  # noqa: BLE001 - the methods are those of users' classes
            return None

    def make(self) -> Any:
        """Call the function and return its value.

        Raises:
            Stopped: If the function raised StopIteration.
        """
        try:
            value = self.function(*self.args, **self.kwargs)
        except StopIteration as error:
            raise Stopped(error) from None
        return self._finish(value)

    async def make_async(self) -> Any:
        """Like `make`, for a coroutine function."""
        return self._finish(await self.function(*self.args, **self.kwargs))

    def answer(self, value: Any) -> Any:
        """Return the value of the call.

        Args:
            value: What was made or stored.
        """
        return value

    def _finish(self, value: Any) -> Any:
        """Decide whether to store a value that was made."""
        self.is_kept = self._is_wanted(value)
        self.is_made = True
        return value

    def _is_wanted(self, value: Any) -> bool:
        """Return whether the decorator's options let a value be stored."""
        return (value is not None or self.options.cache_none) and bool(
            self.options.response_filter(value)
        )


for _method in (FunctionCall.make, FunctionCall.make_async):
    tell_places(_method, lambda call: call.name)


def about_function(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> About:
    """Return what listeners are told of a call of a decorated function."""
    return About("function", f"{full_name(function)}()", (*args, *kwargs.values()))


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def refuse(
    rules: ValueRules,
    function: Callable[..., Any],
    error: KeyValueError | SerializationError,
) -> None:
    """Raise, or log once, that a function's value is not cached.

    Args:
        rules: How the cache stores values.
        function: The function.
        error: Why its key or its value was refused.

    Raises:
        KeyValueError: If the key was refused and the cache is strict.
        SerializationError: If the value was refused and the cache is strict.
    """
    name = full_name(function)
    start = f"{name}(): the value is not cached."
    refusal = type(error)(f"{start} {error}", for_log=f"{start} {error.for_log}")
    rules.engine.refuse(name, refusal)
