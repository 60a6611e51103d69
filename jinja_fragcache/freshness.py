"""Whether what a store gave may be served: a pure decision."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from .entry import HEADER_MARK, Entry, decode, header_line


class Wanted(NamedTuple):
    """What an entry must match to be served.

    Attributes:
        escaped: whether autoescape is on where the text will stand.
        version: digest of the template's present source, or None where the fragment's
            name alone says what it is.
        header: the header line of an entry that matches, "" where it needs none.
    """

    escaped: bool
    version: str | None
    header: str


@lru_cache(maxsize=1024)
def want(escaped: bool, version: str | None) -> Wanted:  # noqa: FBT001 - on every hit's path
    """Give what an entry must match, one object for the same values."""
    plain = escaped and version is None
    return Wanted(escaped, version, "" if plain else header_line(escaped, version))


def servable_text(stored: object, wanted: Wanted) -> str | None:
    """Give the text to serve, or None for a miss.

    A text is never served under another autoescape state, nor one that was rendered
    from another version of its source.
    """
    # Nearly every hit is one of these two, and reading the header would cost more than
    # all else that it does.
    if type(stored) is str:
        header = wanted.header
        if header and stored.startswith(header):
            return stored[len(header) :]
        if not header and stored[:1] != HEADER_MARK:
            return stored
    entry = decode(stored)
    if entry is None or entry[1:] != (wanted.escaped, wanted.version, None, ()):
        return None
    return entry.text


def is_current(entry: Entry, version: str | None, tags: Mapping[str, object]) -> bool:
    """Tell whether a value's entry may be served.

    Args:
        entry: the entry.
        version: the version that it must have.
        tags: the tags that it must have, each with its present version as the store
            gave it. One without a version was invalidated.
    """
    return (
        entry.version == version
        and dict(entry.tags) == tags
        and None not in tags.values()
    )
