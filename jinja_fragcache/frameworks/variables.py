"""Contexts of templates that note which variables a body reads."""

import json
import sys
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from jinja2 import Environment
from jinja2.runtime import Context
from jinja2.utils import missing

from jinja_fragcache.engine.dependencies import (
    current_dependencies,
    note_missing,
    note_variable,
)
from jinja_fragcache.guard.watched import is_watched, is_watching, subclass, watch

_JINJA = "jinja2"
# What the filter `tojson` calls.
_DUMPS = "json.dumps_function"


def note_variables(environment: Environment) -> None:
    """Let the contexts of an environment's templates note which variables are read."""
    kind: Any = environment.context_class
    if not is_watching(kind):
        environment.context_class = _noting_context(kind)
        policies = environment.policies
        policies[_DUMPS] = _noting_dumps(policies[_DUMPS] or json.dumps)


def note_variables_of(context: Any) -> None:
    """Let a context note it, too, and those of the templates that it includes."""
    note_variables(context.environment)
    watch(context, _noting_context)


@cache
def _noting_context(kind: type[Context]) -> type[Context]:
    """Return a subclass of a class of contexts that notes which variables are read."""
    if is_watching(kind):
        return kind
    inherited = kind.resolve_or_missing

    def resolve_or_missing(self: Any, key: str) -> Any:
        value = inherited(self, key)
        if current_dependencies() is not None:
            if value is missing:
                note_missing(key, self)
            else:
                note_variable(key, value, self)
        return value

    def resolve_as_jinja(self: Any, key: str) -> Any:
        # What `Context` does, without calling it: this is done for each variable.
        if key in self.vars:
            value = self.vars[key]
        elif key in self.parent:
            value = self.parent[key]
        else:
            if current_dependencies() is not None:
                note_missing(key, self)
            return missing
        if current_dependencies() is not None:
            note_variable(key, value, self)
        return value

    is_jinjas = inherited is Context.resolve_or_missing
    resolve = resolve_as_jinja if is_jinjas else resolve_or_missing
    return subclass(kind, {"resolve_or_missing": resolve, "get_all": _noting_all(kind)})


def _noting_all(kind: type[Context]) -> Any:
    def get_all(self: Any) -> dict[str, Any]:
        found: dict[str, Any] = kind.get_all(self)
        # Compiled templates, which have no name, and Jinja ask for each include.
        reader = sys._getframe(1)  # noqa: SLF001 - as `logging` does
        package = reader.f_globals.get("__name__", _JINJA).partition(".")[0]
        is_view = reader.f_code.co_name == "f_all"  # `keys`, `values` and `items`.
        if current_dependencies() is not None and (is_view or package != _JINJA):
            for name, value in found.items():
                note_variable(name, value, self)
        return found

    return get_all


def _noting_dumps(dumps: Callable[..., str]) -> Callable[..., str]:
    """Return `json.dumps`, which asks an empty dictionary for nothing."""

    @wraps(dumps)
    def noting(value: Any, **options: Any) -> str:
        if current_dependencies() is not None:
            for each in (value, *(value.values() if type(value) is dict else ())):
                is_empty = isinstance(each, dict) and not dict.__len__(each)
                if is_empty and is_watched(each):
                    len(each)  # This is noted.
        return dumps(value, **options)

    return noting
