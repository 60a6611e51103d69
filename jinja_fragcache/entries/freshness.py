"""Whether what a store gave may be served: a pure decision."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from .entry import HEADER_MARK, Entry, Life, decode, header_line

_NOTHING_MORE = Entry("")[3:]


class Windows(NamedTuple):
    """What may be done with an entry past its timeout.

    Attributes:
        stale: for how many seconds it is served while somebody makes it anew.
        stale_if_error: for how many seconds it is served if that fails.
    """

    stale: int = 0
    stale_if_error: int = 0


class Standing(NamedTuple):
    """What may be done with a value that is stored.

    Attributes:
        served: whether it may be served.
        due: whether it is to be made anew.
        served_on_error: whether it may be served if that fails.
        expired: whether its timeout has ended.
    """

    served: bool
    due: bool
    served_on_error: bool
    expired: bool


FRESH = Standing(served=True, due=False, served_on_error=True, expired=False)
GONE = Standing(served=False, due=True, served_on_error=False, expired=True)


def standing(
    life: Life | None, now: float, windows: Windows, head_start: float = 0.0
) -> Standing:
    """Tell what may be done with a value.

    Args:
        life: its entry's.
        now: the time of day, in seconds since 1970.
        windows: what may be done past its timeout.
        head_start: how many seconds before its timeout it is to be made anew.
    """
    if life is None or now + head_start < life.expires:
        return FRESH
    past = now - life.expires
    if past < 0:
        return FRESH._replace(due=True)
    return Standing(
        served=past < windows.stale,
        due=True,
        served_on_error=past < windows.stale_if_error,
        expired=True,
    )


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


@lru_cache(maxsize=4096)
def want(escaped: bool, version: str | None) -> Wanted:  # noqa: FBT001 - on every hit's path
    """Give what an entry must match, one object for the same values."""
    plain = escaped and version is None
    entry = Entry("", escaped, version)
    return Wanted(escaped, version, "" if plain else header_line(entry))


def servable_text(stored: object, wanted: Wanted) -> str | None:
    """Give the text to serve, or None for a miss, or where more has to be looked at.

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
    if entry is None or entry[1:] != (wanted.escaped, wanted.version, *_NOTHING_MORE):
        return None
    return entry.text


def servable_texts(stored: Sequence[Any], wanted: Wanted) -> Sequence[str] | None:
    """Do as `servable_text` for several; None if there is not a text for each."""
    if not wanted.header:
        plain = [each for each in stored if type(each) is str]
        if len(plain) == len(stored) and HEADER_MARK not in {
            each[:1] for each in plain
        }:
            return plain
    texts = []
    for each in stored:
        text = servable_text(each, wanted)
        if text is None:
            return None
        texts.append(text)
    return texts


def matches(entry: Entry, wanted: Wanted) -> bool:
    """Tell whether an entry is the fragment's that is asked for, fresh or not."""
    found = (entry.escaped, entry.version, entry.form)
    return found == (wanted.escaped, wanted.version, None)


def has_current_tags(
    entry: Entry, tags: Collection[str], versions: Mapping[str, object]
) -> bool:
    """Tell whether no tag of an entry was invalidated.

    Args:
        entry: the entry.
        tags: the tags that it must have.
        versions: the present version of each of its tags, as the store gave it. One
            without a version was invalidated.
    """
    has = dict(entry.tags)
    return has.keys() >= set(tags) and all(
        versions.get(tag) == version for tag, version in has.items()
    )
