"""Captures a body with the values that it has now, to render it later.

A body is a closure of its template's function, which goes on: in a loop, the same name
has the next item a moment later. So what the body reads is copied, as far as Jinja made
it: functions, macros and the context. Of the values, lists and the like are copied.
"""

from collections.abc import Callable
from copy import copy
from functools import partial
from types import CellType, FunctionType, MethodType
from typing import Any

from jinja2.runtime import Context, Macro, Undefined
from jinja2.utils import missing

from jinja_fragcache.engine.captured import Captured
from jinja_fragcache.engine.dependencies import Dependencies, note_variable
from jinja_fragcache.errors import NeedsRequestError
from jinja_fragcache.guard.watched import is_watched

from .stand_in import StandIn

# What Jinja makes for one rendering, and goes on with: the `loop` of a loop, a
# namespace, `self`, what `super()` calls.
_OF_RENDERING = ("jinja2.runtime", "jinja2.utils")
# Where bodies get a function around them.
_AROUND_BODIES = {
    "jinja_fragcache.render.call_blocks",
    "jinja_fragcache.render.comments",
    "jinja_fragcache.render.row_blocks",
}


def capture(
    render: Callable[..., Any], context: Context
) -> tuple[Callable[..., Any], Context] | None:
    """Return a body and the context of its template, both with their present values.

    Args:
        render: The body.
        context: The context.

    Returns:
        None if the body reads something that belongs to the request, or can't be read
        twice.
    """
    captured = _CapturedBody(_values_of_request(context))
    # What all requests share is large, and seldom changes.
    captured.keep_containers(context.environment.globals.values())
    try:
        return captured.of(render), captured.of(context)
    except NeedsRequestError:
        return None


def _values_of_request(context: Context) -> dict[int, Any]:
    """Return the variables of a template that belong to the request, by their ids."""
    found = {}
    for name, value in context.get_all().items():
        with Dependencies() as probe:
            note_variable(name, value, context)
        if probe.reads or is_watched(value):
            found[id(value)] = value
    return found


class _CapturedBody(Captured):
    """Copies what Jinja has made, too, each object once.

    Args:
        of_request: The values that belong to the request, by their ids.
    """

    def __init__(self, of_request: dict[int, Any]) -> None:
        super().__init__()
        self._of_request = of_request

    def of(self, value: Any) -> Any:
        """Like `Captured.of`."""
        known = self._copies.get(id(value))
        if known is not None:
            return known[1]
        kind = type(value)
        if kind is FunctionType and _is_jinjas(value):
            return self._function(value)
        if issubclass(kind, Context):
            return self._context(value)
        if kind is Macro:
            made = self.keep(value, copy(value))
            made._func = self.of(value._func)  # noqa: SLF001 - there is no public name
            return made
        if kind is MethodType and isinstance(value.__self__, Context):
            return MethodType(value.__func__, self.of(value.__self__))
        goes_on = value is not missing and _goes_on(kind)
        if goes_on or id(value) in self._of_request:
            raise NeedsRequestError
        return super().of(value)

    def _function(self, function: FunctionType) -> FunctionType:
        cells = [CellType() for _ in function.__closure__ or ()]
        made = FunctionType(
            function.__code__,
            function.__globals__,
            function.__name__,
            function.__defaults__,
            tuple(cells),
        )
        made.__kwdefaults__ = function.__kwdefaults__
        vars(made).update(vars(function))
        self.keep(function, made)
        names = function.__code__.co_freevars
        for name, old, new in zip(
            names, function.__closure__ or (), cells, strict=True
        ):
            try:
                value = old.cell_contents
            except ValueError:
                continue  # It has no value yet.
            # The names that are set in a block or a loop, for functions that get them.
            is_names = name in {"_loop_vars", "_block_vars"} and type(value) is dict
            new.cell_contents = (
                {key: self._or_stand_in(each) for key, each in value.items()}
                if is_names
                else self.of(value)
            )
        return made

    def _context(self, context: Context) -> Context:
        made: Context = self.keep(context, copy(context))
        made.eval_ctx = copy(context.eval_ctx)
        made.exported_vars = set(context.exported_vars)
        for name in ("parent", "vars"):
            values = getattr(context, name).items()
            setattr(made, name, {key: self._or_stand_in(each) for key, each in values})
        return made

    def _or_stand_in(self, value: Any) -> Any:
        """Like `of`. Only a use of what the body can't have stops it."""
        return self.or_else(value, partial(StandIn, NeedsRequestError))


def _is_jinjas(function: FunctionType) -> bool:
    """Return whether a function is a template's, or this package's around one."""
    names = function.__globals__
    return "__jinja_template__" in names or names.get("__name__") in _AROUND_BODIES


def _goes_on(kind: type) -> bool:
    """Return whether the values of a class change while a template is rendered."""
    return kind.__module__ in _OF_RENDERING and not issubclass(kind, Undefined)
