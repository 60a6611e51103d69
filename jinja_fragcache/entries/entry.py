r"""The format of entries, which hold a fragment's text or a cached value.

An entry with nothing but escaped text is stored as that text, unchanged, so reading the
store gives the HTML. An entry with more than that has a header line before the text:

    \x1e{"escaped":false,"format":1,"version":"5d41402abc4b"}\n<p>text ...

Its first character is the record separator, which RFC 7464 puts before a JSON text.
HTML does not allow it. A text that begins with it nevertheless gets a header too, so
nothing that a user writes is read as a header.

Values that are not strings are stored in the same way: they are serialized, and the
header names the form in which they were.

A text that was compressed (see `compression`) has the same mark in front, and then the
name of the method. What was compressed is the whole entry, with its header.

Anyone who can write to the store can write headers. So they are data: what they say is
checked and bounded before it is used, and anything else is a miss.
"""

import json
import json.encoder
from collections.abc import Iterable, Mapping, Sized
from typing import Any, NamedTuple, Self

from jinja_fragcache.remembered import Made, Remembered

HEADER_MARK = "\x1e"
FORMAT = 1
#: The largest numbers of what an entry may have. On a hit, each tag is a key that is
#: read from the store, each template a source that is looked up, and each hole is
#: rendered.
MOST_TAGS = 10_000
MOST_TEMPLATES = 1_000
MOST_HOLES = 10_000
MOST_READS = 100
#: Up to so many tags, the header line of an entry is remembered.
FEW_TAGS = 8
#: The longest header line, in characters.
LONGEST_HEADER = 2**20
# In seconds since 1970, about the year 143,000,000. No time in a header is later.
_LATEST = 2**52


class Life(NamedTuple):
    """How long an entry is fresh, if the store keeps it for longer than that.

    Attributes:
        expires: When its timeout ends, in seconds since 1970.
        cost: How many seconds it took to render or compute.
    """

    expires: float
    cost: float


class Body(NamedTuple):
    """The body of a tag whose name is known only when it is rendered.

    Attributes:
        digest: The digest of its source.
        template: The name of its template.
    """

    digest: str
    template: str

    def in_one(self) -> str:
        """Return it as one text, of which Python remembers the hash."""
        return f"{self.digest} {self.template}"

    @classmethod
    def of(cls, both: str) -> Self:
        """Return the body of such a text."""
        return cls(*both.split(" ", 1))


class Entry(NamedTuple):
    """A text, and everything that decides whether and how it may be served.

    Attributes:
        text: What a template printed, or a serialized value.
        escaped: Whether autoescape was on where it was printed.
        version: Digest of the source that made it, if that has to match, else None.
        form: How a value was serialized. None for a text.
        tags: The tags that invalidate it, each with the version that it had before the
            text was rendered.
        life: How long it is fresh. None if it is fresh as long as it is stored.
        templates: The templates that were named by expressions, each with the digest
            of its source at that time.
        holes: The holes that are filled for each request, in their order: how many
            characters of text are between the previous hole and this one, and the
            number of the hole in its template.
        body: The body that printed the text, if another tag may have the same name.
        reads: The names of what was read of the request, all covered by the key. One
            that begins with "=" is covered by a value alone. One that begins with "~"
            is not covered: what follows its name is what was read.
    """

    text: str
    escaped: bool = True
    version: str | None = None
    form: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    life: Life | None = None
    templates: tuple[tuple[str, str], ...] = ()
    holes: tuple[tuple[int, int], ...] = ()
    body: Body | None = None
    reads: tuple[str, ...] = ()


# json.dumps would make an encoder on each call.
_to_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_quoted = json.encoder.encode_basestring_ascii
_FORMAT = f'"format":{FORMAT}'
# What header lines say. An entry with a life is decoded on every hit.
_known: Remembered[str, tuple[Any, ...]] = Remembered(4096, 4 * 2**20)
# All fields but the text, of an entry that needs no header.
_PLAIN = Entry("")[1:]


class HeaderTooLargeError(Exception):
    """An entry has more than `decode` accepts. It never leaves this package."""


def encode(entry: Entry) -> str:
    """Return the string to store for an entry.

    Raises:
        HeaderTooLargeError: If `decode` would not accept it.
    """
    if entry[1:] == _PLAIN and not entry.text.startswith(HEADER_MARK):
        return entry.text
    header = header_line(entry)
    if len(header) > LONGEST_HEADER or not _has_few(
        entry.tags, entry.templates, entry.holes
    ):
        raise HeaderTooLargeError(
            f"It has {len(entry.tags)} tags, {len(entry.templates)} templates that are"
            f" named by expressions and {len(entry.holes)} holes, in a header of"
            f" {len(header)} characters. An entry may have {MOST_TAGS},"
            f" {MOST_TEMPLATES} and {MOST_HOLES}, in {LONGEST_HEADER} characters. Cache"
            " smaller parts."
        )
    return header + entry.text


def header_line(entry: Entry) -> str:
    """Return the header line for an entry, including the line break.

    Its fields are in the order of their names. They are not encoded by one call, for
    which the encoder makes several objects: an entry with a tag or a timeout of its own
    has a line of its own, so many misses come here.
    """
    fields = [*_fields_before_format(entry), _FORMAT, *_fields_after_format(entry)]
    return f"{HEADER_MARK}{{{','.join(fields)}}}\n"


def tag_line(escaped: bool, version: str | None, tags: Mapping[str, str]) -> str:
    """Return the header line of an entry that has at most `FEW_TAGS` and nothing else.

    Many entries have the same tags, and so the same line.
    """
    return TAG_LINES[escaped, version, *tags, *tags.values()]


def _make_tag_line(parts: tuple[Any, ...]) -> str:
    escaped, version, *rest = parts
    number = len(rest) // 2
    tags = dict(zip(rest[:number], rest[number:], strict=True))
    pairs = tuple(sorted(tags.items()))
    return header_line(Entry("", escaped, version, tags=pairs))


#: `TAG_LINES[escaped, version, *tags, *their_versions]` is what `tag_line` returns, for
#: tags in any order. Every hit with tags asks.
TAG_LINES = Made(_make_tag_line, 1024, 1000)


def shows_old_tags(
    stored: str, tags: Mapping[str, object], version: str | None
) -> bool:
    """Return whether an entry shows, before it is decoded, that a tag was invalidated.

    After an invalidation, each entry has a header line that was not decoded before, and
    that takes longer than all else.

    Args:
        stored: What the store returned.
        tags: The tags that the entry must have, each with its present version.
        version: The version that the entry must have.

    Returns:
        False if no tag was invalidated, if the entry has other tags than these, or if
        only `decode` can tell.
    """
    if stored[:1] != HEADER_MARK:
        return bool(tags)
    end = stored.find("\n", 0, LONGEST_HEADER)
    # So many tags, and the entry's version: no other text in a header has a name, but
    # for the digests of templates. The quotes in a text have a backslash in front.
    if end < 0 or stored.count('":"', 0, end) > len(tags) + (version is not None):
        return False
    is_old = False
    for tag, present in tags.items():
        name = _quoted(tag)
        if stored.find(f'{name}:"', 0, end) < 0:
            return False
        if type(present) is not str:
            # There is none.
            is_old = True
        elif stored.find(f"{name}:{_quoted(present)}", 0, end) < 0:
            is_old = True
    return is_old


def _fields_before_format(entry: Entry) -> list[str]:
    fields = []
    life = entry.life
    if entry.body is not None:
        fields.append(f'"body":{_to_json(entry.body)}')
    if life is not None:
        fields.append(f'"cost":{round(life.cost, 3)!r}')
    if not entry.escaped:
        fields.append('"escaped":false')
    if life is not None:
        fields.append(f'"expires":{round(life.expires, 3)!r}')
    if entry.form is not None:
        fields.append(f'"form":{_quoted(entry.form)}')
    return fields


def _fields_after_format(entry: Entry) -> list[str]:
    fields = []
    if entry.holes:
        fields.append(f'"holes":{_to_json(entry.holes)}')
    if entry.reads:
        fields.append(f'"reads":{_to_json(entry.reads)}')
    if entry.tags:
        fields.append(f'"tags":{_object(entry.tags)}')
    if entry.templates:
        fields.append(f'"templates":{_object(entry.templates)}')
    if entry.version is not None:
        fields.append(f'"version":{_quoted(entry.version)}')
    return fields


def _object(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a JSON object of texts, in the order of their names."""
    fields = []
    for name, text in sorted(pairs):
        fields.append(f"{_quoted(name)}:{_quoted(text)}")
    return f"{{{','.join(fields)}}}"


def decode(stored: object) -> Entry | None:
    """Return the entry that `encode` encoded, which may have been compressed since.

    Returns:
        None for anything that can't be read: nothing, another type, a header that is
        cut off, too large or has another format.
    """
    if not isinstance(stored, str):
        return None
    if not stored.startswith(HEADER_MARK):
        return Entry(stored)
    end = stored.find("\n", 0, LONGEST_HEADER)
    if end < 0:
        return _decode_compressed(stored)
    line, text = stored[:end], stored[end + 1 :]
    fields = _known.get(line)
    if fields is None:
        fields = _parse_header(line)
        if fields is None:
            return None
        _known.add(line, fields)
    entry = Entry(text, *fields)
    # If the text is shorter, it was cut off.
    return entry if sum(length for length, _ in entry.holes) <= len(text) else None


def utf8_length(text: str) -> int:
    """Return the number of bytes of a text as UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _decode_compressed(stored: str) -> Entry | None:
    """Return the entry of a text without a header line, None if it has none either."""
    from .compression import decompress  # noqa: PLC0415 - few caches compress

    text = decompress(stored.removeprefix(HEADER_MARK))
    if text is None:
        return None
    # Nothing is compressed twice: who can write to the store could do so without end.
    is_entry = not text.startswith(HEADER_MARK) or "\n" in text[:LONGEST_HEADER]
    return decode(text) if is_entry else None


def _parse_header(line: str) -> tuple[Any, ...] | None:
    """Return the fields of an entry that follow its text, None if one is wrong."""
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
    body = fields.pop("body", None)
    reads = fields.pop("reads", [])
    readable = (
        # An unknown field may change what the text means.
        not fields
        and isinstance(escaped, bool)
        and all(each is None or isinstance(each, str) for each in (version, form))
        and all(map(_maps_to_strings, (tags, templates)))
        and len(life) in {0, len(Life._fields)}
        and all(type(each) in {int, float} and 0 <= each < _LATEST for each in life)
        and _are_holes(holes)
        and (body is None or _is_body(body))
        and _are_reads(reads)
        and _has_few(tags, templates, holes)
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
        None if body is None else Body(*body),
        tuple(reads),
    )


def _are_reads(reads: object) -> bool:
    return (
        isinstance(reads, list)
        and len(reads) <= MOST_READS
        and all(isinstance(each, str) for each in reads)
    )


def _has_few(tags: Sized, templates: Sized, holes: Sized) -> bool:
    """Return whether there are so few of each that they may be used."""
    return (
        len(tags) <= MOST_TAGS
        and len(templates) <= MOST_TEMPLATES
        and len(holes) <= MOST_HOLES
    )


def _maps_to_strings(value: object) -> bool:
    """Return whether a JSON value is an object whose values are strings."""
    return isinstance(value, dict) and all(
        isinstance(each, str) for each in value.values()
    )


def _is_body(value: object) -> bool:
    """Return whether a JSON value is a list of the fields of a `Body`."""
    return isinstance(value, list) and [type(each) for each in value] == [str, str]


def _are_holes(value: object) -> bool:
    """Return whether a JSON value is a list of pairs of ints from 0."""
    return isinstance(value, list) and all(
        isinstance(each, list)
        and [type(part) for part in each] == [int, int]
        and min(each) >= 0
        for each in value
    )
