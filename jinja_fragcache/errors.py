"""What can go wrong, and what to write instead.

Every error of this package is a `FragmentCacheError`. A mistake in a template's source
is a `jinja2.TemplateSyntaxError`, as for any other tag.
"""

from jinja2 import TemplateRuntimeError

_NOT_FOUND = ("django", "Http404")
_ANSWERS = {
    ("werkzeug", "HTTPException"),
    ("starlette", "HTTPException"),
    _NOT_FOUND,
    ("django", "PermissionDenied"),
    ("django", "SuspiciousOperation"),
}
# RFC 9110, 15.6: what is below is no failure of the server.
_FIRST_OF_FAILURES = 500
_GONE = {404, 410}


class FragmentCacheError(Exception):
    """Base of all errors of this package."""


class KeyValueError(FragmentCacheError, TypeError):
    """A value can't stand in a key, because it does not say what it is.

    An undefined variable is such a value, and an object whose only text is the address
    it happens to have in memory.
    """


class TimeoutValueError(FragmentCacheError, ValueError):
    """A value is no timeout."""


class PolicyError(FragmentCacheError, ValueError):
    """A rule of a cache has a value that is not allowed.

    Args:
        name: the rule.
        given: what it was given, as `describe` writes it.
        allowed: what it takes.
    """

    def __init__(self, name: str, given: str, allowed: str) -> None:
        self.name = name
        super().__init__(f"{name} can't be {given}. It is {allowed}.")


class SettingError(FragmentCacheError, ValueError):
    """A setting has a value that is not allowed."""


class SerializationError(FragmentCacheError, TypeError):
    """A value can't be made a text, and read back as what it was."""


class StoreError(FragmentCacheError):
    """A store could not do what was asked, or is no store at all."""


class AsyncOnlyError(StoreError):
    """A store whose methods are coroutines was used where nothing can await them."""


class FragmentTagError(FragmentCacheError, TemplateRuntimeError):
    """A cache tag was given a wrong value while its template was rendered."""


def is_no_failure(error: Exception) -> bool:
    """Tell whether an error is to be shown, and not to be replaced by what was before.

    Frameworks have errors for "404 Not Found" and the like, which are what the client
    is to be told. They are known by their names: those of Werkzeug, Starlette and
    Django. So is a PermissionError, if it is not the system's. An error of this package
    is a mistake in a template.
    """
    if isinstance(error, FragmentCacheError):
        return True
    if isinstance(error, PermissionError):
        return error.errno is None
    if _names(error).isdisjoint(_ANSWERS):
        return False
    status = _status(error)
    return status is None or status < _FIRST_OF_FAILURES


def says_gone(error: Exception) -> bool:
    """Tell whether an error says that what was asked for is not there any more."""
    names = _names(error)
    if names.isdisjoint(_ANSWERS):
        return False
    return _NOT_FOUND in names or _status(error) in _GONE


def _names(error: Exception) -> set[tuple[str, str]]:
    """Give the names of an error's classes, each with that of its package."""
    return {
        (cls.__module__.partition(".")[0], cls.__name__) for cls in type(error).__mro__
    }


def _status(error: Exception) -> int | None:
    """Give the status of what a framework makes of an error, None if it has none."""
    # The first is Starlette's, the last Werkzeug's, where an error may also stand for a
    # whole response.
    response = getattr(error, "response", None)
    for owner, name in (
        (error, "status_code"),
        (response, "status_code"),
        (error, "code"),
    ):
        status = getattr(owner, name, None)
        if isinstance(status, int):
            return status
    return None
