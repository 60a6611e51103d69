"""Compresses texts for stores, and reads compressed ones within a bound.

A compressed text names its method and its length, and is text itself, so that every
store keeps it:

    zlib:20480:eJzt...

That is the method, the length of the text as UTF-8, and the compressed bytes in Base64.
`entries.entry` puts the mark of a header in front.

Who can write to the store can write such a text. So a length over the bound is refused
before anything is decompressed, and decompressing stops at the length that is named.
"""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

#: Texts are compressed from this size, in bytes of UTF-8.
SMALLEST = 2048
#: The largest text that is compressed or decompressed, in bytes of UTF-8.
LARGEST = 16 * 2**20
#: The methods, by the names that users give.
METHODS = ("zlib", "zstd")
_LARGEST_DIGITS = len(str(LARGEST))


class _Method(NamedTuple):
    """A way to compress.

    Attributes:
        compress: Returns compressed bytes.
        decompress: Returns the bytes of compressed ones. It raises anything if these
            are more bytes than it is told, or what it gets was changed or cut off.
    """

    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes, int], bytes]


def _unzlib(data: bytes, most: int) -> bytes:
    reader = zlib.decompressobj()
    # One more, because the end may be read only where there is room for more. Only
    # there, the checksum of the text is compared.
    text = reader.decompress(data, most + 1)
    if not reader.eof or reader.unused_data:
        raise ValueError("it goes on")
    return text


@cache
def _find(name: str) -> _Method | None:
    """Return the method of a name, None if there is none or it is not installed."""
    if name == "zlib":
        return _Method(zlib.compress, _unzlib)
    return (_python_zstd() or _package_zstd()) if name == "zstd" else None


def _python_zstd() -> _Method | None:
    """Return Zstandard as it comes with Python 3.14."""
    try:
        zstd: Any = import_module("compression.zstd")
    except ImportError:
        return None
    limits = {zstd.DecompressionParameter.window_log_max: LARGEST.bit_length() - 1}
    checked = {zstd.CompressionParameter.checksum_flag: 1}

    def compress(data: bytes) -> bytes:
        made: bytes = zstd.compress(data, options=checked)
        return made

    def decompress(data: bytes, most: int) -> bytes:
        reader = zstd.ZstdDecompressor(options=limits)
        text: bytes = reader.decompress(data, most + 1)
        if not reader.eof or reader.unused_data:
            raise ValueError("it goes on")
        return text

    return _Method(compress, decompress)


def _package_zstd() -> _Method | None:
    """Return Zstandard of the package zstandard."""
    try:
        zstandard: Any = import_module("zstandard")
    except ImportError:
        return None

    def compress(data: bytes) -> bytes:
        made: bytes = zstandard.ZstdCompressor(write_checksum=True).compress(data)
        return made

    def decompress(data: bytes, most: int) -> bytes:
        # A size that is not told is -1. One that is too small is an error below.
        if not 0 <= zstandard.frame_content_size(data) <= most:
            raise ValueError("it goes on")
        reader = zstandard.ZstdDecompressor(max_window_size=LARGEST)
        text: bytes = reader.decompress(data, allow_extra_data=False)
        return text

    return _Method(compress, decompress)


def is_installed(method: str) -> bool:
    """Return whether a method of `METHODS` can be used."""
    return _find(method) is not None


def compress(text: str, method: str) -> str | None:
    """Return a text compressed, None if that is not worth it.

    Args:
        text: The text. One that is short or too long is not compressed.
        method: One of `METHODS`, which is installed.
    """
    found = _find(method)
    data = b"" if len(text) > LARGEST else _to_bytes(text)
    size = len(data)
    if found is None or not SMALLEST <= size <= LARGEST:
        return None
    made = b64encode(found.compress(data)).decode("ascii")
    packed = f"{method}:{size}:{made}"
    return packed if len(packed) < size else None


def decompress(packed: str) -> str | None:
    """Return the text that `compress` compressed, None if it did not."""
    name, _, rest = packed.partition(":")
    digits, _, made = rest.partition(":")
    method = _find(name) if name in METHODS else None
    if method is None or not _is_length(digits) or not made.isascii():
        return None
    size = int(digits)
    try:
        data = method.decompress(b64decode(made, validate=True), size)
        return data.decode("utf-8", "surrogatepass") if len(data) == size else None
    except Exception:  # noqa: BLE001 - each method has errors of its own
        return None


def _is_length(digits: str) -> bool:
    """Return whether a text is a number of bytes within the bounds."""
    is_number = digits.isascii() and digits.isdigit() and digits[0] != "0"
    return is_number and len(digits) <= _LARGEST_DIGITS and int(digits) <= LARGEST


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
