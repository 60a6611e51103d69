"""Attributes that an application gives to its requests of Werkzeug's kind.

It sets them on a request, or has a class of requests that declares or computes them.
"""

from functools import cache
from types import FunctionType
from typing import Any

_FRAMEWORKS = frozenset({"builtins", "flask", "quart", "werkzeug"})
_METHODS = (FunctionType, classmethod, staticmethod)


def own_attributes(request: Any, kind: type, known: frozenset[str]) -> frozenset[str]:
    """Return the attributes that an application has given to a request.

    Args:
        request: The request.
        kind: The class that it was made of.
        known: The attributes that all requests have.
    """
    # Of each request, few are left after `known`, which is taken away in one step.
    left = vars(request).keys() - known
    given = frozenset(name for name in left if is_own(kind, name, known))
    return given | _declared(kind)


def is_own(kind: type, name: str, known: frozenset[str]) -> bool:
    """Return whether an attribute is one that no class of requests knows.

    Args:
        kind: The class of the request that has it.
        name: Its name.
        known: As for `own_attributes`.
    """
    return not (name.startswith("_") or name in known or hasattr(kind, name))


def is_constant(request: Any, name: str) -> bool:
    """Return whether an attribute is that of the class, and the same for all requests.

    What is false is no constant: it stands for what some requests do not have.
    """
    value = getattr(type(request).__base__, name, None)
    return name not in vars(request) and not hasattr(value, "__get__") and bool(value)


@cache
def _declared(kind: type) -> frozenset[str]:
    """Return the attributes that an application's class has and no framework's class.

    Methods are not among them: what they read is noted.
    """
    ours = [each for each in kind.__mro__ if _package(each) not in _FRAMEWORKS]
    theirs = {name for each in kind.__mro__ if each not in ours for name in vars(each)}
    return frozenset(
        name
        for each in ours
        for name, value in vars(each).items()
        if not (name.startswith("_") or name in theirs or isinstance(value, _METHODS))
    )


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]
