import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache.entries.entry import (
    FORMAT,
    HEADER_MARK,
    LONGEST_HEADER,
    MOST_HOLES,
    MOST_TAGS,
    MOST_TEMPLATES,
    Body,
    Entry,
    HeaderTooLargeError,
    Life,
    _known,
    decode,
    encode,
    header_line,
    shows_old_tags,
    tag_line,
)
from jinja_fragcache.remembered import size_of

bodies = st.text() | st.text().map(lambda text: HEADER_MARK + text)
hostile = bodies | bodies.map(lambda text: encode(Entry(text, escaped=False)))
some = st.none() | st.text()
tags = st.dictionaries(st.text(), st.text(), max_size=3)
# Times are stored in milliseconds.
seconds = st.integers(0, 10**13).map(lambda milliseconds: milliseconds / 1000)
entries = st.builds(
    Entry,
    hostile,
    st.booleans(),
    some,
    some,
    tags.map(lambda versions: tuple(sorted(versions.items()))),
    st.none() | st.builds(Life, seconds, seconds),
    tags.map(lambda digests: tuple(sorted(digests.items()))),
    # Only empty pieces, because a text shorter than its pieces counts as cut off.
    st.lists(st.tuples(st.just(0), st.integers(0, 99))).map(tuple),
    st.none() | st.builds(Body, st.text(), st.text()),
    st.lists(st.text(), max_size=3).map(tuple),
)


@given(entries)
def test_a_decoded_entry_is_the_encoded_one(entry: Entry) -> None:
    assert decode(encode(entry)) == entry


@given(entries, st.integers(0, 60))
def test_an_entry_that_is_cut_off_is_a_miss_or_has_less_text(
    entry: Entry, length: int
) -> None:
    read = decode(encode(entry)[:length])
    assert read is None or entry.text.startswith(read.text)
    if read is not None and encode(entry) != entry.text:
        assert read[1:] == entry[1:] or length == 0


def test_escaped_text_is_stored_unchanged() -> None:
    assert encode(Entry("<p>hello</p>")) == "<p>hello</p>"
    assert encode(Entry("")) == ""


def test_all_but_the_text_is_stored_in_a_header_line() -> None:
    stored = encode(Entry("text\n", escaped=False, version="abc"))
    assert stored == '\x1e{"escaped":false,"format":1,"version":"abc"}\ntext\n'


@pytest.mark.parametrize(
    "stored",
    [
        None,
        b"bytes",
        5,
        ["text"],
        HEADER_MARK,
        HEADER_MARK + "{}\ntext",
        HEADER_MARK + "no json\ntext",
        HEADER_MARK + "[1]\ntext",
        HEADER_MARK + '{"format":1}',
        HEADER_MARK + '{"format":2}\ntext',
        HEADER_MARK + '{"format":1,"body":"a"}\ntext',
        HEADER_MARK + '{"format":1,"body":["a"]}\ntext',
        HEADER_MARK + '{"format":1,"body":["a",1]}\ntext',
        HEADER_MARK + '{"format":1,"body":["a","b","c"]}\ntext',
        HEADER_MARK + '{"format":1,"body":{"a":"b"}}\ntext',
        HEADER_MARK + '{"format":1,"holes":[3]}\ntext',
        HEADER_MARK + '{"format":1,"holes":{"3":1}}\ntext',
        HEADER_MARK + '{"format":1,"holes":[[3]]}\ntext',
        HEADER_MARK + '{"format":1,"holes":[[-1,1]]}\ntext',
        HEADER_MARK + '{"format":1,"holes":[[true,1]]}\ntext',
        HEADER_MARK + '{"format":1,"holes":[[3,1],[2,1]]}\ntext',
        HEADER_MARK + '{"format":1,"templates":{"a.html":1}}\ntext',
        HEADER_MARK + '{"format":1,"reads":"user"}\ntext',
        HEADER_MARK + '{"format":1,"reads":[1]}\ntext',
        HEADER_MARK + '{"format":1,"reads":[' + '"",' * 100 + '""]}\ntext',
        HEADER_MARK + '{"format":1,"else":1}\ntext',
        HEADER_MARK + '{"format":1,"escaped":0}\ntext',
        HEADER_MARK + '{"format":1,"version":7}\ntext',
        HEADER_MARK + '{"format":1,"form":7}\ntext',
        HEADER_MARK + '{"format":1,"tags":["posts"]}\ntext',
        HEADER_MARK + '{"format":1,"tags":{"posts":1}}\ntext',
        HEADER_MARK + '{"format":1,"tags":{"posts":null}}\ntext',
        HEADER_MARK + '{"format":1,"expires":1}\ntext',
        HEADER_MARK + '{"format":1,"cost":1}\ntext',
        HEADER_MARK + '{"format":1,"cost":1,"expires":"1"}\ntext',
        HEADER_MARK + '{"format":1,"cost":null,"expires":null}\ntext',
        HEADER_MARK + '{"format":1,"cost":true,"expires":1}\ntext',
        HEADER_MARK + '{"format":1,"cost":-1,"expires":1}\ntext',
        HEADER_MARK + '{"format":1,"cost":1,"expires":NaN}\ntext',
        HEADER_MARK + '{"format":1,"cost":1,"expires":1' + "0" * 400 + "}\ntext",
        HEADER_MARK + "[" * 100_000 + "\ntext",
    ],
)
def test_a_stored_value_that_can_not_be_read_is_a_miss(stored: Any) -> None:
    assert decode(stored) is None


@given(entries)
def test_a_header_line_is_the_json_of_what_it_says(entry: Entry) -> None:
    line = header_line(entry)
    assert line[:1] == HEADER_MARK
    assert line[-1:] == "\n"
    said = json.loads(line[1:])
    assert line[1:-1] == json.dumps(said, sort_keys=True, separators=(",", ":"))
    assert line.count("\n") == 1


@given(st.booleans(), st.none() | st.text(), tags)
def test_the_line_of_tags_alone_is_that_of_their_entry(
    escaped: bool, version: str | None, versions: dict[str, str]
) -> None:
    entry = Entry("", escaped, version, tags=tuple(sorted(versions.items())))
    for _ in range(2):
        assert tag_line(escaped, version, versions) == header_line(entry)


@given(entries, tags)
def test_what_an_entry_shows_of_its_tags_is_what_it_has(
    entry: Entry, versions: dict[str, str]
) -> None:
    stored = encode(entry)
    assert not shows_old_tags(stored, dict(entry.tags), entry.version)
    if shows_old_tags(stored, versions, entry.version):
        assert not versions.items() <= dict(entry.tags).items()


@pytest.mark.parametrize(
    ("has", "shows"),
    [
        ({"a": "1", "b": "2"}, False),
        ({"a": "1", "b": "3"}, True),
        ({"a": "2", "b": "1"}, True),
        # What else it has is for `decode` to tell.
        ({"a": "1", "b": "3", "c": "3"}, False),
        ({"a": "1", "c": "2"}, False),
        ({"a": "1", "version": "2"}, False),
        ({"a": "1"}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("text", ["", "<p>", '"b":"2"', f'{HEADER_MARK}"b":"2"\n'])
@pytest.mark.parametrize("life", [None, Life(1.0, 0.5)])
def test_an_entry_shows_that_a_tag_was_invalidated(
    life: Life | None, has: dict[str, str], shows: bool, text: str
) -> None:
    entry = Entry(text, version="2", tags=tuple(has.items()), life=life)
    assert shows_old_tags(encode(entry), {"a": "1", "b": "2"}, "2") is shows


@pytest.mark.parametrize("version", [None, 1, '1"', "2"])
def test_an_entry_shows_that_a_tag_has_another_version(version: object) -> None:
    stored = encode(Entry("", tags=(("a", "1"),)))
    assert shows_old_tags(stored, {"a": version}, None)


def test_an_entry_shows_that_it_has_no_tags() -> None:
    assert shows_old_tags("<p>", {"a": "1"}, None)
    assert not shows_old_tags("<p>", {}, None)


def test_the_format_is_the_one_that_is_documented() -> None:
    assert FORMAT == 1


def header(**fields: Any) -> str:
    return f"{HEADER_MARK}{json.dumps({'format': FORMAT, **fields})}\ntext"


@pytest.mark.parametrize(
    ("field", "most", "make"),
    [
        ("tags", MOST_TAGS, lambda each: (str(each), "version")),
        ("templates", MOST_TEMPLATES, lambda each: (f"{each}.html", "digest")),
        ("holes", MOST_HOLES, lambda _: (0, 1)),
    ],
)
def test_an_entry_with_more_than_the_most_is_a_miss_and_is_not_written(
    field: str, most: int, make: Any
) -> None:
    for number, is_read in ((most, True), (most + 1, False), (10 * most, False)):
        given = [make(each) for each in range(number)]
        stored = header(**{field: given if field == "holes" else dict(given)})
        assert (decode(stored) is not None) is is_read
        entry = Entry("text", **{field: tuple(sorted(given))})  # type: ignore[arg-type]  # one of three
        if is_read:
            assert decode(encode(entry)) == entry
        else:
            with pytest.raises(HeaderTooLargeError, match="Cache smaller parts"):
                encode(entry)


def test_a_header_that_is_too_long_is_a_miss_and_is_not_written() -> None:
    room = LONGEST_HEADER - len(header(version="")) + len("text")
    assert decode(header(version="x" * room)) is not None
    assert decode(header(version="x" * (room + 1))) is None
    with pytest.raises(HeaderTooLargeError, match="Cache smaller parts"):
        encode(Entry("text", version="x" * LONGEST_HEADER))
    # The end of the line is not looked for in what follows.
    assert decode(HEADER_MARK + "x" * LONGEST_HEADER + "\n") is None


def test_header_lines_of_any_kind_are_remembered_within_the_same_bytes() -> None:
    for number in range(500):
        # What is read from many short fields is larger than the line.
        tags = {f"{number} {each}": "" for each in range(100)}
        assert decode(header(tags=tags)) == decode(header(tags=tags))
    assert sum(size_of(each) for each in _known.items()) < 4 * 2**20
    assert decode(header(version="x" * 3000)) is not None
    assert len(_known) < 500
