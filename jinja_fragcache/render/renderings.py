"""Templates whose renderings read ahead (see `access.prefetch`).

If the environment's cache does not read ahead, as in memory, a rendering costs nothing
more. A page may still read another cache that does, such as that of a function which it
calls. Such a read is outside of any rendering, and from then on all renderings begin.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Iterator
from functools import cache, partial
from types import TracebackType
from typing import Any

from jinja2 import Environment, Template

from jinja_fragcache.access.prefetch import (
    History,
    Rendering,
    current_rendering,
    outside,
)
from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import FragmentCacheError

from .given_keys import GivenKey, keys_of

#: The variables of a compiled template: the keys that are constants in it, those that
#: what a page is given may tell, and the templates that it names by constants.
CONSTANT_KEYS = "fragment_cache_keys"
GIVEN_KEYS = "fragment_cache_given_keys"
CONSTANT_TEMPLATES = "fragment_cache_templates"
# Of one template, with those that it names.
_MOST_GIVEN = 100


class _ReadsAhead:
    """Base of templates whose renderings read ahead.

    Only `render` and `render_async` do. Between the pieces of `generate`, the caller
    may do anything. The tracebacks of mistakes end in the templates.
    """

    #: What their renderings asked for, and which keys are known from what they were
    #: given. Made by the first one.
    fragment_cache_history: History | None = None
    fragment_cache_given: tuple[GivenKey, ...] | None = None

    def render(self, *args: Any, **kwargs: Any) -> str:
        """Like `Template.render`."""
        __traceback_hide__ = True  # for Werkzeug's debugger
        try:
            if not _may_read_ahead(self):
                return super().render(*args, **kwargs)  # type: ignore[misc,no-any-return]
            with Rendering(self._history(), partial(_given, self, args, kwargs)):
                text: str = super().render(*args, **kwargs)  # type: ignore[misc]
        except FragmentCacheError as error:
            error.__traceback__ = _shown(error)
            raise
        return text

    async def render_async(self, *args: Any, **kwargs: Any) -> str:
        """Like `Template.render_async`."""
        __traceback_hide__ = True
        try:
            if not _may_read_ahead(self):
                return await super().render_async(*args, **kwargs)  # type: ignore[misc,no-any-return]
            with Rendering(self._history(), partial(_given, self, args, kwargs)):
                text: str = await super().render_async(*args, **kwargs)  # type: ignore[misc]
        except FragmentCacheError as error:
            error.__traceback__ = _shown(error)
            raise
        return text

    def _history(self) -> History:
        if self.fragment_cache_history is None:
            self.fragment_cache_history = History(lambda: _constant_keys(self))
        return self.fragment_cache_history


def _shown(error: FragmentCacheError) -> TracebackType | None:
    """Return what is shown of the traceback of a mistake in a template."""
    # Here, because few templates have any.
    from .tracebacks import without_own_frames  # noqa: PLC0415

    return without_own_frames(error.__traceback__)


def _may_read_ahead(template: Any) -> bool:
    """Return whether a rendering may read a store that reads ahead."""
    if outside.is_read or current_rendering() is not None:
        return True
    cache: Any = getattr(template.environment, "fragment_cache", None)
    if cache.__class__ is not FragmentCache:
        # It may be a bare store, of which the first look-up makes a cache.
        return True
    reads_ahead: bool = cache.engine.context.store.reads_ahead
    return reads_ahead


def _given(
    template: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[str | None]:
    """Return the keys that are known from what a template is rendered with."""
    given: tuple[GivenKey, ...] | None = template.fragment_cache_given
    if given is None:
        found = (each.get(GIVEN_KEYS, ()) for each in _compiled(template))
        given = tuple(dict.fromkeys(key for keys in found for key in keys))
        given = template.fragment_cache_given = given[:_MOST_GIVEN]
    if not given:
        return []
    variables = kwargs
    # An iterator of pairs could be read only once.
    if args and type(args[0]) is dict:
        variables = {**args[0], **kwargs} if kwargs else args[0]
    return keys_of(given, variables)


def _constant_keys(template: Any) -> list[str]:
    """Return the keys that are constants in a template, and in those that it names."""
    found = (each.get(CONSTANT_KEYS, ()) for each in _compiled(template))
    return list(dict.fromkeys(key for keys in found for key in keys))


def _compiled(template: Any) -> Iterator[dict[str, Any]]:
    """Yield the variables of a compiled template, and of those that it names."""
    seen: set[str | None] = {template.name}
    waiting = [template]
    while waiting:
        each = waiting.pop()
        compiled = each.root_render_func.__globals__
        yield compiled
        for name in compiled.get(CONSTANT_TEMPLATES, ()):
            if name not in seen:
                seen.add(name)
                waiting += _loaded(each.environment, name, each.name)


def _loaded(environment: Environment, name: str, parent: str | None) -> list[Template]:
    try:
        return [environment.get_template(name, parent)]
    except Exception:  # noqa: BLE001 - the page may not need it, and tells if it does
        return []


class _Pickled(type):
    """The class of our template classes, which are pickled by what they are made of."""


@cache
def _reading_ahead(template_class: Any) -> Any:
    """Return the class for one. It is the same each time, also for a pickle."""
    names = {"__module__": template_class.__module__, "__doc__": template_class.__doc__}
    return _Pickled(template_class.__name__, (_ReadsAhead, template_class), names)


def _reduced(made: _Pickled) -> tuple[Callable[..., object], tuple[type, ...]]:
    return _reading_ahead, made.__bases__[1:]


copyreg.pickle(_Pickled, _reduced)  # type: ignore[arg-type]  # a class is an object


def let_templates_read_ahead(environment: Environment) -> None:
    """Let the templates that an environment loads from now on read ahead."""
    template_class = environment.template_class
    # A class with a metaclass of its own can't be the base of ours.
    if type(template_class) is type:
        kind: Any = template_class
        environment.template_class = _reading_ahead(kind)
