"""What `--app` and `--env` name: imports it, and returns its Jinja environment."""

import importlib
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from jinja2 import Environment

from jinja_fragcache.errors import CheckError

_TARGET = re.compile(r"([\w.]+):(\w+(?:\.\w+)*)(\(\))?")


def environment_of_app(target: str, folder: Path) -> Environment:
    """Return the Jinja environment of a Flask application.

    Args:
        target: `module:app`, or `module:create_app()` for a factory.
        folder: The folder from which the module can be imported.

    Raises:
        CheckError: If it can't be imported, or is no Flask application.
    """
    app = _load(target, "--app", folder)
    environment = _attribute(app, target)
    if environment is None and callable(app):
        app = _call(app, target, "--app")
        environment = _attribute(app, target)
    if not isinstance(environment, Environment):
        raise CheckError(
            f"--app {target} is {_kind(app)}, which is no Flask application. Write"
            " module:app, or module:create_app() for a factory."
        )
    return environment


def environment_of(target: str, folder: Path) -> Environment:
    """Return a Jinja environment.

    Args:
        target: `module:env`, or `module:make_env()` for a function that makes it.
        folder: The folder from which the module can be imported.

    Raises:
        CheckError: If it can't be imported, or is no environment.
    """
    found = _load(target, "--env", folder)
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
        raise CheckError(f"{option} {target!r} is not of the form module:name.")
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
    for name in names.split("."):
        if not hasattr(value, name):
            raise CheckError(f"{option} {target}: there is no {name!r} in it.")
        value = getattr(value, name)
    return _call(value, target, option) if called else value


def _call(function: Any, target: str, option: str) -> Any:
    try:
        return function()
    except Exception as error:
        raise _failed(target, option, "be called", error) from error


def _attribute(app: Any, target: str) -> Any:
    try:
        return getattr(app, "jinja_env", None)
    except Exception as error:
        raise _failed(target, "--app", "make its Jinja environment", error) from error


def _failed(target: str, option: str, what: str, error: Exception) -> CheckError:
    """Return an error that names the line in the user's code."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return CheckError(
        f"{option} {target} can't {what}: {type(error).__name__}: {error}"
        f" ({last.filename}:{last.lineno})"
    )


def _kind(value: object) -> str:
    return f"an object of {type(value).__name__}"
