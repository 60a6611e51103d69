"""The options that several commands have, and the application or cache they mean."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.check.settings import Settings, load_settings
from jinja_fragcache.errors import CheckError, KeyValueError
from jinja_fragcache.keys.fragment import make_template_fragment_key

from .targets import app_of, cache_of_app, cache_of_environment, environment_of

F = TypeVar("F", bound=Callable[..., Any])
#: The exit status after a mistake, as click has it for a wrong option.
WRONG = 2
#: `flask cache` has no such options: Flask knows the application.
TARGETS = ("app", "env")


class Failure(click.ClickException):
    """What was asked for can't be done: one line on stderr."""

    exit_code = WRONG


def app_option(command: F) -> F:
    """Add `--app`."""
    return click.option(
        "--app",
        metavar="MODULE:NAME",
        help="A Flask application, or MODULE:FACTORY().",
    )(command)


def target_options(command: F) -> F:
    """Add `--app` and `--env`."""
    option = click.option(
        "--env",
        metavar="MODULE:NAME",
        help="A Jinja environment, whose templates and extensions are used.",
    )
    return app_option(option(command))


def json_option(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def key_arguments(command: F) -> F:
    """Add the name and the key values of a fragment."""
    for option in (
        click.option(
            "--json-keys",
            is_flag=True,
            help="Read each KEY as JSON: null, true, false, 7, [1, 2] or '\"text\"'.",
        ),
        click.argument("keys", metavar="[KEY]...", nargs=-1),
        click.argument("name"),
    ):
        command = option(command)
    return command


def key_of(name: str, keys: tuple[str, ...], *, json_keys: bool) -> tuple[str, str]:
    """Return the key of a fragment, and how people write the fragment.

    Args:
        name: Its name.
        keys: Its key values, as they were given on the command line.
        json_keys: Whether these are JSON.
    """
    values: list[Any] = [_from_json(each) for each in keys] if json_keys else [*keys]
    shown = f"{name}[{', '.join(map(_shown, values))}]" if values else name
    try:
        return make_template_fragment_key(name, values), shown
    except KeyValueError as error:
        raise Failure(str(error)) from error


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Failure(
            f"The KEY {text} is not JSON. With --json-keys, a text is in double quotes:"
            f" '{json.dumps(text)}'."
        ) from None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def settings_here() -> Settings:
    """Return the settings in `pyproject.toml`."""
    try:
        return load_settings(Path.cwd())
    except CheckError as error:
        raise Failure(str(error)) from error


def cache_for(app: Any, env: str | None) -> FragmentCache:
    """Return the cache that the options, or else the settings, name.

    The application's context is pushed until the command ends, because its key prefix
    may be a function that needs it.

    Args:
        app: What was given as `--app`; or an application.
        env: What was given as `--env`.
    """
    settings = settings_here()
    if not (app or env):
        app, env = settings.app, settings.env
    if bool(app) == bool(env):
        raise Failure(
            "Give --app or --env, not both."
            if app
            else "Which cache? Give --app or --env, or write app or env into"
            " [tool.jinja-fragcache] in pyproject.toml."
        )
    try:
        if env:
            return cache_of_environment(environment_of(env, settings.folder), env)
        found = app_of(app, settings.folder)
        cache = cache_of_app(found, app)
    except CheckError as error:
        raise Failure(str(error)) from error
    enter_context_of(found)
    return cache


def enter_context_of(app: Any) -> None:
    """Push the context of a Flask application, until the command ends."""
    context: Any = getattr(app, "app_context", lambda: None)()
    if hasattr(context, "__enter__"):
        click.get_current_context().with_resource(context)
