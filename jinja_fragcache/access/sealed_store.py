r"""A safe store whose entries are signed: what has no signature for its key is a miss.

Locks are not signed: stores compare them by themselves, and all that a false one can do
is to keep others from storing.

Servers count with numbers, so these can't be signed. A number of `set`, `add` or `inc`
is stored beside its key, under a key that is drawn at random. Under its own key is a
signed text that names the other one, so nothing but a number can be read from there,
and only where one was stored.

    \x1enumber:number:...
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja_fragcache.errors import DamagedValueError
from jinja_fragcache.keys.beside import number_key
from jinja_fragcache.operations import Operation, perform_async
from jinja_fragcache.stores.base import Timed

from .refusals import Refusals
from .runner import Awaited
from .safe_store import SafeStore
from .seal import SEAL_BYTES, Seal

_NOT_SIGNED = (
    "it is not signed for this key, or has ended. If signing_key was changed, list the"
    " old one before the new one until old entries have ended"
)
# No entry begins so: see `entries.entry`.
_NUMBER = "\x1enumber:"


class _SealedReads:
    """Reads of one key, for callers that block and handle failures.

    Args:
        plain: Has `get`, which returns what is stored.
        open_value: Returns the text of what is stored under a key.
    """

    def __init__(
        self, plain: Any, open_value: Callable[[str, object], str | None]
    ) -> None:
        self._get = plain.get
        self._open = open_value

    def get(self, key: str) -> str | None:
        """Return the text of a key."""
        return self._open(key, self._get(key))


class SealedStore(SafeStore):
    """A `SafeStore` that signs what it writes, and returns nothing that is not signed.

    Args:
        seal: Signs and verifies.
        more: As for `SafeStore`.
    """

    added_bytes = SEAL_BYTES

    def __init__(self, *args: Any, seal: Seal, **more: Any) -> None:
        super().__init__(*args, **more)
        self._seal = seal
        self._refusals = Refusals(seal.clock)
        self.plain = _SealedReads(self.plain, self.open)
        self.reads_plainly = False

    @property
    def awaited(self) -> Any:
        """Like `SafeStore.awaited`."""
        return Awaited(self.read_one, perform_async)

    def read(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Like `SafeStore.read`."""
        stored = yield from super().read(keys)
        return (yield from self._opened(keys, stored, super().read))

    def read_again(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Like `SafeStore.read_again`."""
        stored = yield from super().read_again(keys)
        return (yield from self._opened(keys, stored, super().read_again))

    def lock(
        self, keys: Sequence[str], token: str, seconds: int, wanted: Sequence[str]
    ) -> Operation[tuple[Sequence[str] | None, list[Any] | None]]:
        """Like `SafeStore.lock`."""
        taken, stored = yield from super().lock(keys, token, seconds, wanted)
        if stored is not None:
            stored = yield from self._opened(wanted, stored, super().read_again)
        return taken, stored

    def _opened(
        self,
        keys: Sequence[str],
        stored: Sequence[object],
        read: Callable[[Sequence[str]], Operation[list[Any]]],
    ) -> Operation[list[Any]]:
        """Return what is signed, opened.

        Args:
            keys: The keys.
            stored: What is stored under each of them.
            read: Reads the numbers that are stored beside keys.
        """
        opened: list[Any] = list(map(self.open, keys, stored))
        beside = {
            at: text.removeprefix(_NUMBER)
            for at, text in enumerate(opened)
            if text is not None and text.startswith(_NUMBER)
        }
        if beside:
            numbers = yield from read(list(beside.values()))
            for at, number in zip(beside, numbers, strict=True):
                opened[at] = number if type(number) is int else None
        return opened

    def examine(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Like `SafeStore.examine`. What is not signed can't be read."""
        stored = yield from super().examine(keys)
        # What is not signed is there, but can't be read: `_NUMBER` alone is no entry.
        return [
            None if each is None else (self._seal.open(key, each) or _NUMBER)
            for key, each in zip(keys, stored, strict=True)
        ]

    def write(self, values: Mapping[str, Timed]) -> Operation[list[str]]:
        """Like `SafeStore.write`."""
        sealed = yield from self._sealed(values)
        return (yield from super().write(sealed))

    def put(self, key: str, text: str, timeout: int) -> Operation[bool]:
        """Like `SafeStore.put`."""
        sealed = yield from self._sealed({key: (text, timeout)})
        return (yield from super().put(key, str(sealed[key][0]), timeout))

    def write_locked(
        self, values: Mapping[str, Timed], token: str
    ) -> Operation[list[str]]:
        """Like `SafeStore.write_locked`."""
        sealed = yield from self._sealed(values)
        return (yield from super().write_locked(sealed, token))

    def add(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> Operation[list[str]]:
        """Like `SafeStore.add`. What is not signed counts as nothing, and is replaced.

        Else somebody could keep a tag from ever getting a version.
        """
        timed: dict[str, Timed] = {key: (each, timeout) for key, each in values.items()}
        sealed = yield from self._sealed(timed)
        texts = {key: text for key, (text, _) in sealed.items()}
        added = yield from super().add(texts, timeout)
        left = [key for key in texts if key not in added]
        stored = (yield from super().read_again(left)) if left else []
        for key, each in zip(left, stored, strict=True):
            if each is None or self._seal.open(key, each) is not None:
                continue
            call = self._adapter.set(key, texts[key], self.seconds(timeout))
            if (yield from self._try("write", [key], call, False)) is None:
                added.append(key)
        return added

    def replace(self, values: Mapping[str, str | int], timeout: int) -> Operation[None]:
        """Like `SafeStore.replace`."""
        sealed = {
            key: self._seal.seal(key, str(each), timeout)
            for key, each in values.items()
        }
        yield from super().replace(sealed, timeout)

    def increment(self, key: str, delta: int) -> Operation[int | None]:
        """Like `SafeStore.increment`."""
        call = self._count(key, delta)
        number: int | None = yield from self._try("count", [key], call, None)
        if number is not None:
            self._recorder.announce("set", key)
        return number

    def _count(self, key: str, delta: int) -> Operation[int | None]:
        """Add to the number of a key, which begins with 0 where there is none."""
        adapter = self._adapter
        text = self._seal.open(key, (yield from adapter.get(key)))
        if text is None:
            text = _new_number(key)
            # The store's own default is the timeout of the number, too.
            sealed = self._seal.seal(key, text, self.default_timeout)
            if not (yield from adapter.add(key, sealed, None)):
                theirs = self._seal.open(key, (yield from adapter.get(key)))
                if theirs is None:
                    yield from adapter.set(key, sealed, None)
                else:
                    text = theirs
        if not text.startswith(_NUMBER):
            return None
        beside = text.removeprefix(_NUMBER)
        return (yield from adapter.increment(beside, delta))

    def open(self, key: str, stored: object) -> str | None:
        """Return the text that was signed for a key; count and log the others once."""
        if stored is None:
            return None
        text = self._seal.open(key, stored)
        if text is None and self._refusals.is_new(key, stored):
            error = DamagedValueError(_NOT_SIGNED)
            if self._refusals.may_log():
                self.failed("read", [key], error)
            else:
                self.count_failure(key, error)
        return text

    def _sealed(self, values: Mapping[str, Timed]) -> Operation[dict[str, Timed]]:
        """Return values signed, without numbers that can't be written beside."""
        sealed: dict[str, Timed] = {}
        for key, (value, timeout) in values.items():
            text = value
            if not isinstance(text, str):
                text = _new_number(key)
                beside = text.removeprefix(_NUMBER)
                call = self._adapter.set(beside, value, self.seconds(timeout))
                if (yield from self._try("write", [key], call, False)) is False:
                    continue
            seconds = self.seconds(timeout)
            if seconds is None:
                seconds = self.default_timeout
            sealed[key] = self._seal.seal(key, text, seconds), timeout
            self._refusals.replaced(key)
        return sealed


def _new_number(key: str) -> str:
    """Return the text that stands for a number which is stored beside a key."""
    return f"{_NUMBER}{number_key(key, os.urandom(8).hex())}"
