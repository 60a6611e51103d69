"""One call of a view or function of Flask: what is stored of its answers."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from flask import has_request_context
from werkzeug.exceptions import HTTPException

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.engine.spec import NotStored, Stopped
from jinja_fragcache.errors import SerializationError
from jinja_fragcache.functions.call import FunctionCall, refuse
from jinja_fragcache.functions.keys import full_name
from jinja_fragcache.functions.proposed_keys import call_with, decorator_with
from jinja_fragcache.guard.places import tell_places
from jinja_fragcache.guard.reads import Cover

from .cacheability import SessionWatch, judge, told_of_answers
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
from .view_keys import with_host


@dataclass(slots=True, kw_only=True)
class AnswerCall(FunctionCall):
    """A call whose value may be an answer: a response, or what was raised as one.

    Attributes:
        rules: The values of the current application.
        session_watch: Records how the function uses the session; None outside of a
            request.
        is_view: Whether the function is the view of the current request, so that its
            value is the answer.
        raised: The answer that it raised, if that is its value.
    """

    rules: AppCache
    session_watch: SessionWatch | None
    is_view: bool
    raised: HTTPException | None = None

    def _names_in_key(self) -> Cover:
        """Like `FunctionCall._names_in_key`, with the host if it is in the key."""
        return with_host(self.named)

    def _write_key(self, expressions: list[str]) -> str:
        """Return what to write for a key with more values."""
        if self.options.is_memoized:
            return call_with(self.function, expressions)
        page = None
        if self.is_view:
            has_query = "request.args" in self.named.names
            page = "request.full_path" if has_query else "request.path"
        return decorator_with(self.function, expressions, page=page)

    def _shown(self, value: Any) -> Any:
        """Return a stored value as the user's functions get it."""
        return value.error() if isinstance(value, RaisedAnswer) else value

    def timeout_of(self, value: Any) -> int | None:
        """Like `FunctionCall.timeout_of`. A response may have one of its own.

        Raises:
            NotStored: If the value is not to be stored.
        """
        if not self.is_kept:
            raise NotStored
        if isinstance(value, CachedResponse) and value.timeout is not None:
            return value.timeout
        return self.timeout

    def _refuse_value(self, error: SerializationError) -> None:
        # A user's serializer can't know the class of raised answers.
        if self.raised is None:
            refuse(self.rules, self.function, error)

    def _copy(self) -> "AnswerCall":
        """Return the same call, with a record of the session of its own."""
        watch = self.session_watch and SessionWatch()
        return replace(self, session_watch=watch)

    def _copy_apart(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> "AnswerCall":
        return replace(self, args=args, kwargs=kwargs, session_watch=None)

    def make_apart(self) -> Any:
        """Like `make`, with the session of the context that it is made in."""
        self.session_watch = SessionWatch() if has_request_context() else None
        return self.make()

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
        if self.rules.announce_call is not None:
            self.rules.announce_call(event, self)

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
            self._is_wanted(value) and self._may_be_shared(value) and self._read(value)
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
        cover = self._names_in_key()
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
            self.rules.engine.warn_once(
                (name, done),
                f"{name}(): the answer is {done}."
                f" {verdict.warning}. Leave such requests out with unless=..., tell"
                " them apart with make_cache_key=..., or cache the parts that are the"
                " same for all with the cache tag.",
            )
        return verdict.kept


for _method in (AnswerCall.make, AnswerCall.make_async):
    tell_places(_method, lambda call: call.name)
