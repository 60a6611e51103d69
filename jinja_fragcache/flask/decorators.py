"""The calls of views, and of functions that are called in requests."""

from typing import Any

from flask import has_request_context

from jinja_fragcache.engine.expiry import keep_out_of_store
from jinja_fragcache.functions.call import FunctionCall
from jinja_fragcache.functions.decorators import CallFactory
from jinja_fragcache.functions.keys import full_name
from jinja_fragcache.observe.events import Reason

from .cacheability import SessionWatch, is_current_view, is_read_request
from .call import AnswerCall
from .value_cache import AppCache


class AnswerCalls(CallFactory[AppCache]):
    """Makes an `AnswerCall` of each call of a decorated function."""

    def choose(
        self,
        rules: AppCache,
        wrapper: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> FunctionCall | Reason:
        """Like `CallFactory.choose`. Only what reads is cached of a view."""
        is_key_custom = self.is_key_custom(wrapper)
        is_view = is_current_view(self.function)
        if self.keys.by_path and not is_key_custom and not is_view:
            is_view = self._warn_of_path(rules)
        if self.options.unless(self.function, *args, **kwargs):
            keep_out_of_store()
            return Reason.UNLESS
        if is_view and not is_key_custom and not is_read_request():
            return Reason.METHOD
        engine = rules.engine
        if engine.whole is not None and self.is_off(rules, engine.whole):
            return Reason.UNLESS
        return self.complete(
            AnswerCall,
            rules,
            engine,
            wrapper,
            args,
            kwargs,
            is_key_custom,
            self.keys.named_of_view if is_view else self.keys.named,
            # What the key's function reads was not read before.
            session_watch=SessionWatch() if has_request_context() else None,
            is_view=is_view,
        )

    def _warn_of_path(self, rules: AppCache) -> bool:
        """Warn that the function's key is a page's; return whether there is a page."""
        if not has_request_context():
            return False
        name = full_name(self.function)
        rules.engine.warn_once(
            (name, "path"),
            f"{name}(): its key is the path of the request, as a view's is, and it is"
            " not this request's view. If it is no view, give it a key of its own:"
            f" @cache.cached(key_prefix={self.function.__name__!r}). If it is one,"
            " a decorator above it hides it: it lacks functools.wraps.",
        )
        return True
