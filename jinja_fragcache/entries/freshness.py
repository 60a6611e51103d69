"""Whether what a store returned may be served: pure decisions."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from jinja_fragcache.remembered import Remembered

from .entry import HEADER_MARK, Body, Entry, Life, decode, header_line

#: Begins the name of a read that a value alone covers. A digest of the value follows
#: after a space: a key has several, and it must be the same one in each request.
BY_VALUE = "="
#: Begins the name of a read whose text the entry keeps, which follows after a space.
KEPT = "~"
#: Texts without a header line are this or greater, or less than `HEADER_MARK`. To
#: compare takes half as long as to look at the first character.
AFTER_HEADERS = chr(ord(HEADER_MARK) + 1)


def read_name(kept: str) -> str:
    """Return the dotted name of a read, of what `Entry.reads` has of it."""
    if kept[:1] == BY_VALUE:
        return kept[1:].rpartition(" ")[0]
    return kept[1:].partition(" ")[0] if kept[:1] == KEPT else kept


class GracePeriods(NamedTuple):
    """For how long an entry may be served after its timeout, in seconds.

    Attributes:
        stale: While one caller renders it again.
        stale_if_error: If rendering it again fails.
    """

    stale: int = 0
    stale_if_error: int = 0


#: Those of most entries.
NO_GRACE = GracePeriods()


class Standing(NamedTuple):
    """What may be done with a value that is stored.

    Attributes:
        served: Whether it may be served.
        due: Whether it should be made again.
        served_on_error: Whether it may be served if making it again fails.
        expired: Whether its timeout has ended.
    """

    served: bool
    due: bool
    served_on_error: bool
    expired: bool


FRESH = Standing(served=True, due=False, served_on_error=True, expired=False)
GONE = Standing(served=False, due=True, served_on_error=False, expired=True)


def standing(
    life: Life | None, now: float, grace: GracePeriods, head_start: float = 0.0
) -> Standing:
    """Return what may be done with a value.

    Args:
        life: How long its entry is fresh.
        now: The time, in seconds since 1970.
        grace: For how long it may be served after its timeout.
        head_start: How many seconds before its timeout it should be made again.
    """
    if life is None or now + head_start < life.expires:
        return FRESH
    past = now - life.expires
    if past < 0:
        return FRESH._replace(due=True)
    return Standing(
        served=past < grace.stale,
        due=True,
        served_on_error=past < grace.stale_if_error,
        expired=True,
    )


class Wanted(NamedTuple):
    """What an entry must match to be served.

    Attributes:
        escaped: Whether autoescape is on where the text will stand.
        version: The version it must have; None if the fragment's name alone says what
            it is.
        header: The header line of an entry that matches, "" if it needs none.
        body: The body that must have printed it; None if the name alone tells which.
    """

    escaped: bool
    version: str | None
    header: str
    body: Body | None = None


#: What most entries must match: text that is escaped, without a header line.
PLAIN = Wanted(escaped=True, version=None, header="")


_Parts = tuple[bool, str | None, str | None]


def want(escaped: bool, version: str | None, body: str | None = None) -> Wanted:
    """Return what an entry must match.

    Args:
        escaped: As in `Wanted`.
        version: As in `Wanted`.
        body: `Wanted.body` as one text, as compiled templates have it.
    """
    if escaped and version is None and body is None:
        return PLAIN
    made_by = None if body is None else Body.of(body)
    entry = Entry("", escaped, version, body=made_by)
    return Wanted(escaped, version, header_line(entry), made_by)


class _RememberedWanted(Remembered[_Parts | str, Wanted]):
    def __missing__(self, parts: _Parts | str) -> Wanted:
        if not isinstance(parts, str):
            wanted = want(*parts)
        elif " " in parts:
            wanted = want(True, None, parts)
        else:
            wanted = want(True, parts)
        self.add(parts, wanted)
        return wanted


#: `WANTED[escaped, version, body]` is `want(escaped, version, body)`, for every hit. Of
#: escaped text it is also `WANTED[version]`, if that is a digest, or `WANTED[body]`,
#: which has a space in it. These are found in a fourth of the time, because Python
#: remembers the hash of a text, but not that of a tuple.
WANTED = _RememberedWanted(4096, 4 * 2**20)


def servable_text(
    stored: object, wanted: Wanted, clock: Callable[[], float] | None = None
) -> str | None:
    """Return the text of a fresh entry without tags, templates or holes.

    A text is never served under another autoescape state, nor in another version.

    Args:
        stored: What the store returned.
        wanted: What the entry must match.
        clock: Returns the time, in seconds since 1970. Without it, an entry that says
            when it expires is none of these.

    Returns:
        None on a miss, and for an entry of which more has to be looked at.
    """
    # Nearly every hit is one of these two, and parsing the header would cost more than
    # all else that a hit does.
    if type(stored) is str:
        header = wanted.header
        if header:
            # In one call: to ask first, and then cut it off, takes three times as long.
            text = stored.removeprefix(header)
            if text != stored:
                return text
        elif stored >= AFTER_HEADERS or stored < HEADER_MARK:
            return stored
    return None if stored is None else decoded_text(stored, wanted, clock, ())


def decoded_text(
    stored: object,
    wanted: Wanted,
    clock: Callable[[], float] | None,
    tags: tuple[tuple[str, str], ...],
) -> str | None:
    """Like `servable_text`, for an entry with certain tags, by decoding its header.

    Args:
        stored: As for `servable_text`.
        wanted: As for `servable_text`.
        clock: As for `servable_text`.
        tags: The tags that it must have, sorted, each with its present version.
    """
    entry = decode(stored)
    if entry is None or not _has_no_more(entry, wanted, clock, tags):
        return None
    return entry.text


def _has_no_more(
    entry: Entry,
    wanted: Wanted,
    clock: Callable[[], float] | None,
    tags: tuple[tuple[str, str], ...],
) -> bool:
    """Return whether an entry is fresh, matches, and has nothing else to look at."""
    life = entry.life
    if life is not None and (clock is None or clock() >= life.expires):
        return False
    escaped, version, _, body = wanted
    if entry[1:-1] != (escaped, version, None, tags, life, (), (), body):
        return False
    # What was read of the request matters to a body around it only, unless a value
    # covers it, which may have been the same by chance, or the entry keeps it.
    return not any(name[:1] in {BY_VALUE, KEPT} for name in entry.reads)


def servable_texts(stored: Iterable[object], wanted: Wanted) -> list[str | None]:
    """Return `servable_text` of each."""
    if wanted.header:
        return [servable_text(each, wanted) for each in stored]
    # A list of hits is mostly this.
    return [
        each
        if each is None
        or (type(each) is str and (each >= AFTER_HEADERS or each < HEADER_MARK))
        else servable_text(each, wanted)
        for each in stored
    ]


def matches(entry: Entry, wanted: Wanted) -> bool:
    """Return whether an entry is of the fragment that is wanted, fresh or not."""
    return (
        entry.version == wanted.version
        and entry.escaped == wanted.escaped
        and entry.form is None
        and _digest_of(entry.body) == _digest_of(wanted.body)
    )


def _digest_of(body: Body | None) -> str | None:
    """Return what tells a body from others: the same one may stand in two templates."""
    return None if body is None else body.digest


def has_current_tags(
    entry: Entry, tags: Collection[str], versions: Mapping[str, object]
) -> bool:
    """Return whether no tag of an entry was invalidated.

    Args:
        entry: The entry.
        tags: The tags that it must have.
        versions: The present version of each of its tags, as the store returned it. A
            tag without a version was invalidated.
    """
    if not entry.tags:
        return not tags
    has = dict(entry.tags)
    return has.keys() >= set(tags) and all(
        versions.get(tag) == version for tag, version in has.items()
    )
