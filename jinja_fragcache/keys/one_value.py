"""The keys of fragments with one key value, as most have, made and remembered."""

from __future__ import annotations

from sys import getsizeof

from .form import readable_name, sha256
from .plain import encode_text, int_text

# So many keys are in each of the two halves. A name takes the places of some keys.
_HALF = 2048
_PLACES_OF_NAME = 4
# A name or value of more bytes is not remembered. With its key, of 200 bytes, and its
# place, a key takes 1 kB at most: 4 MiB in all.
_MOST_BYTES = 500
# A text of so many characters has no more bytes than that.
_SURELY_FEW = 100


class KeysByName(dict[str, "KeysOfName"]):
    """Keys of fragments, as `keys[name][value]`, for a `str` and a `str` or `int`.

    They are read as any dict is, on the path of every hit. On that of every miss, one
    is made, and it takes few steps to remember it. There are two halves. When the new
    half is full, it becomes the old one, and what was in the old one is forgotten at
    once. So no order and no sizes are kept, no lock is needed, and what is read again
    in the meantime stays.

    Attributes:
        left: How many keys may be added until the new half is full.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left = _HALF

    def __missing__(self, name: str) -> KeysOfName:
        """Return the keys of a name that has none yet."""
        keys = KeysOfName(name, self)
        if getsizeof(name) <= _MOST_BYTES:
            self.left -= _PLACES_OF_NAME
            self[name] = keys
        return keys

    def turn(self) -> None:
        """Let the new half be the old one."""
        for name, keys in list(self.items()):
            if keys:
                keys.turn()
            else:
                self.pop(name, None)
        # Those that are left have places in the new half, too.
        self.left = _HALF - _PLACES_OF_NAME * len(self)


class KeysOfName(dict[str | int, str]):
    """The keys of a name.

    Args:
        name: The name.
        keys: All keys.

    Attributes:
        old: Those in the old half.
    """

    __slots__ = ("_all", "_encoded", "_start", "old")

    def __init__(self, name: str, keys: KeysByName) -> None:
        super().__init__()
        self._all = keys
        self._start = f"fragment:{readable_name(name)}:"
        self._encoded = encode_text(name)
        self.old: dict[str | int, str] = {}

    def __missing__(self, value: str | int) -> str:
        """Return the key of a value that is not in the new half."""
        text = value if isinstance(value, str) else int_text(value)
        key = self.old.get(value)
        if key is None:
            # The same as `make_template_fragment_key`, in fewer calls.
            encoded = f"{self._encoded}s{len(text)}:{text}"
            try:
                data = encoded.encode()
            except UnicodeEncodeError:
                # It holds lone surrogates.
                data = encoded.encode("utf-8", "surrogatepass")
            key = self._start + sha256(data).hexdigest()
        if len(text) <= _SURELY_FEW or getsizeof(value) <= _MOST_BYTES:
            everything = self._all
            if everything.left <= 0:
                everything.turn()
            everything.left -= 1
            self[value] = key
        return key

    def turn(self) -> None:
        """Let the new half be the old one."""
        # In this order, so that those who read find each in one of the two.
        self.old = self.copy()
        self.clear()
