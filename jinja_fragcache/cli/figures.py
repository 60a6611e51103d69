"""The figures of all workers, as `stats` shows them."""

from dataclasses import asdict
from typing import Any

import click

from jinja_fragcache.messages import count, duration, one_line, percent
from jinja_fragcache.observe.workers import AllFigures

from .output import show_table

_NUMBERS = ("Asked", "Hits", "Misses", "Stale", "Uncached", "Body", "Saved")


def figures_as_json(figures: AllFigures) -> dict[str, Any] | None:
    """Return what is known of the workers for `--json`; None if there are none."""
    if not figures.workers:
        return None
    return {
        "workers": [asdict(each) for each in figures.workers],
        "names": [
            {
                **asdict(each),
                "hit_ratio": each.hit_ratio,
                "mean_body_seconds": each.mean_body_seconds,
                "seconds_saved": each.seconds_saved,
            }
            for each in figures.names
        ],
        "note": figures.note,
    }


def show_figures(figures: AllFigures, now: float) -> None:
    """Print a table of all names, and say of which workers it is.

    Args:
        figures: The figures, of one worker at least.
        now: The time, in seconds since 1970.
    """
    rows = []
    for each in figures.names:
        ratio, mean = each.hit_ratio, each.mean_body_seconds
        saved = each.seconds_saved
        share = "" if ratio is None else f" ({percent(ratio)})"
        rows.append(
            (
                each.name,
                each.kind,
                f"{each.asked:,}",
                f"{each.hits:,}{share}",
                f"{each.misses:,}",
                f"{each.stale:,}",
                f"{each.uncached:,}",
                "" if mean is None else duration(mean),
                "" if saved is None else duration(saved),
            )
        )
    show_table(("Name", "Kind", *_NUMBERS), rows, numbers=_NUMBERS)
    click.echo(f"Counted by {count(len(figures.workers), 'worker')}:")
    for worker in figures.workers:
        host = one_line(worker.host)
        click.echo(
            f"  {host}, process {worker.pid}, for"
            f" {duration(worker.seen_at - worker.started_at)}, until"
            f" {duration(max(now - worker.seen_at, 0))} ago"
        )
    if figures.note:
        click.echo(figures.note)
