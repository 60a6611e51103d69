"""What can go wrong, and what to write instead.

Every error of this package is a `FragmentCacheError`. A mistake in a template's source
is a `jinja2.TemplateSyntaxError`, as for any other tag.
"""

import re

from jinja2 import TemplateRuntimeError

_LOGIN = re.compile(r"[^\s'\"(\[,/]+@")


def without_logins(text: object) -> str:
    """Write an error or a value without what stands before an @, such as a password."""
    return _LOGIN.sub("...@", str(text))


class FragmentCacheError(Exception):
    """Base of all errors of this package."""


class KeyValueError(FragmentCacheError, TypeError):
    """A value can't stand in a key, because it does not say what it is.

    An undefined variable is such a value, and an object whose only text is the address
    it happens to have in memory.
    """


class TimeoutValueError(FragmentCacheError, ValueError):
    """A value is no timeout."""


class SettingError(FragmentCacheError, ValueError):
    """A setting has a value that is not allowed."""


class SerializationError(FragmentCacheError, TypeError):
    """A value can't be made a text, and read back as what it was."""


class StoreError(FragmentCacheError):
    """A store could not do what was asked, or is no store at all."""


class FragmentTagError(FragmentCacheError, TemplateRuntimeError):
    """A cache tag was given a wrong value while its template was rendered."""
