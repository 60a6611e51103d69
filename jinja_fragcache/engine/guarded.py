"""Variables of templates that differ between users, as the application tells."""

from typing import Any

from jinja_fragcache.errors import PolicyError
from jinja_fragcache.messages import describe

#: Their names.
guarded: set[str] = set()


def guard_variables(*names: str) -> None:
    """Tell the guard of template variables that differ between users.

    A fragment whose body reads one of them is stored only if its key names it.

    Args:
        names: The names of the variables, such as `tenant`.

    Raises:
        PolicyError: If one is no name of a variable.
    """
    for name in names:
        given: Any = name
        if not isinstance(given, str) or not given.isidentifier():
            allowed = 'names of variables without dots: guard_variables("tenant")'
            raise PolicyError("guard_variables", describe(given), allowed)
    guarded.update(names)
