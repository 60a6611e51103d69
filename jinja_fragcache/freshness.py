"""Whether what a store gave may be served: a pure decision."""

from functools import lru_cache
from typing import NamedTuple

from .entry import HEADER_MARK, decode, header_line


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
    if entry is None or (entry.escaped, entry.version) != wanted[:2]:
        return None
    return entry.text
