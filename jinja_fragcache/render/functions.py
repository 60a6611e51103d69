"""Registers what compiled templates call, out of reach of the templates' own text.

The functions are filters, because the compiler calls a filter directly, while any other
call goes through `context.call`. But a template can name a filter by a text as well:
`{{ keys|map("upper") }}` looks `"upper"` up in `environment.filters` at render time. So
each function is registered under a `FunctionName`, which no text is equal to.

Those that few templates call are imported and registered with the first template that
does, when it is compiled, or comes from a bytecode cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Self

from jinja2 import Environment

# The environment's attribute with all names, by their texts.
_NAMES = "_fragment_cache_functions"
_known: dict[str, FunctionName] = {}


class FunctionName(str):
    """The name of a function that compiled templates call.

    It is equal to nothing but itself, so a dict has an entry for it that no text finds.
    There is one object for each text. Copies and pickles of it are that object.

    Jinja writes the `repr` of a filter's name into compiled templates. So this one's is
    an expression that finds the object again in the environment. It consists of texts
    only, so a bytecode cache may keep it.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __new__(cls, text: str) -> Self:
        """Return the name with a text."""
        known = _known.get(text)
        if known is None:
            known = _known.setdefault(text, super().__new__(cls, text))
        return known  # type: ignore[return-value]  # the class has no subclasses

    def __eq__(self, other: object) -> bool:
        """Return whether the other is this object."""
        return self is other

    def __ne__(self, other: object) -> bool:
        """Return whether the other is not this object."""
        return self is not other

    def __repr__(self) -> str:
        """Return an expression for the name, for compiled templates."""
        return f"environment.{_NAMES}[{str.__repr__(self)}]"

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        """Pickle and copy the name by its text."""
        return type(self), (str(self),)


#: Of `each`.
ITEMS = FunctionName("row_items")
ADD_TO_ROWS = FunctionName("add_to_rows")
ROWS = FunctionName("rows")
ROWS_OF_ONE_VALUE = FunctionName("rows_of_one_value")
ADD_ROW_WITH_OPTIONS = FunctionName("add_row_with_options")
ROWS_WITH_OPTIONS = FunctionName("rows_with_options")
#: Of `holes`.
HOLE_MARK = FunctionName("hole_mark")
HOLE_MARKS = FunctionName("hole_marks")
NOTE_HOLE = FunctionName("note_hole")
UNAVAILABLE = FunctionName("unavailable")
#: Of `auto`.
AUTO_VALUES = FunctionName("auto_values")
# The modules of the functions that few templates call. Each has them in `FUNCTIONS`.
_MODULES = {
    **dict.fromkeys((ITEMS, ADD_TO_ROWS, ROWS, ROWS_OF_ONE_VALUE), "each"),
    **dict.fromkeys((ADD_ROW_WITH_OPTIONS, ROWS_WITH_OPTIONS), "each"),
    **dict.fromkeys((HOLE_MARK, HOLE_MARKS, NOTE_HOLE, UNAVAILABLE), "holes"),
    AUTO_VALUES: "auto",
}


class _Names(dict[str, FunctionName]):
    """The names of an environment's functions, by their texts.

    Compiled templates look names up here when they are loaded. A function that was not
    called before is registered then.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def __missing__(self, text: str) -> FunctionName:
        name = FunctionName(text)
        load(self._environment, name)
        self[text] = name
        return name


def register(
    environment: Environment, functions: Mapping[FunctionName, Callable[..., Any]]
) -> None:
    """Add functions to an environment, for its compiled templates.

    Args:
        environment: The environment.
        functions: The functions by their names.
    """
    if not hasattr(environment, _NAMES):
        own_names(environment)
    names: _Names = getattr(environment, _NAMES)
    for name, function in functions.items():
        environment.filters[name] = function
        names[str(name)] = name


def own_names(environment: Environment) -> None:
    """Give an environment names of its own: an overlay may have filters of its own."""
    names = _Names(environment)
    names.update(getattr(environment, _NAMES, {}))
    setattr(environment, _NAMES, names)


def load(environment: Environment, name: FunctionName) -> None:
    """Register a function, if it is not registered yet, with all of its module.

    Raises:
        KeyError: If there is none.
    """
    if name not in environment.filters:
        module = import_module(f".{_MODULES[name]}", __package__)
        register(environment, module.FUNCTIONS)
