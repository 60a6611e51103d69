"""The commands, and their options."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from jinja_fragcache.check.checker import check
from jinja_fragcache.check.formats import FORMATS
from jinja_fragcache.check.outlines_kept import FOLDER, KeptOutlines
from jinja_fragcache.check.project import (
    Project,
    default_environment,
    from_environment,
    from_paths,
)
from jinja_fragcache.check.reading import read
from jinja_fragcache.check.settings import (
    Settings,
    active_rules,
    check_codes,
    load_settings,
)
from jinja_fragcache.check.vocabulary import vocabulary
from jinja_fragcache.errors import CheckError
from jinja_fragcache.reads.outline import Broken

from .reports import (
    rows_as_json,
    rows_of,
    show_report,
    show_rows,
    with_progress,
)
from .targets import environment_of, environment_of_app

F = TypeVar("F", bound=Callable[..., Any])
# As for a wrong option.
_WRONG = 2


class _Failure(click.ClickException):
    """A mistake in the options or settings."""

    exit_code = _WRONG


def _targets(command: F) -> F:
    """Add the options that say which templates are meant."""
    for option in (
        click.option(
            "--no-cache", is_flag=True, help=f"Don't read or write {FOLDER}/."
        ),
        click.option(
            "--env",
            metavar="MODULE:NAME",
            help="A Jinja environment, whose templates and extensions are used.",
        ),
        click.option(
            "--app",
            metavar="MODULE:NAME",
            help="A Flask application, or MODULE:FACTORY().",
        ),
        click.argument("paths", nargs=-1, type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


@click.group()
def commands() -> None:
    """Check the cache tags of Jinja templates, or list them."""


@commands.command("check")
@_targets
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", *FORMATS]),
    default="text",
    show_default=True,
    help="How findings are written.",
)
@click.option("--select", metavar="RULES", help="Look for these only: FC001,FC002.")
@click.option("--ignore", metavar="RULES", help="Don't look for these.")
def check_command(
    paths: tuple[Path, ...],
    app: str | None,
    env: str | None,
    no_cache: bool,
    format_: str,
    select: str | None,
    ignore: str | None,
) -> None:
    """Find fragments whose keys lack a value.

    PATHS are folders of templates, or single ones. Without any, those in
    [tool.jinja-fragcache] in pyproject.toml are checked.

    The exit status is 0 if nothing is wrong, 1 if something is (notes don't count), and
    2 if an option, a setting or a path is wrong.
    """
    try:
        settings = load_settings(Path.cwd())
        selected, ignored = _codes(select, "--select"), _codes(ignore, "--ignore")
        project = _project(settings, paths, app, env, is_cached=not no_cache)
    except CheckError as error:
        raise _Failure(str(error)) from error
    words = vocabulary(
        settings.names, settings.locale, settings.shared, settings.covered
    )
    active = active_rules(selected or settings.select, (*ignored, *settings.ignore))
    report = check(project, words, active)
    if format_ == "text":
        show_report(report)
    else:
        _write(FORMATS[format_](report))
    sys.exit(0 if report.is_clean else 1)


@commands.command("list")
@_targets
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How fragments are written.",
)
def list_command(
    paths: tuple[Path, ...],
    app: str | None,
    env: str | None,
    no_cache: bool,
    format_: str,
) -> None:
    """List all fragments: names, timeouts, keys, tags and places."""
    try:
        settings = load_settings(Path.cwd())
        project = _project(settings, paths, app, env, is_cached=not no_cache)
    except CheckError as error:
        raise _Failure(str(error)) from error
    rows = rows_of(project)
    if format_ == "json":
        _write(rows_as_json(rows))
    else:
        show_rows(rows)
    asked = [each for each in project.templates.values() if each.is_asked]
    broken = [each for each in asked if isinstance(each.read, Broken)]
    for template in broken:
        click.echo(f"{template.file}: can't be parsed. See the check.", err=True)
    sys.exit(1 if broken else 0)


def _write(text: str) -> None:
    """Print a text for other programs, which is UTF-8 wherever it goes."""
    if text:
        click.echo(text.encode())


def _codes(text: str | None, option: str) -> tuple[str, ...]:
    named = (each.strip().upper() for each in (text or "").split(","))
    codes = tuple(code for code in named if code)
    check_codes(codes, option)
    return codes


def _project(
    settings: Settings,
    paths: tuple[Path, ...],
    app: str | None,
    env: str | None,
    *,
    is_cached: bool,
) -> Project:
    """Read the templates that the options, or else the settings, name."""
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
    kept = KeptOutlines(settings.folder / FOLDER, environment) if is_cached else None
    read(project, kept, with_progress)
    if kept:
        kept.save()
    return project
