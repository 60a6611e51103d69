r"""What is stored for a fragment.

An entry with nothing to remember but escaped text is that text, as it is, so whoever
reads the store finds the HTML. Where more is to be kept, a header line comes first:

    \x1e{"escaped":false,"format":1,"version":"5d41402abc4b"}\n<p>text ...

The first character is the record separator that RFC 7464 puts before a JSON text. HTML
does not allow it, and a text that begins with it all the same gets a header too, so
nothing a user writes is read as one.
"""

import json
from functools import lru_cache
from typing import Any, NamedTuple

HEADER_MARK = "\x1e"
FORMAT = 1


class Entry(NamedTuple):
    """A fragment's text and what has to be known to serve it.

    Attributes:
        text: what the template printed.
        escaped: whether autoescape was on where it was printed.
        version: digest of the source it was rendered from, for a fragment without a
            name of its own, else None.
    """

    text: str
    escaped: bool = True
    version: str | None = None


def encode(entry: Entry) -> str:
    """Turn an entry into the text that a store keeps."""
    plain = entry.escaped and entry.version is None
    if plain and not entry.text.startswith(HEADER_MARK):
        return entry.text
    return header_line(entry.escaped, entry.version) + entry.text


@lru_cache(maxsize=1024)
def header_line(escaped: bool, version: str | None) -> str:  # noqa: FBT001 - Entry's fields
    """Write the header line for an entry's fields, with its end."""
    fields: dict[str, Any] = {"format": FORMAT}
    if not escaped:
        fields["escaped"] = False
    if version is not None:
        fields["version"] = version
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
    header = _parse_header(line) if newline else None
    return None if header is None else Entry(text, *header)


def _parse_header(line: str) -> tuple[bool, str | None] | None:
    try:
        fields = json.loads(line.removeprefix(HEADER_MARK))
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        return None
    escaped = fields.pop("escaped", True)
    version = fields.pop("version", None)
    # A field that is not known here may change what the text means.
    if fields or not isinstance(escaped, bool) or not isinstance(version, str | None):
        return None
    return escaped, version
