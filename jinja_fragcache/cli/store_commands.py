"""`stats`, `invalidate` and `clear`, which are about the whole store."""

import sys
import time
from functools import partial
from typing import Any

import click

from jinja_fragcache.engine import claims
from jinja_fragcache.engine.tags import invalidate
from jinja_fragcache.stores.facts import Facts

from .options import Failure, cache_for, json_option, target_options
from .output import duration, show_pairs, write_json
from .stores import ask, is_in_memory, place_of, refuse_memory, run

_OF_WORKERS = (
    "Hits and misses are counted by each worker since it was started, and this command"
    " is a process of its own: call cache.stats() in the application."
)


@click.command("stats")
@target_options
@json_option
def stats_command(app: Any, env: str | None, as_json: bool) -> None:
    """Show where entries are stored, and how many there are."""
    cache = cache_for(app, env)
    # The first call opens the connection.
    ask(cache)
    start = time.perf_counter()
    ask(cache)
    seconds = time.perf_counter() - start
    facts = Facts()
    if not is_in_memory(cache):
        facts = run(cache, lambda context: context.store.facts()) or facts
    if as_json:
        store = {
            "where": place_of(cache),
            "seconds_to_answer": round(seconds, 6),
            "entries": facts.entries,
            "bytes": facts.bytes,
            "is_partial": facts.is_partial,
        }
        # No worker has told this process what it has counted.
        write_json({"store": store, "workers": None})
        return
    pairs = [("Store", place_of(cache)), ("Answers in", duration(seconds))]
    more = "more than " if facts.is_partial else ""
    for name, number in (("Entries", facts.entries), ("Bytes", facts.bytes)):
        if number is not None:
            pairs.append((name, f"{more}{number:,}"))
    if is_in_memory(cache):
        pairs.append(("Entries", "unknown: each worker has its own, in its memory"))
    elif facts.entries is None:
        pairs.append(("Entries", "unknown: the store does not tell"))
    show_pairs(pairs)
    for note in filter(None, (facts.note, _OF_WORKERS)):
        click.echo(note)


@click.command("invalidate")
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@target_options
@json_option
def invalidate_command(
    tags: tuple[str, ...], app: Any, env: str | None, as_json: bool
) -> None:
    """Turn all entries with one of the TAGs into misses."""
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
    place = place_of(cache)
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
