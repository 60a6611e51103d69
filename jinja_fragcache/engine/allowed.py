"""Checks the names of what bodies may read though their keys lack it."""

import re
from collections.abc import Iterable
from typing import Any

from jinja_fragcache.errors import PolicyError
from jinja_fragcache.guard.reads import CONTAINERS
from jinja_fragcache.messages import describe, did_you_mean, warn_caller

from .dependencies import guarded_names

# The name of an item may have any characters but white space.
_NAME = r"[^\W\d]\w*(\.[^\s.]+)*"
# What is written for an item, or for all items, and is no name of a read.
_EXPRESSION = r"\.get\(|\.\*(\.|$)|\["
_WITH_SPACE = {"flashed messages"}
# What the reads of frameworks begin with.
_ROOTS = frozenset(
    {
        *("csrf_input", "csrf_token", "current_user", "g", "language", "locale"),
        *("messages", "perms", "request", "session", "timezone", "user"),
    }
)


def allowed_names(names: Any) -> tuple[str, ...]:
    """Return the names in `guard_allow`, checked.

    What no framework has may be a name that a context processor gives. One that is
    similar to a framework's is warned of.

    Raises:
        PolicyError: If it is no list of names.
    """
    listed = [] if isinstance(names, (str, bytes)) else _listed(names)
    if not listed and names not in ((), [], set(), frozenset()):
        raise PolicyError("guard_allow", describe(names), 'names: ["g.theme"]')
    for name in listed:
        if not isinstance(name, str) or not (
            name in _WITH_SPACE or re.fullmatch(_NAME, name)
        ):
            raise _wrong(name)
        if re.search(_EXPRESSION, name):
            raise _wrong(name)
        _warn_of(name)
    return tuple(listed)


def _wrong(name: Any) -> PolicyError:
    allowed = (
        'names, with dots: ["g.theme", "session.cart"], and "session" for all that is'
        " in it"
    )
    return PolicyError("guard_allow", f"{describe(name)} in the list", allowed)


def _listed(names: Any) -> list[Any]:
    return [*names] if isinstance(names, Iterable) else []


def _warn_of(name: str) -> None:
    root, _, rest = name.partition(".")
    known = _ROOTS | guarded_names()
    if root == "request" and rest:
        _warn_of_part(rest.partition(".")[0].removesuffix("()"))
    if name not in _WITH_SPACE and root not in known:
        similar = did_you_mean(root, known)
        if similar:
            warn_caller(f"guard_allow: nothing that is read is named {root}.{similar}")


def _warn_of_part(part: str) -> None:
    named = (each.split(".") for each in CONTAINERS)
    parts = {each[1] for each in named if len(each) == 2}  # noqa: PLR2004 - `request.args`
    similar = did_you_mean(part, parts)
    if similar and part not in parts:
        warn_caller(
            f"guard_allow: nothing that all requests have is named {part}.{similar}"
        )
