"""Reads the values of settings, which environment variables can give as text only."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from jinja_fragcache.errors import SettingError
from jinja_fragcache.messages import without_logins

from .settings import SETTINGS, Setting

# Meanings are Markdown, for the documentation.
_LINK, _SHOWN = re.compile(r"\[([^]]*)\]\([^)]*\)"), r"\1"
_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")
# An empty prefix is one, and an empty secret must not turn signing off.
_MAY_BE_EMPTY = {"CACHE_KEY_PREFIX", "CACHE_SIGNING_KEY"}
# A number, for which None has a meaning of its own, and one to show as an example.
_NUMBER_OR_NONE, _SOME_NUMBER = "CACHE_MAX_ENTRY_SIZE", 1_000_000
# Flags, for which None has a meaning of its own.
_FLAGS_OR_NONE = {
    "CACHE_DEBUG_OVERLAY",
    "CACHE_INSPECTOR",
    "CACHE_SERVER_TIMING",
    "CACHE_SOURCE_CHECK",
    "CACHE_STATISTICS",
}
# Flask-Caching has the default for None, too. Elsewhere None has a meaning, or is a
# mistake.
_MAY_BE_NONE = {
    "CACHE_ARGS",
    "CACHE_LISTENERS",
    "CACHE_OPTIONS",
    "CACHE_REDIS_DB",
    "CACHE_REDIS_SENTINELS",
    "CACHE_SERIALIZER",
    "CACHE_THRESHOLD",
    *(each.name for each in SETTINGS if isinstance(each.default, bool)),
}


def read_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, with a value for each.

    An empty text is the same as no setting. Texts of numbers, and texts such as "true",
    become what they say. All other values are left as they are.

    Args:
        given: The settings of the application, with any others. Missing ones have their
            default.

    Raises:
        SettingError: If a number or a flag is a text that can't be read, or a function
            is none.
    """
    method = given.get("CACHE_HASH_METHOD")
    if method and not callable(method):
        raise SettingError(
            f"CACHE_HASH_METHOD can't be {without_logins(repr(method))}. It is a"
            " function such as hashlib.sha256. (Keys are SHA-256 always: leave it out.)"
        )
    return {**given, **{each.name: _read(each, given) for each in SETTINGS}}


def _read(setting: Setting, given: Mapping[str, Any]) -> Any:
    name, default = setting.name, setting.default
    value = given.get(name, default)
    if value is None and name in _MAY_BE_NONE:
        return default
    if isinstance(value, str) and not value and name not in _MAY_BE_EMPTY:
        return default
    if isinstance(default, bool) or (name in _FLAGS_OR_NONE and value is not None):
        return _read_flag(setting, value)
    if isinstance(value, str) and (isinstance(default, int) or name == _NUMBER_OR_NONE):
        return _read_number(setting, value)
    return value


def _read_flag(setting: Setting, value: Any) -> bool:
    text = value.strip().lower() if isinstance(value, str) else None
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    if text in (*_TRUE, *_FALSE):
        return text in _TRUE
    raise SettingError(
        f"{setting.name} can't be {without_logins(repr(value))}. Write True or False;"
        " in an environment variable, true or false."
    )


def _read_number(setting: Setting, text: str) -> int | float:
    with suppress(ValueError):
        return int(text)
    with suppress(ValueError):
        return float(text)
    example = _SOME_NUMBER if setting.default is None else setting.default
    raise SettingError(
        f"{setting.name} can't be {without_logins(repr(text))}. It is a number"
        f" ({_LINK.sub(_SHOWN, setting.meaning)}). Write, for example,"
        f" {setting.name}={example}."
    )
