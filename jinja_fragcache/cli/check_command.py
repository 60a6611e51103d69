"""`check`, which finds fragments whose keys lack a value."""

import sys
from pathlib import Path
from typing import Any

import click

from jinja_fragcache.check.checker import check
from jinja_fragcache.check.formats import FORMATS
from jinja_fragcache.check.project import Project
from jinja_fragcache.check.settings import active_rules, check_codes
from jinja_fragcache.check.vocabulary import vocabulary
from jinja_fragcache.check.whole_key import reads_in_key
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.errors import CheckError, StoreError
from jinja_fragcache.render.environment import fragment_cache_of

from .options import Failure, settings_here
from .output import write
from .reports import show_report
from .templates import read_templates, template_options


@click.command("check")
@template_options
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
    app: Any,
    env: str | None,
    no_cache: bool,
    format_: str,
    select: str | None,
    ignore: str | None,
) -> None:
    """Find fragments whose keys lack a value.

    PATHS are folders of templates, or single ones. Without any, those of the
    application or environment, or those in [tool.jinja-fragcache] in pyproject.toml,
    are checked.

    The exit status is 0 if nothing is wrong, 1 if something is (notes don't count), and
    2 if an option, a setting or a path is wrong.
    """
    settings = settings_here()
    try:
        selected, ignored = _codes(select, "--select"), _codes(ignore, "--ignore")
        project = read_templates(settings, paths, app, env, is_cached=not no_cache)
    except CheckError as error:
        raise Failure(str(error)) from error
    policy = _policy_of(project)
    words = vocabulary(
        settings.names,
        settings.locale,
        settings.shared,
        (*settings.covered, *policy.guard_allow),
        reads_in_key(policy.vary_on),
    )
    active = active_rules(selected or settings.select, (*ignored, *settings.ignore))
    report = check(project, words, active)
    if format_ == "text":
        show_report(report)
    else:
        write(FORMATS[format_](report))
    sys.exit(0 if report.is_clean else 1)


def _policy_of(project: Project) -> Policy:
    """Return the settings of the cache of the templates, the default ones of none."""
    try:
        return fragment_cache_of(project.environment).engine.policy
    except StoreError:
        return Policy()  # The check can read an environment without a cache, too.


def _codes(text: str | None, option: str) -> tuple[str, ...]:
    named = (each.strip().upper() for each in (text or "").split(","))
    codes = tuple(code for code in named if code)
    check_codes(codes, option)
    return codes
