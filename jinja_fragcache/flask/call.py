"""One call of a decorated function, as the engine looks it up, makes and stores it."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from flask import has_request_context
from werkzeug.exceptions import HTTPException

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.engine.spec import Guard, NotStored, Stopped, is_covered_now
from jinja_fragcache.engine.whole import Present, WholeGuard, tag_of_key
from jinja_fragcache.entries.entry import Entry, Life
from jinja_fragcache.entries.freshness import GracePeriods
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.errors import KeyValueError, SerializationError
from jinja_fragcache.guard.reads import Cover
from jinja_fragcache.guard.watched import is_watched
from jinja_fragcache.observe.events import About, Reason, Why

from .cacheability import SessionWatch, judge, told_of_answers
from .call_guard import CallGuard
from .keys import full_name
from .options import Options
from .responses import (
    CachedResponse,
    RaisedAnswer,
    close_responses,
    comparable,
    join_chunks,
    mark_hit,
    raised_answer,
    read_stream,
    text_of,
)
from .value_cache import AppCache


@dataclass(slots=True)
class FunctionCall:
    """One call of a decorated function: the engine's spec of its entry.

    Attributes:
        app_cache: The values of the current application.
        function: The function.
        options: The options of its decorator.
        args: The arguments of the call.
        kwargs: The arguments of the call.
        key: The key of the entry.
        tags: The tags of the entry.
        is_forced: Whether to call the function even if there is a value.
        timeout: The function's timeout in seconds, 0 for never expiring, None for the
            cache's default.
        session_watch: Records how the function uses the session; None outside of a
            request.
        is_view: Whether the function is the view of the current request, so that its
            value is the answer.
        named: What the key names of the request.
        grace: The grace periods of the entry.
        present: The values that the whole cache varies on; None if there are none.
        verified_as: How messages begin that tell of a difference between what is served
            and what the function returns now; None if that is not looked at.
        is_made: Whether the function was called and returned.
        is_kept: Whether the value it returned is to be stored.
        raised: The answer that it raised, if that is its value.
    """

    app_cache: AppCache
    function: Callable[..., Any]
    options: Options
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    key: str
    tags: tuple[str, ...]
    is_forced: bool
    timeout: int | None
    session_watch: SessionWatch | None
    is_view: bool
    named: Cover
    grace: GracePeriods
    present: Present | None = None
    verified_as: str | None = None
    is_made: bool = False
    is_kept: bool = False
    raised: HTTPException | None = None
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
        if self._guard is None and self.app_cache.fragment_cache.policy.guard:
            values = (*self.args, *self.kwargs.values())
            self._guard = CallGuard(
                self.app_cache,
                self.function,
                self.named,
                values if self.options.is_memoized else (),
                self.options.allow,
            )
            if self.present is not None:
                self._guard = WholeGuard(self._guard, self.present)
        return self._guard

    def load(self, stored: object, entry: Entry | None) -> Any:
        """Return the stored value, or MISSING if it may not be served.

        Args:
            stored: What the store returned.
            entry: The entry in it, None if it has none.

        Raises:
            UnreadableError: If the serializer can't read the entry.
        """
        if entry is None or self.is_forced:
            return MISSING
        if entry.reads and not is_covered_now(entry.reads, self.guard):
            return MISSING
        value = self.app_cache.codec.decode(entry)
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
            if isinstance(value, RaisedAnswer):
                value = value.error()
            answer = self.options.is_stale(value, *self.args, **self.kwargs)
            self._asked = (stored, bool(answer))
        asked, is_stale = self._asked
        return is_stale and stored == asked

    def timeout_of(self, value: Any) -> int | None:
        """Return the timeout of a value that was made, in seconds.

        Raises:
            NotStored: If the value is not to be stored.
        """
        if not self.is_kept:
            raise NotStored
        if isinstance(value, CachedResponse) and value.timeout is not None:
            return value.timeout
        return self.timeout

    def dump(
        self,
        value: Any,
        tags: Mapping[str, str],
        life: Life | None,
        templates: Mapping[str, str],
        reads: tuple[str, ...] = (),
    ) -> str | int:
        """Return what to store for a value.

        Args:
            value: The value.
            tags: Its tags, each with its version.
            life: How long it is fresh, if the store's timeout alone doesn't tell that.
            templates: Not used.
            reads: What was read of the request.

        Raises:
            NotStored: If the serializer can't keep it, and the cache is not strict.
            SerializationError: If the same, if the cache is strict.
        """
        try:
            return self.app_cache.codec.encode(value, tags, life, reads)
        except SerializationError as error:
            # A user's serializer can't know the class of raised answers.
            if self.raised is None:
                refuse(self.app_cache, self.function, error)
            raise NotStored(why=Why(Reason.RULES, "its value can't be kept")) from None

    def apart(
        self, render: Callable[..., Any], *, default: bool, blocking: bool
    ) -> "tuple[FunctionCall, Callable[..., Any]] | None":
        """Like `EntrySpec.apart`."""
        wanted = self.options.background
        if not (default if wanted is None else wanted) or self.present is not None:
            return None
        values = (*self.args, *self.kwargs.values())
        if self.guard is None or not blocking or any(map(_is_of_now, values)):
            return None
        call = replace(self, session_watch=None)
        return call, call.make_apart

    def make_apart(self) -> Any:
        """Like `make`, with the session of the context that it is made in."""
        self.session_watch = SessionWatch() if has_request_context() else None
        return self.make()

    def trial(self, render: Callable[..., Any]) -> Callable[..., Any]:
        """Like `EntrySpec.trial`."""
        watch = self.session_watch and SessionWatch()
        call = replace(self, session_watch=watch)
        if inspect.iscoroutinefunction(self.function):
            return call.make_async
        return call.make

    def differing(self, served: Any, made: Any) -> tuple[str, str] | None:
        """Like `EntrySpec.differing`."""
        try:
            values = comparable(served), comparable(made)
            if values[0] == values[1]:
                return None
            return text_of(values[0]), text_of(values[1])
        except Exception:  # noqa: BLE001 - the methods are those of users' classes
            return None
        finally:
            close_responses(made)

    def make(self) -> Any:
        """Call the function and return its value, with generators joined.

        Raises:
            Stopped: If the function raised StopIteration.
        """
        self._announce("miss")
        try:
            with self.session_watch or nullcontext():
                value = join_chunks(self.function(*self.args, **self.kwargs))
        except StopIteration as error:
            raise Stopped(error) from None
        except HTTPException as error:
            return self._finish_raised(error)
        return self._finish(value)

    async def make_async(self) -> Any:
        """Like `make`, for a coroutine function."""
        self._announce("miss")
        try:
            with self.session_watch or nullcontext():
                value = await self.function(*self.args, **self.kwargs)
        except HTTPException as error:
            return self._finish_raised(error)
        return self._finish(value)

    def answer(self, value: Any) -> Any:
        """Return the value of the call, or raise the answer that was raised.

        Args:
            value: What was made or stored.

        Raises:
            HTTPException: If the function raised it, in this call or when the value was
                made.
        """
        if not self.is_made:
            self._announce("hit")
            if self.options.response_hit_indication:
                mark_hit()
        if isinstance(value, RaisedAnswer):
            raise self.raised or value.error()
        return value

    def _announce(self, event: str) -> None:
        """Send the signal of a hit or a miss that Flask-Caching's users know."""
        if self.app_cache.announce_call is not None:
            self.app_cache.announce_call(event, self)

    def _finish_raised(self, error: HTTPException) -> RaisedAnswer:
        """Return what stands for an answer that the function raised, if it is stored.

        Raises:
            HTTPException: The same, if it is not.
        """
        if (
            self.options.is_memoized
            or not self.options.response_filter(error.get_response())
            or not self._may_be_shared(error)
        ):
            raise error
        answer = raised_answer(error)
        if answer is None:
            raise error
        self.is_kept = self.is_made = True
        self.raised = error
        return answer

    def _finish(self, value: Any) -> Any:
        """Decide whether to store a value; if so, read its stream to the end.

        A stream is a part of the function that runs later: it may use the session, and
        it may fail.
        """
        self.is_kept = (
            (value is not None or self.options.cache_none)
            and bool(self.options.response_filter(value))
            and self._may_be_shared(value)
            and self._read(value)
        )
        self.is_made = True
        return value

    def _read(self, value: Any) -> bool:
        """Read a stream and return whether the value may still be stored."""
        watch = self.session_watch
        if watch is None:
            return read_stream(value)
        seen = (watch.read, watch.changed)
        with watch:
            is_whole = read_stream(value)
        if seen == (watch.read, watch.changed):
            return is_whole
        return is_whole and self._may_be_shared(value)

    def _may_be_shared(self, value: Any) -> bool:
        """Return whether other requests may get a value; warn if they may not."""
        watch = self.session_watch
        if watch is None:
            return True
        watch.note_read()
        cover = self.named
        if self.present is not None:
            cover = cover.beside(told_of_answers(self.present.cover()))
        # What this package reads is not read by the function.
        with quietly():
            verdict = judge(
                value,
                watch,
                is_view=self.is_view,
                cover=cover,
                any_status=self.options.has_filter,
            )
        if verdict.warning is not None:
            name = full_name(self.function)
            done = "cached" if verdict.kept else "not cached"
            self.app_cache.fragment_cache.engine.warn_once(
                (name, done),
                f"{name}(): the answer is {done}."
                f" {verdict.warning}. Leave such requests out with unless=..., tell"
                " them apart with make_cache_key=..., or cache the parts that are the"
                " same for all with the cache tag.",
            )
        return verdict.kept


def _is_of_now(value: Any) -> bool:
    """Return whether an argument is the request's, a proxy, or read once only."""
    return is_watched(value) or issubclass(type(value), Iterator)


def about_function(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> About:
    """Return what listeners are told of a call of a decorated function."""
    return About("function", f"{full_name(function)}()", (*args, *kwargs.values()))


def refuse(
    app_cache: AppCache,
    function: Callable[..., Any],
    error: KeyValueError | SerializationError,
) -> None:
    """Raise, or log once, that a function's value is not cached.

    Args:
        app_cache: The values of the current application.
        function: The function.
        error: Why its key or its value was refused.

    Raises:
        KeyValueError: If the key was refused and the cache is strict.
        SerializationError: If the value was refused and the cache is strict.
    """
    name = full_name(function)
    start = f"{name}(): the value is not cached."
    refusal = type(error)(f"{start} {error}", for_log=f"{start} {error.for_log}")
    app_cache.fragment_cache.engine.refuse(name, refusal)
