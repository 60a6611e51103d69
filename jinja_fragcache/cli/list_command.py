"""`list`: the fragments that are stored, or with --templates those of the templates."""

import sys
from pathlib import Path
from typing import Any

import click

from jinja_fragcache.access.store_check import place_of
from jinja_fragcache.errors import CheckError
from jinja_fragcache.keys.fragment import VARIED
from jinja_fragcache.messages import count
from jinja_fragcache.reads.outline import Broken
from jinja_fragcache.stores.facts import Amounts

from .options import Failure, cache_for, json_option, settings_here
from .output import show_table, write, write_json
from .reports import rows_as_json, rows_of, show_rows
from .stores import refuse_memory, run
from .templates import read_templates, template_options

# What the keys of fragments and of memoized functions begin with, and what these are.
_KINDS = {"fragment": "fragment", "memoize": "function"}
# The keys of what stands beside entries.
_BESIDE = {"lock", "tag", "figures"}
_OF_TEMPLATES = "To list the fragments of the templates, write list --templates."


@click.command("list")
@click.option(
    "--templates",
    "of_templates",
    is_flag=True,
    help="List the fragments of the templates, whether they are stored or not.",
)
@template_options
@json_option
def list_command(
    of_templates: bool,
    paths: tuple[Path, ...],
    app: Any,
    env: str | None,
    no_cache: bool,
    as_json: bool,
) -> None:
    """List the fragments that are stored, by name.

    With --templates, list those that stand in templates: names, timeouts, keys, tags
    and places. PATHS are as for the command "check".
    """
    if of_templates:
        _list_templates(paths, app, env, is_cached=not no_cache, as_json=as_json)
    elif paths:
        raise Failure(
            f"{paths[0]}: what is stored has no paths. To list the fragments of these"
            " templates, write list --templates PATHS."
        )
    else:
        _list_stored(app, env, as_json=as_json)


def _list_stored(app: Any, env: str | None, *, as_json: bool) -> None:
    cache = cache_for(app, env)
    refuse_memory(cache, "list what is stored", _OF_TEMPLATES)
    amounts = run(cache, lambda context: context.store.amounts())
    if amounts is None:
        raise Failure(
            f"This command can't list what is stored: {place_of(cache.store)} does not"
            " tell its keys, as Redis does. What workers have counted of each name,"
            f" stats shows. {_OF_TEMPLATES}"
        )
    rows, others = _named(amounts)
    if as_json:
        write_json(
            {
                "stored": [
                    {"name": name, "kind": kind, "entries": entries, "bytes": size}
                    for name, kind, entries, size in rows
                ],
                "other_entries": others,
                "is_partial": amounts.is_partial,
            }
        )
        return
    if rows:
        show_table(
            ("Name", "Kind", "Entries", "Bytes"),
            [(name, kind, f"{n:,}", f"{size:,}") for name, kind, n, size in rows],
            numbers=("Entries", "Bytes"),
        )
    also = f", and {count(others, 'other key')}" if others else ""
    more = f" in the first {amounts.entries:,} keys" if amounts.is_partial else ""
    click.echo(f"{count(len(rows), 'name')}{also}{more}, in {place_of(cache.store)}.")


def _named(amounts: Amounts) -> tuple[list[tuple[str, str, int, int]], int]:
    """Return name, kind, entries and bytes of what has a name, and how much has none.

    Locks and the versions of tags are left out.
    """
    found: dict[tuple[str, str], tuple[int, int]] = {}
    others = 0
    for start, (entries, size) in amounts.by_start.items():
        kind, _, name = start.removeprefix(VARIED).partition(":")
        if name and kind in _KINDS:
            # As figures and logs name functions.
            shown = f"{name}()" if _KINDS[kind] == "function" else name
            of = (shown, _KINDS[kind])
            n, total = found.get(of, (0, 0))
            found[of] = n + entries, total + size
        elif kind not in _BESIDE:
            others += entries
    return sorted((*key, *amount) for key, amount in found.items()), others


def _list_templates(
    paths: tuple[Path, ...],
    app: Any,
    env: str | None,
    *,
    is_cached: bool,
    as_json: bool,
) -> None:
    settings = settings_here()
    try:
        project = read_templates(settings, paths, app, env, is_cached=is_cached)
    except CheckError as error:
        raise Failure(str(error)) from error
    rows = rows_of(project)
    if as_json:
        write(rows_as_json(rows))
    else:
        show_rows(rows)
    asked = [each for each in project.templates.values() if each.is_asked]
    broken = [each for each in asked if isinstance(each.read, Broken)]
    for template in broken:
        click.echo(f"{template.file}: can't be parsed. See the check.", err=True)
    sys.exit(1 if broken else 0)
