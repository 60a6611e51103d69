"""How stores of bytes keep what this package gives them: texts and whole numbers.

As they come, cachelib's stores pickle what they are given and unpickle what they find,
so whoever can write to the server or the folder can run code here. Nothing that reaches
a store of this package needs that: values that are neither text nor number are made
texts before (`values`).
"""

import re
from typing import IO, Any

from cachelib.serializers import BaseSerializer

# No UTF-8 begins with this byte.
_TEXT_MARK = b"\xff"
# What a server counts with. A longer number is no number to it. Memcached leaves blanks
# behind one that it counted down to fewer digits (protocol.txt).
_NUMBER = re.compile(rb"-?(0|[1-9][0-9]{0,18}) *")
# What a number begins with, or a text that is marked. Most texts are told by that.
_FIRST_BYTES = frozenset(b"-0123456789" + _TEXT_MARK)


class TextSerializer(BaseSerializer):
    """Keeps texts as UTF-8 and whole numbers as digits, and refuses all else.

    A server can count up a number that is kept so. A text of nothing but digits begins
    with a byte that says that it is one.

    For any cachelib cache: `cache.serializer = TextSerializer()`. What such a cache has
    kept before is a miss then.
    """

    def dumps(self, value: Any, protocol: int = 0) -> bytes:  # noqa: ARG002 - cachelib's signature
        """Give the bytes of a text or a number.

        Raises:
            TypeError: the value is neither, or a number of more than 19 digits.
        """
        if isinstance(value, str):
            text = value.encode("utf-8", "surrogatepass")
            return _TEXT_MARK + text if _NUMBER.fullmatch(text) else text
        if type(value) is int and _NUMBER.fullmatch(number := b"%d" % value):
            return number
        raise TypeError(
            "This store keeps texts and numbers of up to 19 digits, and was given"
            f" {type(value).__name__}"
        )

    def loads(self, bvalue: Any) -> str | int | None:
        """Read what `dumps` gave; None for anything else.

        Args:
            bvalue: bytes; or a text, from a client that decodes what it reads.
        """
        if not isinstance(bvalue, bytes):
            return bvalue if isinstance(bvalue, str) else None
        if bvalue and bvalue[0] in _FIRST_BYTES:
            if _NUMBER.fullmatch(bvalue):
                return int(bvalue)
            marked = bvalue.removeprefix(_TEXT_MARK)
            if _NUMBER.fullmatch(marked):
                return marked.decode("ascii")
        try:
            return bvalue.decode("utf-8", "surrogatepass")
        except ValueError:
            return None

    def dump(self, value: Any, f: IO[bytes], protocol: int = 0) -> None:  # noqa: ARG002 - cachelib's signature
        """Write a text or a number to a file."""
        f.write(self.dumps(value))

    def load(self, f: IO[bytes]) -> str | int | None:
        """Read what `dump` wrote; None for anything else."""
        return self.loads(f.read())


class NeverEmptySerializer(TextSerializer):
    """The same for servers and clients that take an empty value for none."""

    def dumps(self, value: Any, protocol: int = 0) -> bytes:
        """Give at least one byte."""
        return super().dumps(value, protocol) or _TEXT_MARK

    def loads(self, bvalue: Any) -> str | int | None:
        """Read what `dumps` gave; None for anything else."""
        return "" if bvalue == _TEXT_MARK else super().loads(bvalue)
