import sys
import tracemalloc
import zlib
from base64 import b64encode
from hashlib import sha256
from importlib import import_module
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jinja_fragcache.entries import compression
from jinja_fragcache.entries.compression import (
    LARGEST,
    METHODS,
    SMALLEST,
    compress,
    decompress,
    is_installed,
)
from jinja_fragcache.entries.entry import (
    HEADER_MARK,
    Entry,
    decode,
    encode,
    utf8_length,
)
from tests.support import NAMES

TEXT = "<p>Grüße &amp; \U0001f98a</p>\n" * 200


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def packed(text: str, method: str) -> str:
    made = compress(text, method)
    assert made is not None
    return made


def zlib_form(data: bytes, size: object) -> str:
    return f"zlib:{size}:{b64encode(data).decode()}"


@given(st.sampled_from(METHODS), NAMES, st.integers(SMALLEST, 2 * SMALLEST))
@example("zlib", "\udc80", SMALLEST)
def test_a_text_comes_back_unchanged(method: str, text: str, times: int) -> None:
    text = (text or "a") * times
    made = packed(text, method)
    assert made.isascii()
    assert len(made) < utf8_length(text)
    assert decompress(made) == text


@pytest.mark.parametrize(("bytes_more", "is_compressed"), [(-1, False), (0, True)])
def test_a_text_is_compressed_from_2048_bytes_of_utf8(
    method: str, bytes_more: int, *, is_compressed: bool
) -> None:
    assert SMALLEST == 2048
    text = "\u00fc" * 1000 + "a" * (48 + bytes_more)
    assert (compress(text, method) is not None) is is_compressed


def test_a_text_that_would_not_get_smaller_is_not_compressed(method: str) -> None:
    noise = b"".join(sha256(b"%d" % each).digest() for each in range(200))
    text = b64encode(noise).decode()
    assert compress(text, method) is None


def test_a_text_over_the_bound_is_not_compressed(method: str) -> None:
    largest = "a" * LARGEST
    made = packed(largest, method)
    assert decompress(made) == largest
    assert compress(largest + "a", method) is None


@pytest.mark.parametrize("more", [1, 50])
def test_a_length_over_the_bound_is_refused_before_it_is_decompressed(
    method: str, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[int] = []

    def note(data: bytes, most: int) -> bytes:
        called.append(most)
        return data

    noting = compression._Method(bytes, note)
    monkeypatch.setattr(compression, "_find", lambda _: noting)
    assert decompress(f"{method}:{LARGEST + more}:AAAA") is None
    assert called == []
    assert decompress(f"{method}:{LARGEST}:AAAA") is None
    assert called == [LARGEST]


def test_a_bomb_takes_no_more_memory_than_it_names(method: str) -> None:
    # 10 kB of zlib, and fewer of zstd, for 10 MiB.
    honest = packed("a" * 10 * 2**20, method)
    bomb = honest.replace(str(10 * 2**20), "4096")
    decompress(packed(TEXT, method))  # what is imported is not counted
    tracemalloc.start()
    try:
        assert decompress(bomb) is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # zstd's own buffers are not Python's: its window is bounded by 16 MiB.
    assert peak < 200_000


DATA = TEXT.encode()
SIZE = len(DATA)


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "zlib",
        "zlib::",
        "zlib:10:",
        "zlib:10:AAAA",
        "gzip:10:AAAA",
        "zstd:10:AAAA",
        zlib_form(b"", SIZE),
        zlib_form(DATA, SIZE),
        zlib_form(zlib.compress(DATA)[:-1], SIZE),
        zlib_form(zlib.compress(DATA) + b"more", SIZE),
        zlib_form(zlib.compress(DATA), SIZE - 1),
        zlib_form(zlib.compress(DATA), SIZE + 1),
        zlib_form(zlib.compress(DATA), f"0{SIZE}"),
        zlib_form(zlib.compress(DATA), f"+{SIZE}"),
        zlib_form(zlib.compress(DATA), "\u0663"),
        zlib_form(zlib.compress(DATA), "9" * 5000),
        zlib_form(zlib.compress(DATA), -1),
        zlib_form(zlib.compress(b"\xff" * 3000), 3000),
        zlib_form(zlib.compress(DATA), SIZE) + "\n",
        zlib_form(zlib.compress(DATA), SIZE) + "\udc80",
    ],
)
def test_garbage_is_not_read(garbage: str) -> None:
    assert decompress(zlib_form(zlib.compress(DATA), SIZE)) == TEXT
    assert decompress(garbage) is None


@given(st.sampled_from(METHODS), st.data())
def test_a_changed_character_is_never_read_as_another_text(
    method: str, data: st.DataObject
) -> None:
    made = packed(TEXT, method)
    at = data.draw(st.integers(0, len(made) - 1))
    put = data.draw(st.characters(codec=None))
    assert decompress(made[:at] + put + made[at + 1 :]) in {None, TEXT}
    assert decompress(made[:at]) is None


@pytest.mark.parametrize("entry", [Entry(TEXT), Entry(TEXT, tags=(("t", "1"),))])
def test_an_entry_is_read_in_whatever_way_it_was_compressed(
    entry: Entry, method: str
) -> None:
    made = HEADER_MARK + packed(encode(entry), method)
    assert decode(made) == entry
    # Compressed twice, it is no entry of this package.
    twice = zlib_form(zlib.compress(made.encode()), len(made))
    assert decompress(twice) == made
    assert decode(HEADER_MARK + twice) is None


def test_a_method_that_is_not_installed_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = packed(TEXT, "zstd")

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(compression, "import_module", missing)
    compression._find.cache_clear()
    try:
        assert is_installed("zlib")
        assert not is_installed("zstd")
        assert decompress(made) is None
        assert decompress(packed(TEXT, "zlib")) == TEXT
    finally:
        compression._find.cache_clear()


def test_zstandard_of_python_and_the_package_read_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = compression._package_zstd()
    if sys.version_info < (3, 14):
        backport = import_module("backports.zstd")
        monkeypatch.setattr(compression, "import_module", lambda _: backport)
    python = compression._python_zstd()
    assert package is not None
    assert python is not None
    for writer in (package, python):
        data = writer.compress(DATA)
        for reader in (package, python):
            assert reader.decompress(data, SIZE) == DATA
    for reader in (package, python):
        assert reader.decompress(data, SIZE + 1) == DATA
        for wrong in (data[:-1], data[:20], data + b"more"):
            with pytest.raises(Exception):  # noqa: B017, PT011 - each has its own
                reader.decompress(wrong, SIZE)
    with pytest.raises(ValueError, match="goes on"):
        package.decompress(data, SIZE - 1)
