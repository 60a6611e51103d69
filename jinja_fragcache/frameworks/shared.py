"""What an application keeps in its requests that is the same for all users."""

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache, partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

# By the names that connections usually have.
_NAMES = frozenset(
    {
        "conn",
        "connection",
        "cursor",
        "database",
        "db",
        "engine",
        "redis",
        "sqlite_db",
    }
)
# Where a proxy of Werkzeug's keeps what it was made with.
_PROXIED = "_LocalProxy__wrapped"
_PLAIN = (str, bytes, int, float, bool, type(None))
_CACHED = type(lru_cache(len))
# By the package of their class.
_PACKAGES = frozenset(
    {
        "MySQLdb",
        "aiohttp",
        "asyncpg",
        "elasticsearch",
        "httpx",
        "motor",
        "mysql",
        "psycopg",
        "psycopg2",
        "pymongo",
        "pymysql",
        "redis",
        "sqlalchemy",
        "sqlite3",
    }
)


def is_shared(name: str, value: Any, app: Any = None) -> bool:
    """Return whether a value is the same for all users, such as a connection.

    Args:
        name: The name that it has in the request, or in Flask's `g`.
        value: The value.
        app: As for `lives_with`, None if it is not known.
    """
    if name in _NAMES or isinstance(value, ModuleType) or _is_connection(value):
        return True
    return callable(value) and lives_with(app, value)


def lives_with(app: Any, value: Any) -> bool:
    """Return whether an object is older than the request, since an application has it.

    Args:
        app: The application, or Django's settings. Its configuration, its state, and
            its extensions and the objects of its views with their attributes are
            looked at.
        value: The object. Plain values may be equal by chance, so they don't count. A
            function counts if it remembers only such objects, as `lambda: shop.name`
            has a shop.
    """
    return _lives_with(app, value, ())


def _lives_with(app: Any, value: Any, inside: tuple[Any, ...]) -> bool:
    if hasattr(type(value), "_get_current_object"):
        # What a proxy stands for is noted where it is read, but not what the function
        # remembers that returns it.
        value = _made_with(value)
        if _parts_of(value) is None:
            return True
    if isinstance(value, _PLAIN):
        return False
    if isinstance(value, ModuleType | type) or _is_connection(value):
        return True
    if any(value is each for each in inside):
        return True  # A function that calls itself remembers itself.
    parts = _parts_of(value)
    if parts is not None:
        inside = (*inside, value)
        return all(_lives_with(app, each, inside) for each in parts)
    owners = [app, *getattr(app, "extensions", {}).values()]
    # Flask-Admin's views, for instance, are methods of objects.
    views = getattr(app, "view_functions", {}).values()
    owners += [each.__self__ for each in views if isinstance(each, MethodType)]
    held = [each for owner in owners for each in _fields(owner)]
    # The last one is Starlette's.
    kept = [
        *getattr(app, "config", {}).values(),
        *_kept_in(getattr(app, "state", None)),
    ]
    return any(each is value for each in [*owners, *held, *kept])


def _made_with(proxy: Any) -> Any:
    """Return what a proxy was made with, None if that is not known."""
    with suppress(AttributeError):  # Others than Werkzeug have such proxies, too.
        return object.__getattribute__(proxy, _PROXIED)
    return None


def _kept_in(state: Any) -> Iterator[Any]:
    """Yield the values that an application of Starlette keeps in its state."""
    for kept in _fields(state):
        yield from kept.values() if isinstance(kept, dict) else ()


def _parts_of(function: Any) -> list[Any] | None:
    """Return what a function has from where it was made, None for other objects."""
    if isinstance(function, MethodType | BuiltinFunctionType):
        return [function.__self__]
    if isinstance(function, partial):
        return [function.func, *function.args, *function.keywords.values()]
    if isinstance(function, _CACHED):
        return [function.__wrapped__]
    return list(_remembered(function)) if isinstance(function, FunctionType) else None


def _remembered(function: FunctionType) -> Iterator[Any]:
    """Yield the values that a function got where it was made, if that was in another.

    The other function may have read them.
    """
    if "<locals>" not in function.__qualname__:
        return
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # It has no value yet.
            yield cell.cell_contents
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()


def _is_connection(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in _PACKAGES


def _fields(owner: Any) -> Iterator[Any]:
    """Yield the values of an object's attributes."""
    yield from getattr(owner, "__dict__", {}).values()
    slots = getattr(type(owner), "__slots__", ())
    for name in (slots,) if isinstance(slots, str) else slots:
        yield getattr(owner, name, None)
