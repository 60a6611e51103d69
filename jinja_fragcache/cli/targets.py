"""What `--app` and `--env` name: imports it, and finds its environment and cache."""

import importlib
import inspect
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from jinja2 import Environment

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import CheckError, FragmentCacheError, StoreError
from jinja_fragcache.render.environment import fragment_cache_of

_PACKAGE = str(Path(__file__).parent.parent)
_TARGET = re.compile(r"([\w.]+):(\w+(?:\.\w+)*)(\(\))?")
# Under this name, the `extensions` of an application have its caches.
_EXTENSION = "jinja_fragcache"


def environment_of_app(target: Any, folder: Path) -> Environment:
    """Return the Jinja environment of a Flask application.

    Args:
        target: `module:app`, or `module:create_app()` for a factory; or an application.
        folder: The folder from which the module can be imported.

    Raises:
        CheckError: If it can't be imported, or is no Flask application.
    """
    return _environment_in(app_of(target, folder), target)


def app_of(target: Any, folder: Path) -> Any:
    """Return the application that is meant, of any framework.

    Args:
        target: As for `environment_of_app`.
        folder: As for `environment_of_app`.

    Raises:
        CheckError: If it can't be imported, or a factory fails.
    """
    if not isinstance(target, str):
        return target
    app = _load(target, "--app", folder)
    is_app = _attribute(app, target) is not None or not callable(app)
    return app if is_app or _takes_arguments(app) else _call(app, target, "--app")


def cache_of_app(app: Any, target: Any) -> FragmentCache:
    """Return the cache of an application's templates, or else its only one.

    Args:
        app: The application.
        target: What was given as `--app`, for the error.

    Raises:
        CheckError: If it has none, or is no Flask application.
    """
    shown = target if isinstance(target, str) else app.name
    environment = _environment_in(app, shown)
    caches = getattr(app, "extensions", {}).get(_EXTENSION, {})
    try:
        return fragment_cache_of(environment)
    except StoreError:
        if len(caches) == 1:
            (app_cache,) = caches.values()
            found: FragmentCache = app_cache.fragment_cache
            return found
    raise CheckError(
        f"The application {shown} has no cache. Write Cache(app) or"
        " cache.init_app(app) where it is made."
    )


def cache_of_environment(environment: Environment, target: str) -> FragmentCache:
    """Return the cache of an environment.

    Args:
        environment: The environment.
        target: What was given as `--env`, for the error.

    Raises:
        CheckError: If it has none.
    """
    try:
        return fragment_cache_of(environment)
    except StoreError as error:
        raise CheckError(f"--env {target}: {error}") from error


def environment_of(target: str, folder: Path) -> Environment:
    """Return a Jinja environment.

    Args:
        target: `module:env`, or `module:make_env()` for a function that makes it.
        folder: The folder from which the module can be imported.

    Raises:
        CheckError: If it can't be imported, or is no environment.
    """
    found = _load(target, "--env", folder)
    if isinstance(getattr(found, "jinja_env", None), Environment):
        raise CheckError(
            f"--env {target} is an application, {_kind(found)}. Write --app {target}."
        )
    if not isinstance(found, Environment) and callable(found):
        found = _call(found, target, "--env")
    if not isinstance(found, Environment):
        raise CheckError(
            f"--env {target} is {_kind(found)}, which is no Jinja environment. Write"
            " module:env, or module:make_env() for a function that makes it."
        )
    return found


def _load(target: str, option: str, folder: Path) -> Any:
    found = _TARGET.fullmatch(target)
    if found is None:
        name = option.removeprefix("--")
        raise CheckError(
            f"{option} {target!r} is not of the form module:name, such as shop:{name}."
        )
    module_name, names, called = found.groups()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        value: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name and not module_name.startswith(f"{error.name}."):
            raise _failed(target, option, "be imported", error) from error
        raise CheckError(
            f"{option} {target}: there is no module {error.name!r}."
        ) from (error)
    except Exception as error:
        raise _failed(target, option, "be imported", error) from error
    # Another module may have the name, such as Python's own `site`.
    file = getattr(value, "__file__", None)
    where = f"it ({file})" if file else "it"
    for name in names.split("."):
        if not hasattr(value, name):
            raise CheckError(f"{option} {target}: there is no {name!r} in {where}.")
        value = getattr(value, name)
    return _call(value, target, option) if called else value


def _takes_arguments(function: Any) -> bool:
    """Return whether a function can't be called without arguments, as a factory is."""
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return True
    return False


def _call(function: Any, target: str, option: str) -> Any:
    try:
        return function()
    except Exception as error:
        raise _failed(target, option, "be called", error) from error


def _environment_in(app: Any, target: Any) -> Environment:
    environment = _attribute(app, target)
    if not isinstance(environment, Environment):
        raise CheckError(
            f"--app {target} is {_kind(app)}, which is no Flask application. Write"
            " module:app, or module:create_app() for a factory. With other frameworks,"
            " name the Jinja environment: --env module:env."
        )
    return environment


def _attribute(app: Any, target: str) -> Any:
    try:
        return getattr(app, "jinja_env", None)
    except Exception as error:
        raise _failed(target, "--app", "make its Jinja environment", error) from error


def _failed(target: str, option: str, what: str, error: Exception) -> CheckError:
    """Return an error that names the line in the user's code."""
    frames = list(traceback.extract_tb(error.__traceback__))
    if isinstance(error, FragmentCacheError):
        # A wrong setting, which this package refuses, and the caller has written.
        frames = [each for each in frames if not each.filename.startswith(_PACKAGE)]
    # Python's own import system has no files.
    own = [each for each in frames if not each.filename.startswith("<")]
    last = (own or frames)[-1]
    text, file, line = str(error), last.filename, last.lineno
    if isinstance(error, SyntaxError) and error.filename:
        # Nothing of the file has run. Its text would name it without the folder.
        text, file, line = error.msg, error.filename, error.lineno
    # Arguments that the user's function needs are missing in the call that stands here.
    place = "" if file == __file__ else f" ({file}:{line})"
    return CheckError(
        f"{option} {target} can't {what}: {type(error).__name__}: {text}{place}"
    )


def _kind(value: object) -> str:
    return f"an object of {type(value).__name__}"
