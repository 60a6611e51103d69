"""Verifies hits: makes a value again, and compares it with the one that is served.

What an entry's key lacks shows as a difference, whatever it is, and so does what has
changed since the entry was stored. What is stored is served in any case.

The value is made in a trial: nothing is stored, and what the body depends on is not
added to what is around it. What is nested in it is made again, too, without the store.
Else a nested entry, which has the same fault, would hide it. (A function is called once
for the same key.)
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING, Any

from jinja2.utils import internalcode

from jinja_fragcache.entries.freshness import read_name
from jinja_fragcache.errors import VerificationError
from jinja_fragcache.messages import describe_error
from jinja_fragcache.operations import Operation

from .context import Context
from .dependencies import Dependencies, start_watching
from .lead import Render
from .lookup import Found

if TYPE_CHECKING:
    from .entry_spec import EntrySpec

# How many characters of a line are shown, and how many of them are in front of the
# first one that differs.
_SHOWN = 120
_SHOWN_BEFORE = 20


class Trial(Dependencies):
    """The dependencies of a body that runs only to be compared with what is served."""

    def __init__(self) -> None:
        self.trial = {}


def draw(context: Context) -> bool:
    """Return whether a hit is to be verified, by chance."""
    share = context.policy.verify
    return bool(share) and context.chance() < share


def is_chosen(spec: EntrySpec, context: Context) -> bool:
    """Like `draw`, but False for what is never verified."""
    return spec.verified_as is not None and draw(context)


@internalcode
def verify(
    spec: EntrySpec, found: Found, context: Context, render: Render
) -> Operation[Any]:
    """Make a value again, compare, and return the one that is stored.

    Of several callers in this process, one does that for a key at a time.

    Args:
        spec: What is asked for.
        found: What was found, which is fresh.
        context: The cache.
        render: Makes the value.

    Raises:
        VerificationError: If they differ, the cache is strict and verifies all hits.
    """
    key = spec.key
    if key in context.verifying:
        # The body may ask for its own page, from another thread.
        return found.value
    context.verifying.add(key)
    try:
        yield from _compare(spec, found, context, spec.trial(render))
    finally:
        context.verifying.discard(key)
    return found.value


@internalcode
def _compare(
    spec: EntrySpec, found: Found, context: Context, render: Render
) -> Operation[None]:
    trial = Trial()
    try:
        with trial:
            if spec.guard is not None:
                spec.guard.start()
            else:
                start_watching()
            made = yield render()
    except Exception as error:  # noqa: BLE001 - nobody asked for this rendering
        context.recorder.warn_once(
            (spec.verified_as, "failed"),
            f"{spec.verified_as} was served from the cache, and could not be verified:"
            f" making it again raised {describe_error(error)}.",
        )
        return
    context.recorder.stats.verified += 1
    texts = spec.differing(found.value, made)
    if texts is not None and _is_comparable(spec, found):
        context.recorder.stats.differed += 1
        _report(spec, _told_of_reads(spec, found, trial), texts, context)


def _is_comparable(spec: EntrySpec, found: Found) -> bool:
    """Return whether a value is equal to itself when it is read again.

    NaN is not, and neither is an object whose class doesn't say when two are equal.
    """
    again = spec.load(found.stored, found.entry)
    return spec.differing(found.value, again) is None


def _told_of_reads(spec: EntrySpec, found: Found, trial: Dependencies) -> str:
    """Return what was read of the request now and not before, or the reverse."""
    entry = found.entry
    then = set(map(read_name, entry.reads)) if entry else set()
    new = [read.inside_of(spec.name) for read in trial.reads.values()]
    now = [read.shown for read in new if read.name not in then]
    told = ""
    if now:
        told += f" It reads {', '.join(now)} now, which its entry does not name."
    if gone := sorted(then - trial.reads.keys()):
        told += f" It read {', '.join(gone)} then, and does not now."
    return told


def _report(
    spec: EntrySpec, reads: str, texts: tuple[str, str], context: Context
) -> None:
    """Raise an error about a difference, or log it once for each place.

    Raises:
        VerificationError: If the cache is strict and verifies all hits.
    """
    error = VerificationError(
        f"{spec.verified_as} that was served from the cache is not what it would be"
        f" now. {first_difference(*texts)}{reads} Its key may lack what it depends on,"
        " or its data has changed since it was stored. If it is meant to differ, write"
        " verify=False."
    )
    place = (spec.verified_as, "differs", reads)
    if context.policy.verify < 1:
        context.recorder.warn_once(place, error.for_log)
    else:
        context.recorder.refuse(place, error)


def first_difference(served: str, made: str) -> str:
    """Return a sentence that shows the first line in which two texts differ."""
    lines = zip_longest(
        served.splitlines(keepends=True), made.splitlines(keepends=True)
    )
    for number, (old, new) in enumerate(lines, start=1):
        if old != new:
            start = max(0, _common(old or "", new or "") - _SHOWN_BEFORE)
            shown = [_cut(each, start) for each in (old, new)]
            return f"Line {number} was served as {shown[0]} and is {shown[1]} now."
    return f"Both are shown as {_cut(served, 0)}."


def _common(first: str, second: str) -> int:
    """Return with how many same characters two texts begin."""
    same: Iterable[Any] = takewhile(
        lambda pair: pair[0] == pair[1], zip(first, second, strict=False)
    )
    return sum(1 for _ in same)


def _cut(line: str | None, start: int) -> str:
    """Return a part of a line, in quotes, with `...` for what is left out."""
    if line is None:
        return "nothing"
    end = start + _SHOWN
    before, after = "..." * (start > 0), "..." * (end < len(line))
    return f"{before}{line[start:end]!r}{after}"
