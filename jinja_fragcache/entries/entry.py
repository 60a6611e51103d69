r"""What is stored for a fragment, or for a value that a view or function gave.

An entry with nothing to remember but escaped text is that text, as it is, so whoever
reads the store finds the HTML. Where more is to be kept, a header line comes first:

    \x1e{"escaped":false,"format":1,"version":"5d41402abc4b"}\n<p>text ...

The first character is the record separator that RFC 7464 puts before a JSON text. HTML
does not allow it, and a text that begins with it all the same gets a header too, so
nothing a user writes is read as one.

Values that are no texts are stored in the same way: the header names the form in which
they were made texts.
"""

import json
from functools import lru_cache
from typing import Any, NamedTuple

HEADER_MARK = "\x1e"
FORMAT = 1
# No time of day is later: about the year 143,000,000.
_LAST = 2**52


class Life(NamedTuple):
    """How long an entry is fresh, where a store keeps it for longer than that.

    Attributes:
        expires: the time of day at which its timeout ends, in seconds since 1970.
        cost: how many seconds it took to make.
    """

    expires: float
    cost: float


class Entry(NamedTuple):
    """A text and what has to be known to serve it.

    Attributes:
        text: what a template printed, or what a value was made into.
        escaped: whether autoescape was on where it was printed.
        version: digest of the source that made it, where that has to match, else None.
        form: how a value was made a text, None for a text.
        tags: the labels by which it can be invalidated, each with the version that it
            had before the text was made.
        life: how long it is fresh; None for as long as it is stored.
        templates: the templates that were named by expressions, each with the digest
            that its source had.
        holes: where something is put in for each request: how many characters of the
            text stand before it, behind the last hole, and which hole it is.
    """

    text: str
    escaped: bool = True
    version: str | None = None
    form: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    life: Life | None = None
    templates: tuple[tuple[str, str], ...] = ()
    holes: tuple[tuple[int, int], ...] = ()


_PLAIN = Entry("")[1:]


def encode(entry: Entry) -> str:
    """Turn an entry into the text that a store keeps."""
    if entry[1:] == _PLAIN and not entry.text.startswith(HEADER_MARK):
        return entry.text
    return header_line(entry) + entry.text


def header_line(entry: Entry) -> str:
    """Write the header line for an entry, with its end."""
    fields: dict[str, Any] = {"format": FORMAT}
    if not entry.escaped:
        fields["escaped"] = False
    if entry.version is not None:
        fields["version"] = entry.version
    if entry.form is not None:
        fields["form"] = entry.form
    if entry.tags:
        fields["tags"] = dict(entry.tags)
    if entry.life is not None:
        fields["expires"], fields["cost"] = (round(each, 3) for each in entry.life)
    if entry.templates:
        fields["templates"] = dict(entry.templates)
    if entry.holes:
        fields["holes"] = entry.holes
    header = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return f"{HEADER_MARK}{header}\n"


def decode(stored: object) -> Entry | None:
    """Read what `encode` wrote.

    Returns:
        The entry, or None for anything that can't be read: no entry, a foreign type, a
        cut header, a header of another format.
    """
    if not isinstance(stored, str):
        return None
    if not stored.startswith(HEADER_MARK):
        return Entry(stored)
    line, newline, text = stored.partition("\n")
    fields = _parse_header(line) if newline else None
    if fields is None:
        return None
    entry = Entry(text, *fields)
    # The text was cut if it is shorter.
    return entry if sum(length for length, _ in entry.holes) <= len(text) else None


# An entry that tells its life is read here on each of its hits.
@lru_cache(maxsize=4096)
def _parse_header(line: str) -> tuple[Any, ...] | None:
    """Give the fields of an entry behind its text, or None."""
    try:
        fields = json.loads(line.removeprefix(HEADER_MARK))
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        return None
    escaped = fields.pop("escaped", True)
    version = fields.pop("version", None)
    form = fields.pop("form", None)
    tags = fields.pop("tags", {})
    life = tuple(fields.pop(name) for name in ("expires", "cost") if name in fields)
    templates = fields.pop("templates", {})
    holes = fields.pop("holes", [])
    readable = (
        # A field that is not known here may change what the text means.
        not fields
        and isinstance(escaped, bool)
        and all(each is None or isinstance(each, str) for each in (version, form))
        and all(map(_is_texts, (tags, templates)))
        and len(life) in {0, len(Life._fields)}
        and all(type(each) in {int, float} and 0 <= each < _LAST for each in life)
        and _are_holes(holes)
    )
    if not readable:
        return None
    return (
        escaped,
        version,
        form,
        tuple(sorted(tags.items())),
        Life(*life) if life else None,
        tuple(sorted(templates.items())),
        tuple((length, hole) for length, hole in holes),
    )


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(each, str) for each in value.values()
    )


def _are_holes(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, list)
        and [type(part) for part in each] == [int, int]
        and min(each) >= 0
        for each in value
    )
