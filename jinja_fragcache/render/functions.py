"""Registers what compiled templates call, out of reach of the templates' own text.

The functions are filters, because the compiler calls a filter directly, while any other
call goes through `context.call`. But a template can name a filter by a text as well:
`{{ keys|map("upper") }}` looks `"upper"` up in `environment.filters` at render time. So
each function is registered under a `FunctionName`, which no text is equal to.
"""

from collections.abc import Callable, Mapping
from typing import Any, Self

from jinja2 import Environment

# The environment's attribute with all names, by their texts.
_NAMES = "_fragment_cache_functions"
_known: dict[str, "FunctionName"] = {}


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


def register(
    environment: Environment, functions: Mapping[FunctionName, Callable[..., Any]]
) -> None:
    """Add functions to an environment, for its compiled templates.

    Args:
        environment: The environment.
        functions: The functions by their names.
    """
    for name, function in functions.items():
        environment.filters[name] = function
    names: dict[str, FunctionName] = getattr(environment, _NAMES, {})
    setattr(environment, _NAMES, names | {str(name): name for name in functions})
