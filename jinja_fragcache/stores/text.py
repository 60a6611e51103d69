"""How stores that hold bytes store what this package gives them: text and integers.

By default cachelib's caches pickle what they are given and unpickle what they find, so
anyone who can write to the server or the folder can run code in this process. Nothing
that reaches a store of this package needs pickle: values that are neither text nor an
integer have been turned into text before (see `entries.values`).
"""

import re
from collections.abc import Iterable
from typing import IO, Any

from cachelib.serializers import BaseSerializer

# No text begins with this byte in UTF-8.
_TEXT_MARK = b"\xff"
#: The numbers that a server can count with. It does not take a longer one for a number.
# Memcached leaves blanks behind a number that it counted down to fewer digits
# (protocol.txt).
NUMBER = re.compile(rb"-?(0|[1-9][0-9]{0,18}) *")
# The first bytes of numbers and of marked texts. Most texts begin with another byte,
# and need no further check.
_FIRST_BYTES = frozenset(b"-0123456789" + _TEXT_MARK)


class TextSerializer(BaseSerializer):
    """Stores text as UTF-8 and integers as digits, and refuses everything else.

    A server can count with a number that is stored in this way. A text that looks like
    a number is stored with a byte in front that marks it as text.

    It works for any cachelib cache: `cache.serializer = TextSerializer()`. Then all
    that the cache has stored before is a miss.
    """

    def dumps(self, value: Any, protocol: int = 0) -> bytes:
        """Return the bytes for a text or an integer.

        Raises:
            TypeError: If the value is neither, or is an integer of more than 19 digits.
        """
        if isinstance(value, str):
            text = value.encode("utf-8", "surrogatepass")
            return _TEXT_MARK + text if NUMBER.fullmatch(text) else text
        if type(value) is int and NUMBER.fullmatch(number := b"%d" % value):
            return number
        raise TypeError(
            "This store keeps texts and numbers of up to 19 digits, and was given"
            f" {type(value).__name__}"
        )

    def loads(self, bvalue: Any) -> str | int | None:
        """Return the value that `dumps` turned into these bytes, or None if it did not.

        Args:
            bvalue: Bytes; or text, from a client that decodes what it reads.
        """
        if not isinstance(bvalue, bytes):
            return bvalue if isinstance(bvalue, str) else None
        if bvalue and bvalue[0] in _FIRST_BYTES:
            if NUMBER.fullmatch(bvalue):
                return int(bvalue)
            marked = bvalue.removeprefix(_TEXT_MARK)
            if NUMBER.fullmatch(marked):
                return marked.decode("ascii")
        try:
            return bvalue.decode("utf-8", "surrogatepass")
        except ValueError:
            return None

    def loads_all(self, values: Iterable[Any]) -> list[str | int | None]:
        """Like `loads` for each value. None stays None."""
        found = list(values)
        if {*map(type, found)} == {str}:
            return found
        try:
            # Mostly these are texts without surrogates, which need no call.
            return [
                each.decode()
                if type(each) is bytes and each and each[0] not in _FIRST_BYTES
                else None
                if each is None
                else self.loads(each)
                for each in found
            ]
        except ValueError:
            return [self.loads(each) for each in found]

    def dump(self, value: Any, f: IO[bytes], protocol: int = 0) -> None:
        """Write a text or an integer to a file."""
        f.write(self.dumps(value))

    def load(self, f: IO[bytes]) -> str | int | None:
        """Return the value that `dump` wrote to a file, or None if it did not."""
        return self.loads(f.read())


class NeverEmptySerializer(TextSerializer):
    """Like `TextSerializer`, for clients to which an empty value means no value."""

    def dumps(self, value: Any, protocol: int = 0) -> bytes:
        """Like `TextSerializer.dumps`, but return at least one byte."""
        return super().dumps(value, protocol) or _TEXT_MARK

    def loads(self, bvalue: Any) -> str | int | None:
        """Like `TextSerializer.loads`."""
        return "" if bvalue == _TEXT_MARK else super().loads(bvalue)
