"""Settings as people may see them: without passwords, keys and logins.

A setting whose name tells of a secret shows only whether it is set. Of objects, whose
repr may show anything, there is only the class. In doubt a value is not shown.
"""

import re
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple

from jinja_fragcache.messages import class_name, one_line, without_logins

MASK = "••••••"
_SECRET = re.compile(
    r"pass|pwd|secret|token|signing|credential|auth|(^|_)key", re.IGNORECASE
)
_NO_SECRET = re.compile(r"(^|_)key_(prefix|for)", re.IGNORECASE)
# What texts among the arguments of a store may show. Others may be a password under a
# name of a client's own.
_PLAIN_OPTIONS = {
    "cache_dir",
    "charset",
    "client_name",
    "encoding",
    "host",
    "key_prefix",
    "master",
    "name",
    "path",
    "prefix",
    "unix_socket_path",
    "where",
}
_OPTIONS, _ARGUMENTS = "CACHE_OPTIONS", "CACHE_ARGS"
_NUMBERS = {bool, int, float, timedelta}
_LISTS = {list, tuple, set, frozenset}
_NAMES = {str, int}
_BUILTIN = _NUMBERS | _LISTS | {str, bytes, dict}
_MOST_CHARACTERS, _MOST_ITEMS = 300, 40


class ShownSetting(NamedTuple):
    """A setting in force.

    Attributes:
        name: Its name.
        value: Its value, as it may be shown.
        default: Its default, in the same form.
        is_default: Whether nobody has set it to anything else.
    """

    name: str
    value: str
    default: str
    is_default: bool


def show_setting(name: str, value: Any, default: Any) -> ShownSetting:
    """Return a setting as it may be shown."""
    told = shown(name, value), shown(name, default)
    return ShownSetting(name, *told, is_default=_is_same(value, default))


def shown(name: str, value: Any) -> str:
    """Return the value of a setting as it may be shown. It never fails."""
    if value is None or isinstance(value, bool):
        return repr(value)
    if _is_secret(name):
        return f"{MASK} (set)" if value else "empty"
    if name == _ARGUMENTS:
        # Which of them is the password depends on the store.
        return f"{MASK} (not shown)" if value else "[]"
    text = _shown_inside(value, hides_texts=name == _OPTIONS)
    return one_line(text, _MOST_CHARACTERS)


def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not _NO_SECRET.search(name)


def _is_same(value: Any, default: Any) -> bool:
    if value is default:
        return True
    kinds = {type(value), type(default)}
    # Those of other types compare as they like.
    is_comparable = kinds == {int, float} or (len(kinds) == 1 and kinds <= _BUILTIN)
    return is_comparable and bool(value == default)


def _shown_inside(value: Any, *, hides_texts: bool, depth: int = 3) -> str:
    """Return a value that may be inside of others.

    Args:
        value: The value.
        hides_texts: Whether its texts may be secrets.
        depth: How many levels of values inside of it are shown.
    """
    if value is None or type(value) in _NUMBERS:
        return str(value)
    if type(value) is str:
        return MASK if hides_texts else repr(without_logins(value))
    if depth and type(value) is dict:
        items = [
            f"{_shown_name(key)}: {_shown_item(key, each, hides_texts, depth - 1)}"
            for key, each in islice(value.items(), _MOST_ITEMS)
        ]
        return f"{{{', '.join(items)}}}"
    if depth and type(value) in _LISTS:
        items = [
            _shown_inside(each, hides_texts=hides_texts, depth=depth - 1)
            for each in islice(value, _MOST_ITEMS)
        ]
        inner = ", ".join(items)
        return f"({inner})" if type(value) is tuple else f"[{inner}]"
    return _shown_object(value)


def _shown_name(name: object) -> str:
    return repr(name) if type(name) in _NAMES else _shown_object(name)


def _shown_item(name: Any, value: Any, hides_texts: bool, depth: int) -> str:
    if type(name) not in _NAMES or _is_secret(str(name)):
        return MASK
    hides_texts = hides_texts and name not in _PLAIN_OPTIONS
    return _shown_inside(value, hides_texts=hides_texts, depth=depth)


def _shown_object(value: Any) -> str:
    if isinstance(value, type):
        return f"class {value.__module__}.{value.__qualname__}"
    name = getattr(value, "__qualname__", None)
    if callable(value) and isinstance(name, str):
        return f"{getattr(value, '__module__', '')}.{name}".lstrip(".")
    return f"an object of {class_name(value)}"
