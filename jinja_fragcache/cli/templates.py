"""The templates that options, or else the settings, name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from jinja_fragcache.check.outlines_kept import FOLDER, KeptOutlines
from jinja_fragcache.check.project import (
    Project,
    default_environment,
    from_environment,
    from_paths,
)
from jinja_fragcache.check.reading import read
from jinja_fragcache.check.settings import Settings
from jinja_fragcache.errors import CheckError

from .options import target_options
from .output import with_progress
from .targets import environment_of, environment_of_app

F = TypeVar("F", bound=Callable[..., Any])
# With fewer templates, a run takes less than a second.
_MANY = 200


def template_options(command: F) -> F:
    """Add the options that say which templates are meant."""
    for option in (
        click.option(
            "--no-cache", is_flag=True, help=f"Don't read or write {FOLDER}/."
        ),
        target_options,
        click.argument("paths", nargs=-1, type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


def read_templates(
    settings: Settings,
    paths: tuple[Path, ...],
    app: Any,
    env: str | None,
    *,
    is_cached: bool,
) -> Project:
    """Read the templates that the options, or else the settings, name.

    Args:
        settings: The settings in `pyproject.toml`.
        paths: Folders of templates, and single ones.
        app: What was given as `--app`; or an application.
        env: What was given as `--env`.
        is_cached: Whether what was read is kept for the next run.

    Raises:
        CheckError: If nothing is named, it can't be read, or has no templates.
    """
    if not (paths or app or env):
        paths = tuple(settings.folder / each for each in settings.paths)
        app, env = settings.app, settings.env
    if app and env:
        raise CheckError("Give --app or --env, not both.")
    if not (paths or app or env):
        raise CheckError(
            "There is nothing to read. Name folders of templates, --app or --env, or"
            ' write paths = ["templates"] into [tool.jinja-fragcache] in'
            " pyproject.toml."
        )
    if app:
        environment = environment_of_app(app, settings.folder)
    elif env:
        environment = environment_of(env, settings.folder)
    else:
        environment = default_environment(settings.extensions)
    if paths:
        project = from_paths(paths, environment, settings.exclude)
    else:
        project = from_environment(environment, settings.exclude)
    if not (app or env):
        project.extensions = settings.extensions
    for path in project.empty:
        but = ", but for what exclude leaves out" if settings.exclude else ""
        click.echo(f"There are no templates in {path}{but}.", err=True)
    kept = KeptOutlines(settings.folder / FOLDER, environment) if is_cached else None
    shown = partial(with_progress, title="Reading templates", fewest=_MANY)
    read(project, kept, shown)
    if kept:
        kept.save()
    return project
