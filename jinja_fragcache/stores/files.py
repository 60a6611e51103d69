"""A store in the files of a folder, which several processes may share."""

import hashlib
import math
import os
import re
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import cachelib

from jinja_fragcache.messages import logger
from jinja_fragcache.timeouts import NEVER_EXPIRES, normalize_timeout

from .base import Timed
from .file_lock import Count, CountingLock
from .text import TextSerializer

DEFAULT_THRESHOLD = 500
DEFAULT_TIMEOUT = 300
#: A file that is still being written after so many seconds is one of a process that
#: was killed.
STALE_SECONDS = 3600
# Making room makes it for a 16th of all, so that the folder is seldom listed.
_ROOM = 16
# When it expires, in seconds since 1970, and a digest over that, the key and the value.
_HEAD = struct.Struct("<Q16s")
_LOCK_NAME = "fragcache.lock"


class FileStore(cachelib.FileSystemCache):
    """Keep texts and numbers in a folder, one file for each.

    A `cachelib.FileSystemCache` in which a damaged file is a miss, and whose limit,
    `add`, `inc` and `dec` hold over all threads and processes that use the folder. (On
    Windows, over those of one process.) Reads take no lock. What writes holds one while
    it moves, counts or removes a file, not while it writes one.

    Args:
        cache_dir: the folder, made if it is missing.
        threshold: the largest number of entries; 0 for no limit.
        default_timeout: seconds that an entry lives if it was written without a
            timeout; 0 for ever.
        mode: the file mode of entries, 0600 if none is given.
        hash_method: what makes file names from keys, such as `hashlib.sha256`.
        timer: a clock in seconds since 1970.

    Raises:
        ValueError: the threshold is no whole number from 0.
        OSError: the folder can't be made or read.
    """

    serializer = TextSerializer()  # type: ignore[assignment]  # cachelib means its form

    def __init__(  # noqa: PLR0913 - cachelib's, and a clock
        self,
        cache_dir: str,
        threshold: int = DEFAULT_THRESHOLD,
        default_timeout: int = DEFAULT_TIMEOUT,
        mode: int | None = None,
        hash_method: Callable[..., Any] = hashlib.sha256,
        *,
        timer: Callable[[], float] = time.time,
    ) -> None:
        if type(threshold) is not int or threshold < 0:
            raise ValueError(
                f"A FileStore can't be limited to {threshold!r} entries. Write a"
                " threshold of 1 or more, or 0 for no limit."
            )
        self._timer = timer
        self._entry_name = re.compile(f"[0-9a-f]{{{len(hash_method().hexdigest())}}}")
        super().__init__(str(cache_dir), threshold, default_timeout, mode, hash_method)
        self._entry_mode = self._mode or self._get_compatible_platform_mode()
        self._lock = CountingLock(Path(self._path, _LOCK_NAME), self._entry_mode)
        self._remove_stale()

    def get(self, key: str) -> str | int | None:
        """Give the value of a key, or None."""
        found = self._read(key)
        return None if found is None else found[0]

    def has(self, key: str) -> bool:
        """Tell whether `get` would give a value. It costs the same."""
        return self._read(key) is not None

    def set(  # type: ignore[override]  # cachelib's own count needs no entry here
        self, key: str, value: str | int, timeout: int | timedelta | None = None
    ) -> bool:
        """Keep a value.

        Args:
            key: any text that UTF-8 can write.
            value: a text, or a number of up to 19 digits.
            timeout: seconds or a `timedelta`, 0 for ever, None for the default timeout.

        Returns:
            False if it could not be written, which the log tells. What was kept before
            is there still.

        Raises:
            TypeError: the value is neither text nor number. The same holds then.
            TimeoutValueError: the timeout is none.
        """
        sealed = self._sealed(key, value, self._normalize_timeout(timeout))
        try:
            with self._written(sealed) as file, self._lock.held() as count:
                self._move(file, key, count)
        except OSError as error:
            return self._failed("write", error)
        return True

    def add(
        self, key: str, value: str | int, timeout: int | timedelta | None = None
    ) -> bool:
        """Keep a value if the key has none, and tell whether that was so.

        Arguments and errors are those of `set`.
        """
        sealed = self._sealed(key, value, self._normalize_timeout(timeout))
        if self.has(key):
            return False
        try:
            with self._written(sealed) as file, self._lock.held() as count:
                if self.has(key):
                    return False
                self._move(file, key, count)
        except OSError as error:
            return self._failed("write", error)
        return True

    def set_many_if_equal(
        self, values: Mapping[str, Timed], others: Mapping[str, str], expected: str
    ) -> list[str]:
        """Keep each value whose other key has an expected value, and forget that key.

        Args:
            values: for each key its value, and the timeout of that, as for `set`.
            others: for each key the other one.
            expected: what has to stand there.

        Returns:
            The keys of the values that were kept. Why others could not be written, the
            log tells.
        """
        sealed = {
            key: self._sealed(key, value, self._normalize_timeout(timeout))
            for key, (value, timeout) in values.items()
        }
        kept: list[str] = []
        try:
            with ExitStack() as stack:
                files = {
                    key: stack.enter_context(self._written(each))
                    for key, each in sealed.items()
                }
                count = stack.enter_context(self._lock.held())
                for key, file in files.items():
                    if self.get(others[key]) == expected:
                        # First, so that there is room, and none is made by removing it.
                        self._forget(others[key], count)
                        self._move(file, key, count)
                        kept.append(key)
        except OSError as error:
            self._failed("write", error)
        return kept

    def delete_many_if_equal(self, keys: Sequence[str], expected: str) -> list[str]:
        """Forget those keys that have an expected value, and give them."""
        deleted: list[str] = []
        try:
            with self._lock.held() as count:
                for key in keys:
                    if self.get(key) == expected:
                        self._forget(key, count)
                        deleted.append(key)
        except OSError as error:
            self._failed("delete", error)
        return deleted

    def inc(self, key: str, delta: int = 1) -> int | None:
        """Count up, and give the new number.

        A number keeps the time that it has left. Where there is none, it begins with
        `delta` and lives for the default timeout.

        Returns:
            None if the value is a text, which stays as it is; or if the number could
            not be written, which the log tells.

        Raises:
            TypeError: the number would have more than 19 digits.
        """
        try:
            with self._lock.held() as count:
                number, expires = self._read(key) or (0, self._normalize_timeout(None))
                if isinstance(number, str):
                    return None
                number += delta
                with self._written(self._sealed(key, number, expires)) as file:
                    self._move(file, key, count)
        except OSError as error:
            self._failed("write", error)
            return None
        return number

    def dec(self, key: str, delta: int = 1) -> int | None:
        """Count down, as `inc` counts up."""
        return self.inc(key, -delta)

    def remaining(self, key: str) -> float | None:
        """Give the seconds that an entry has left, `math.inf` if it never expires.

        Returns:
            None if there is no entry.
        """
        found = self._read(key)
        if found is None:
            return None
        _, expires = found
        return expires - self._timer() if expires else math.inf

    def delete(self, key: str) -> bool:  # type: ignore[override]  # as for set
        """Forget a key, and tell whether it is gone, or was never there."""
        try:
            with self._lock.held() as count:
                self._forget(key, count)
        except FileNotFoundError:
            return True
        except OSError as error:
            return self._failed("delete", error)
        return True

    def clear(self) -> bool:
        """Forget everything, and tell whether that was done.

        Files in the folder that are no entries stay.
        """
        try:
            with self._lock.held() as count:
                left = [file for file in self._entries() if not self._remove(file)]
                count.write(len(left))
        except FileNotFoundError:
            return True
        except OSError as error:
            return self._failed("clear", error)
        return not left

    def _normalize_timeout(self, timeout: Any) -> int:
        seconds = normalize_timeout(timeout)
        if seconds is None:
            seconds = self.default_timeout
        return int(self._timer()) + seconds if seconds else NEVER_EXPIRES

    def _sealed(self, key: str, value: str | int, expires: int) -> bytes:
        body = self.serializer.dumps(value)
        return _HEAD.pack(expires, self._digest(key, expires, body)) + body

    def _digest(self, key: str, expires: int, body: bytes) -> bytes:
        """Sum up an entry, so that one that is cut or changed is not served.

        It is no signature: who can write to the folder can write entries.
        """
        text = b"%d %b %b" % (expires, key.encode(), body)
        return hashlib.blake2b(text, digest_size=16, usedforsecurity=False).digest()

    def _read(self, key: str) -> tuple[str | int, int] | None:
        """Give a value and when it expires; None for none, or one not to be served."""
        try:
            sealed = Path(self._get_filename(key)).read_bytes()
            expires, digest = _HEAD.unpack_from(sealed)
        except (OSError, struct.error):
            return None
        body = sealed[_HEAD.size :]
        if expires and expires < self._timer():
            return None
        if digest != self._digest(key, expires, body):
            return None
        value = self.serializer.loads(body)
        return None if value is None else (value, expires)

    @contextmanager
    def _written(self, sealed: bytes) -> Iterator[Path]:
        """Write a file beside the entries. It is gone at the end, if it still is there.

        Raises:
            OSError: it could not be written.
        """
        descriptor, name = tempfile.mkstemp(self._fs_transaction_suffix, dir=self._path)
        file = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(sealed)
            file.chmod(self._entry_mode)
            yield file
        finally:
            file.unlink(missing_ok=True)

    def _move(self, file: Path, key: str, count: Count) -> None:
        """Make a written file the key's entry. The lock is held."""
        entry = Path(self._get_filename(key))
        if self._threshold and not entry.exists():
            known = count.read()
            if known is None or known >= self._threshold:
                known = self._make_room()
            # Before the move: who is killed in between has counted too many.
            count.write(known + 1)
        file.replace(entry)

    def _forget(self, key: str, count: Count) -> None:
        """Remove a key's file, which has to be there. The lock is held.

        Whatever lies there: what can't be read may be readable for others.
        """
        Path(self._get_filename(key)).unlink()
        known = count.read()
        if known:
            count.write(known - 1)

    def _make_room(self) -> int:
        """Remove entries until there is room, and give how many are left.

        What is damaged or expired goes first, then what was written the longest ago.
        """
        self._remove_stale()
        entries = list(self._entries())
        most = self._threshold - max(1, self._threshold // _ROOM)
        if len(entries) <= most:
            return len(entries)
        ages = {file: self._age(file) for file in entries}
        left = len(entries)
        for file in sorted(entries, key=ages.__getitem__):
            lives, _ = ages[file]
            if lives and left <= most:
                break
            left -= self._remove(file)
        return left

    def _age(self, file: Path) -> tuple[bool, float]:
        """Tell whether an entry lives, by its head alone, and when it was written."""
        try:
            with file.open("rb", buffering=0) as stream:
                expires, _ = _HEAD.unpack(stream.read(_HEAD.size))
                written = os.fstat(stream.fileno()).st_mtime
        except (OSError, struct.error):
            return False, 0
        return not expires or expires >= self._timer(), written

    def _entries(self) -> Iterator[Path]:
        with os.scandir(self._path) as found:
            for each in found:
                if self._entry_name.fullmatch(each.name) and each.is_file(
                    follow_symlinks=False
                ):
                    yield Path(each.path)

    def _remove_stale(self) -> None:
        """Remove what processes left behind that were killed while they wrote."""
        # By the clock that the system dates files with, whatever the timer is.
        before = time.time() - STALE_SECONDS
        with os.scandir(self._path) as found:
            for each in found:
                if each.name.endswith(self._fs_transaction_suffix):
                    with suppress(OSError):
                        if each.stat().st_mtime < before:
                            Path(each.path).unlink()

    def _remove(self, file: Path) -> bool:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            return self._failed("delete", error)
        return True

    def _failed(self, what: str, error: OSError) -> bool:
        logger.warning("The store in %s could not %s: %s", self._path, what, error)
        return False

    # What cachelib counts with. Its constructor calls these.

    def _list_dir(self) -> Any:
        return (str(file) for file in self._entries())

    def _update_count(self, delta: int | None = None, value: int | None = None) -> None:
        """Do nothing: what is counted stands in the lock's file."""
