"""`show`, `key` and `delete`, which are about one entry."""

import math
import sys
from functools import partial
from typing import Any

import click

from jinja_fragcache.engine.inspection import Inspected, inspect, text_with_holes
from jinja_fragcache.engine.whole import delete
from jinja_fragcache.entries.entry import Entry
from jinja_fragcache.messages import count, duration

from .options import cache_for, json_option, key_arguments, key_of, target_options
from .output import printable, seconds_as_json, show_pairs, write_json
from .stores import present_key, refuse_memory, run

_ONE_MORE = (
    "A fragment with a block inside has one more KEY, the last: the template of the"
    " page. One without a name is called template:line."
)
_OTHER_NAME = (
    " In the list, _ may stand for a space or for a character that is not ASCII: write"
    " the name as it stands in the tag."
)
_IS_FUNCTION = (
    " In the list, a name with () is that of a function, whose entries this command"
    " does not find. In the application, cache.delete_memoized({}) deletes them."
)
_UNKNOWN = "unknown: the store does not tell"


@click.command("key")
@key_arguments
@json_option
def key_command(
    name: str, keys: tuple[str, ...], json_keys: bool, as_json: bool
) -> None:
    """Print the key of a fragment.

    NAME is its name, or template:line if it has none. Each KEY is one of its key
    values, as text: 7 and "7" are the same. Write -- in front of a KEY that begins with
    a dash.
    """
    key, shown = key_of(name, keys, json_keys=json_keys)
    if as_json:
        write_json({"fragment": shown, "key": key})
    else:
        click.echo(key)


@click.command("show")
@key_arguments
@target_options
@json_option
def show_command(
    name: str,
    keys: tuple[str, ...],
    json_keys: bool,
    app: Any,
    env: str | None,
    as_json: bool,
) -> None:
    """Show what is stored for a fragment.

    NAME and KEY are as for the command "key". The exit status is 1 if nothing is
    stored.
    """
    cache = cache_for(app, env)
    key, shown = key_of(name, keys, json_keys=json_keys)
    refuse_memory(
        cache,
        f"show {shown}",
        "There, cache.get(make_template_fragment_key(...)) does.",
    )
    key = present_key(cache, key)
    found = run(cache, partial(inspect, key=key))
    if as_json:
        write_json(None if found is None else _as_json(shown, key, found))
    elif found is not None:
        _show(shown, key, found)
    if found is None:
        told = f"Nothing is stored for {shown} ({key}). {_hint(name)}"
        click.echo(told, err=True)
        sys.exit(1)


@click.command("delete")
@key_arguments
@target_options
@json_option
def delete_command(
    name: str,
    keys: tuple[str, ...],
    json_keys: bool,
    app: Any,
    env: str | None,
    as_json: bool,
) -> None:
    """Delete the entry of a fragment.

    NAME and KEY are as for the command "key". It is no error if nothing is stored.
    """
    cache = cache_for(app, env)
    key, shown = key_of(name, keys, json_keys=json_keys)
    refuse_memory(
        cache, f"delete {shown}", "Call cache.delete_fragment() in the application."
    )
    # With a vary_on of the cache there may be several, whose values nobody knows.
    is_one = cache.policy.vary_on is None
    was_stored = not is_one or run(cache, partial(inspect, key=key)) is not None
    run(cache, partial(delete, keys=[key]))
    if as_json:
        write_json({"fragment": shown, "key": key, "was_stored": was_stored})
    elif was_stored:
        click.echo(f"Deleted {shown}.")
    else:
        click.echo(f"Nothing was stored for {shown}. {_hint(name)}")


def _hint(name: str) -> str:
    """Return how else a fragment that was not found may have to be named."""
    if name.endswith("()"):
        return _ONE_MORE + _IS_FUNCTION.format(repr(name.removesuffix("()")))
    return _ONE_MORE + (_OTHER_NAME if "_" in name else "")


def _show(shown: str, key: str, found: Inspected) -> None:
    entry = found.entry
    pairs = [("Fragment", shown), ("Key", key), ("State", found.state)]
    pairs += [
        ("Fresh for", _left(found.fresh_for)),
        ("Kept for", _left(found.kept_for)),
        ("Size", count(found.size, "character")),
    ]
    if entry is not None:
        pairs += _of_entry(entry)
        for tag in found.tags:
            state = "current" if tag.is_current else "invalidated"
            pairs.append(("Tag", f"{tag.name} (version {tag.version}, {state})"))
        pairs += [("Template", f"{name} ({each})") for name, each in entry.templates]
    show_pairs(pairs)
    if entry is not None:
        click.echo()
        click.echo(printable(text_with_holes(entry)))


def _of_entry(entry: Entry) -> list[tuple[str, str]]:
    pairs = [("Escaped", "yes" if entry.escaped else "no")]
    if entry.life is not None:
        pairs.append(("Took", duration(entry.life.cost)))
    if entry.version is not None:
        pairs.append(("Version", entry.version))
    if entry.body is not None:
        pairs.append(("Body of", f"{entry.body.template} ({entry.body.digest})"))
    if entry.form is not None:
        pairs.append(("Form", entry.form))
    if entry.reads:
        pairs.append(("Reads", ", ".join(entry.reads)))
    if entry.holes:
        pairs.append(("Holes", str(len(entry.holes))))
    return pairs


def _left(seconds: float | None) -> str:
    if seconds is None:
        return _UNKNOWN
    if seconds == math.inf:
        return "ever"
    return duration(seconds) if seconds > 0 else "no longer"


def _as_json(shown: str, key: str, found: Inspected) -> dict[str, Any]:
    content: dict[str, Any] = {
        "fragment": shown,
        "key": key,
        "is_current": found.is_current,
        "fresh_for": seconds_as_json(found.fresh_for),
        "kept_for": seconds_as_json(found.kept_for),
        "size": found.size,
        "tags": [each._asdict() for each in found.tags],
    }
    entry = found.entry
    if entry is not None:
        content |= {
            "escaped": entry.escaped,
            "version": entry.version,
            "form": entry.form,
            "cost": None if entry.life is None else entry.life.cost,
            "body": None if entry.body is None else entry.body._asdict(),
            "templates": dict(entry.templates),
            "reads": list(entry.reads),
            "holes": len(entry.holes),
            "text": text_with_holes(entry),
        }
    return content
