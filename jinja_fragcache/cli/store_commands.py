"""`stats`, `invalidate` and `clear`, which are about the whole store."""

import sys
import time
from functools import partial
from typing import Any

import click

from jinja_fragcache.access.store_check import place_of
from jinja_fragcache.access.store_kinds import is_of_process
from jinja_fragcache.engine import claims
from jinja_fragcache.engine.tags import invalidate
from jinja_fragcache.engine.worker_figures import all_figures
from jinja_fragcache.messages import duration
from jinja_fragcache.stores.facts import Facts

from .figures import figures_as_json, show_figures
from .options import Failure, cache_for, json_option, target_options
from .output import show_pairs, write_json
from .stores import ask, refuse_memory, run

_NO_FIGURES = (
    "No worker has told what it has counted. With CACHE_STATISTICS=True, or"
    " FragmentCache(statistics=True), each keeps its figures in the store."
)
_IN_MEMORY = (
    "Each worker has figures of its own, and this command is a process of its own. In"
    " the application, call cache.fragment_cache.figures_of_workers() in Flask, else"
    " env.fragment_cache.figures_of_workers()."
)


@click.command("stats")
@target_options
@json_option
def stats_command(app: Any, env: str | None, as_json: bool) -> None:
    """Show how much is stored, and what all workers have counted of it."""
    cache = cache_for(app, env)
    # The first call opens the connection.
    ask(cache)
    start = time.perf_counter()
    ask(cache)
    seconds = time.perf_counter() - start
    figures = run(cache, partial(all_figures, figures=None))
    facts = Facts()
    if not is_of_process(cache.store):
        facts = run(cache, lambda context: context.store.facts()) or facts
    if as_json:
        store = {
            "where": place_of(cache.store),
            "seconds_to_answer": round(seconds, 6),
            "entries": facts.entries,
            "bytes": facts.bytes,
            "is_partial": facts.is_partial,
        }
        write_json({"store": store, "workers": figures_as_json(figures)})
        return
    pairs = [("Store", place_of(cache.store)), ("Answers in", duration(seconds))]
    more = "more than " if facts.is_partial else ""
    for name, number in (("Entries", facts.entries), ("Bytes", facts.bytes)):
        if number is not None:
            pairs.append((name, f"{more}{number:,}"))
    if is_of_process(cache.store):
        pairs.append(("Entries", "unknown: each worker has its own, in its memory"))
    elif facts.entries is None:
        pairs.append(("Entries", "unknown: the store does not tell"))
    show_pairs(pairs)
    if facts.note:
        click.echo(facts.note)
    if is_of_process(cache.store):
        click.echo(_IN_MEMORY)
    elif not figures.workers:
        click.echo(_NO_FIGURES)
    else:
        show_figures(figures, time.time())


@click.command("invalidate")
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@target_options
@json_option
def invalidate_command(
    tags: tuple[str, ...], app: Any, env: str | None, as_json: bool
) -> None:
    """Turn all entries with one of the TAGs into misses."""
    if not all(tag.strip() for tag in tags):
        raise Failure(
            "A TAG is blank, so nothing was invalidated. Write the tag, such as posts,"
            " or look whether a variable of the shell is empty."
        )
    cache = cache_for(app, env)
    refuse_memory(
        cache, "invalidate tags", "Call cache.invalidate_tags() in the application."
    )
    run(cache, partial(invalidate, tags=tags))
    if as_json:
        write_json({"invalidated": list(tags)})
    else:
        click.echo(f"Invalidated all entries with the tag {' or '.join(tags)}.")


@click.command("clear")
@click.option("--yes", is_flag=True, help="Don't ask.")
@target_options
@json_option
def clear_command(yes: bool, app: Any, env: str | None, as_json: bool) -> None:
    """Delete all entries, after a question."""
    cache = cache_for(app, env)
    refuse_memory(
        cache, "clear", "Call cache.clear() in the application, or start it again."
    )
    place = place_of(cache.store)
    if not yes:
        if not _is_terminal():
            raise Failure(
                f"This would delete everything in {place}. Write --yes, because there"
                " is no terminal to ask on."
            )
        click.confirm(f"Delete everything in {place}?", abort=True, err=True)
    run(cache, claims.clear)
    if as_json:
        write_json({"cleared": place})
    else:
        click.echo(f"Cleared {place}.")


def _is_terminal() -> bool:
    """Return whether there is somebody to ask."""
    return sys.stdin.isatty()
