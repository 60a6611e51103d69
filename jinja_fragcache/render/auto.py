"""Key values of tags with `vary_on="auto"`: the values that their bodies read.

Each stands behind a text that tells what it is. What is undefined is left out. (A dict
of them would be one key value, but keys of plain texts and numbers are remembered.)
"""

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

from jinja2 import Environment, Undefined, pass_context
from jinja2.environment import TemplateModule
from jinja2.runtime import AsyncLoopContext, Context, Macro
from jinja2.utils import missing

from jinja_fragcache.engine.dependencies import (
    Dependencies,
    note_variable,
    start_watching,
)
from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.guard.watched import is_watched
from jinja_fragcache.messages import class_name, describe_error
from jinja_fragcache.reads.needs import CONTEXT
from jinja_fragcache.reads.paths import ATTRIBUTE, Steps

from .environment import Site, engine_of
from .functions import AUTO_VALUES, FunctionName

#: What a body needs in its own template: for each value its text in messages and keys,
#: its name, its place in the values that are given (-1 for a name of the context), its
#: steps, and whether it is called.
Own = tuple[tuple[str, str, int, Steps, bool], ...]
# Nothing of a request can be one of these.
_PLAIN = frozenset(
    {str, int, float, bool, type(None), list, tuple, dict, set, frozenset, bytes}
)
_NOTHING = object()


class _Refused:
    """A key value that can't be encoded."""

    __slots__ = ("_error",)

    def __init__(self, message: str, for_log: str | None = None) -> None:
        self._error = KeyValueError(message, for_log=for_log)

    def __cache_key__(self) -> Any:
        """Refuse it."""
        raise self._error


class _Probe(Dependencies):
    """What a variable is said to be of the request. Where it is read is not told."""

    has_places = False


@pass_context
def auto_values(
    context: Context,
    given: list[Any],
    constants: tuple[Site, Own, str],
    here: tuple[Any, ...],
    seen: Context | None = None,
) -> list[Any] | Awaitable[list[Any]]:
    """Return the key values of a tag: those that are given, and what its body reads.

    In an async environment, `loop.last` and its like have to be awaited. Then this
    returns an awaitable.

    Args:
        context: The context of the template that is being rendered.
        given: The key values that the tag names.
        constants: Where the tag stands; what its body needs in its own template; and
            what it needs through others, as `reads.needs.to_text` returns it.
        here: The values of the names that the tag sees.
        seen: A context with all names that the tag sees, None if no others are needed.
    """
    site, own, needs = constants
    reading = _Reading(context)
    for shown, name, place, steps, is_called in own:
        value = here[place] if place >= 0 else context.resolve_or_missing(name)
        if value is not missing and not isinstance(value, Undefined):
            reading.add(shown, name, value, steps, is_called)
    if seen is None:
        return reading.after(given)
    from .needed import needed_of_others  # noqa: PLC0415 - few tags need it

    needed = needed_of_others(context.environment).of(site, needs, context.name)
    if needed.problem:
        message = f'vary_on="auto" can\'t tell what the body reads: {needed.problem}.'
        return [*given, _Refused(f"{message} Write the key values by hand.")]
    if needed.by_page:
        reading.values["the page"] = context.name
    for shown, each in needed.values:
        names = context if each.place == CONTEXT else seen
        value = names.resolve_or_missing(each.name)
        if value is not missing and not isinstance(value, Undefined):
            reading.add(shown, each.name, value, each.steps, each.is_called)
    return reading.after(given)


class _Reading:
    """Reads the values of one tag.

    Attributes:
        values: The values, by how they are written.
    """

    __slots__ = (
        "_awaited",
        "_context",
        "_environment",
        "_globals",
        "_is_guarded",
        "values",
    )

    def __init__(self, context: Context) -> None:
        self.values: dict[str, Any] = {}
        # What has to be awaited: how it is written, and the steps from there.
        self._awaited: list[tuple[str, Awaitable[Any], Steps]] = []
        self._context = context
        self._environment: Environment = context.environment
        self._globals = self._environment.globals
        self._is_guarded = engine_of(self._environment).policy.guard

    def add(
        self, shown: str, name: str, value: Any, steps: Steps, is_called: bool
    ) -> None:
        """Add a value, if it is one that keys have.

        Args:
            shown: How it is written.
            name: The name that it begins with.
            value: The value of the name.
            steps: The steps from there.
            is_called: Whether it is called.
        """
        if self._globals.get(name, _NOTHING) is value:
            return
        if type(value) not in _PLAIN:
            if isinstance(value, Macro | TemplateModule):
                self.values[shown] = _Refused(
                    "A key value is a macro of another template. What that reads is not"
                    " known here. Import it in the template that calls it."
                )
                return
            if is_called or (self._is_guarded and self._is_of_request(name, value)):
                return
        if steps and type(value) is AsyncLoopContext:
            value, steps = self._end(value, steps[:1]), steps[1:]
            # Nothing else, because most awaitables can be awaited only once, and that
            # is the body's.
            if isawaitable(value):
                self._awaited.append((shown, value, steps))
                self.values[shown] = None
                return
        if steps:
            value = self._end(value, steps)
        if not isinstance(value, Undefined):
            self.values[shown] = value

    def after(self, given: list[Any]) -> list[Any] | Awaitable[list[Any]]:
        """Return key values, and behind them each value behind its name."""
        if self._awaited:
            return self._after_awaited(given)
        return self._listed(given)

    async def _after_awaited(self, given: list[Any]) -> list[Any]:
        for shown, awaited, steps in self._awaited:
            value = self._end(await awaited, steps)
            if isinstance(value, Undefined):
                self.values.pop(shown, None)
            else:
                self.values[shown] = value
        return self._listed(given)

    def _listed(self, given: list[Any]) -> list[Any]:
        values = [*given]
        for pair in self.values.items():
            values += pair
        return values

    def _end(self, value: Any, steps: Steps) -> Any:
        """Return the value at the end of a chain."""
        environment = self._environment
        try:
            for kind, step in steps:
                if isinstance(value, Undefined):
                    break
                if kind == ATTRIBUTE:
                    value = environment.getattr(value, step)  # type: ignore[arg-type]
                else:
                    value = environment.getitem(value, step)
        except Exception as error:  # noqa: BLE001 - the value is the template's
            start = "A key value can't be read: it raised"
            return _Refused(
                f"{start} {describe_error(error)}.", f"{start} {class_name(error)}."
            )
        return value

    def _is_of_request(self, name: str, value: Any) -> bool:
        """Return whether the guard watches a variable."""
        if hasattr(type(value), "_get_current_object"):
            value = value._get_current_object()  # noqa: SLF001 - Werkzeug's documented way
        with _Probe() as probe:
            start_watching(self._context)
            if is_watched(value):
                return True
            note_variable(name, value, self._context)
            return bool(probe.reads)


FUNCTIONS: dict[FunctionName, Callable[..., Any]] = {AUTO_VALUES: auto_values}
