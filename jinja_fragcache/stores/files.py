"""A store in the files of a folder, which several processes may share."""

import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from jinja_fragcache.clocks import time_of_day
from jinja_fragcache.errors import StoreError
from jinja_fragcache.timeouts import NEVER_EXPIRES

from .base import Timed
from .facts import MOST_COUNTED, Facts
from .file_folder import Folder
from .file_format import pack, unpack
from .file_open import MOST_BYTES, read_regular
from .text_store import TextStore

DEFAULT_THRESHOLD = 500
DEFAULT_TIMEOUT = 300


class FileStore(TextStore):
    """Stores text and integers in a folder, one file for each entry.

    It takes the arguments of `cachelib.FileSystemCache` and names files as that does. A
    damaged file is a miss, and so is all that is no regular file: links are never
    followed. The limit, `add`, `inc` and `dec` hold across all threads and processes
    that use the folder (on Windows, across the threads of one process). Reads take no
    lock. Writes hold a lock while they move, count or remove a file, but not while they
    write one. They wait for it for two seconds at most.

    Args:
        cache_dir: The folder. It is created if it is missing, with the mode 0700, or
            more if `mode` lets others read entries.
        threshold: The largest number of entries; 0 for no limit.
        default_timeout: The timeout in seconds of entries that are stored without one;
            0 if they never expire.
        mode: The file mode of entries; 0600 if it is None.
        hash_method: Makes file names from keys, for example `hashlib.sha256`.
        timer: A clock in seconds since 1970.

    Raises:
        ValueError: If the threshold is not an integer of 0 or more, the mode is not an
            integer, or the hash method is not a function.
        TimeoutValueError: If the default timeout is not valid.
        OSError: If the folder can't be created or read.
    """

    def __init__(
        self,
        cache_dir: str,
        threshold: int = DEFAULT_THRESHOLD,
        default_timeout: int = DEFAULT_TIMEOUT,
        mode: int | None = None,
        hash_method: Callable[..., Any] = hashlib.sha256,
        *,
        timer: Callable[[], float] = time_of_day,
    ) -> None:
        if not isinstance(cache_dir, str | os.PathLike):
            raise ValueError(  # noqa: TRY004 - as for the threshold
                f"The folder of a FileStore can't be {cache_dir!r}. It is a path, such"
                " as '/var/cache/shop'."
            )
        if type(threshold) is not int or threshold < 0:
            raise ValueError(
                f"A FileStore can't be limited to {threshold!r} entries. Write a"
                " threshold of 1 or more, or 0 for no limit."
            )
        if not callable(hash_method):
            raise ValueError(  # noqa: TRY004 - as for the threshold
                f"hash_method (CACHE_FILE_HASH_METHOD) can't be {hash_method!r}. It is"
                " a function such as hashlib.sha256."
            )
        if mode is not None and type(mode) is not int:
            raise ValueError(
                f"The mode of files can't be {mode!r}. It is a number such as 0o600."
            )
        super().__init__(default_timeout)
        self._hash_method = hash_method
        self._timer = timer
        name_length = len(hash_method().hexdigest())
        self._folder = Folder(str(cache_dir), threshold, mode, name_length, timer)
        # Text, because each read makes a path, and `Path` joins more slowly.
        self._start_of_path = f"{cache_dir}{os.sep}"

    def get(self, key: str) -> str | int | None:
        """Return the value of a key, or None if it has none."""
        found = self._read(key)
        return None if found is None else found[0]

    def has(self, key: str) -> bool:
        """Return whether the key has a value. It costs as much as `get`."""
        return self._read(key) is not None

    def set(
        self, key: str, value: str | int, timeout: int | timedelta | None = None
    ) -> bool:
        """Store a value.

        Args:
            key: Any text that can be encoded as UTF-8.
            value: A text, or an integer of up to 19 digits.
            timeout: Seconds or a `timedelta`; 0 if it never expires, None for the
                default timeout.

        Raises:
            StoreError: If the file could not be written, or the value has more than 64
                MiB. The previous value is kept.
            TimeoutError: If others hold the lock for too long. The previous value is
                kept.
            TypeError: If the value is neither a text nor an integer. The previous value
                is kept.
            TimeoutValueError: If the timeout is not valid.
        """
        content = self._content(key, value, self._expiry(timeout))
        with (
            self._folder.failing("write"),
            self._folder.written(content) as file,
            self._folder.lock.held() as count,
        ):
            self._folder.move(file, self._path(key), count)
        return True

    def add(
        self, key: str, value: str | int, timeout: int | timedelta | None = None
    ) -> bool:
        """Store a value if the key has none, and return whether it was stored.

        Arguments and errors are those of `set`.
        """
        content = self._content(key, value, self._expiry(timeout))
        if self.has(key):
            return False
        with (
            self._folder.failing("write"),
            self._folder.written(content) as file,
            self._folder.lock.held() as count,
        ):
            if self.has(key):
                return False
            self._folder.move(file, self._path(key), count)
        return True

    def set_many_if_equal(
        self, values: Mapping[str, Timed], others: Mapping[str, str], expected: str
    ) -> list[str]:
        """Store each value whose other key has an expected value, and delete that key.

        Args:
            values: For each key, its value and its timeout, as for `set`.
            others: For each key, its other key.
            expected: The value that the other keys need to have.

        Returns:
            The keys of the values that were stored.

        Raises:
            StoreError: If a file could not be written. Others may have been stored.
            TimeoutError: If others hold the lock for too long.
        """
        contents = {
            key: self._content(key, value, self._expiry(timeout))
            for key, (value, timeout) in values.items()
        }
        stored: list[str] = []
        with self._folder.failing("write"), ExitStack() as stack:
            files = {
                key: stack.enter_context(self._folder.written(content))
                for key, content in contents.items()
            }
            count = stack.enter_context(self._folder.lock.held())
            for key, file in files.items():
                if self.get(others[key]) == expected:
                    # Before the move, which then finds room, and need not make it by
                    # removing this very entry.
                    self._folder.remove_entry(self._path(others[key]), count)
                    self._folder.move(file, self._path(key), count)
                    stored.append(key)
        return stored

    def delete_many_if_equal(self, keys: Sequence[str], expected: str) -> list[str]:
        """Delete those keys that have an expected value, and return them.

        Raises:
            StoreError: If a file could not be removed.
            TimeoutError: If others hold the lock for too long.
        """
        deleted: list[str] = []
        with self._folder.failing("delete"), self._folder.lock.held() as count:
            for key in keys:
                if self.get(key) == expected:
                    self._folder.remove_entry(self._path(key), count)
                    deleted.append(key)
        return deleted

    def inc(self, key: str, delta: int = 1) -> int | None:
        """Add to a number, and return the new one.

        A number keeps its remaining time. If the key has no value, the number starts
        as `delta` and gets the default timeout.

        Returns:
            None if the value is a text, which is kept.

        Raises:
            StoreError: If the file could not be written.
            TimeoutError: If others hold the lock for too long.
            TypeError: If the number would have more than 19 digits.
        """
        with self._folder.failing("write"), self._folder.lock.held() as count:
            number, expires = self._read(key) or (0, self._expiry(None))
            if isinstance(number, str):
                return None
            number += delta
            content = self._content(key, number, expires)
            with self._folder.written(content) as file:
                self._folder.move(file, self._path(key), count)
        return number

    def remaining(self, key: str) -> float | None:
        """Return the seconds until an entry expires, `math.inf` if it never does.

        Returns:
            None if there is no entry.
        """
        ((_, seconds),) = self.get_with_remaining(key)
        return seconds

    def get_with_remaining(
        self, *keys: str
    ) -> list[tuple[str | int | None, float | None]]:
        """Return for each key what `get` and `remaining` return, of one moment."""
        both: list[tuple[str | int | None, float | None]] = []
        for key in keys:
            value, expires = self._read(key) or (None, None)
            left = expires - self._timer() if expires else math.inf
            both.append((value, None if value is None else left))
        return both

    def delete(self, key: str) -> bool:
        """Delete an entry, and return True.

        Raises:
            StoreError: If the file could not be removed.
            TimeoutError: If others hold the lock for too long.
        """
        with (
            self._folder.failing("delete"),
            suppress(FileNotFoundError),
            self._folder.lock.held() as count,
        ):
            self._folder.remove_entry(self._path(key), count)
        return True

    def clear(self) -> bool:
        """Delete all entries, and return whether none is left.

        Other files in the folder are kept.

        Raises:
            StoreError: If the folder can't be read or locked.
            TimeoutError: If others hold the lock for too long.
        """
        with (
            self._folder.failing("clear"),
            suppress(FileNotFoundError),
            self._folder.lock.held() as count,
        ):
            return self._folder.remove_all(count)
        return True

    @property
    def where(self) -> str:
        """Where the entries are, as people call it."""
        return f"the folder {self._start_of_path.removesuffix(os.sep)}"

    def facts(self) -> Facts:
        """Count the files of entries, and their bytes.

        Raises:
            StoreError: If the folder can't be read.
        """
        with self._folder.failing("count its files"):
            sizes = list(islice(self._folder.sizes(), MOST_COUNTED + 1))
        counted = sizes[:MOST_COUNTED]
        return Facts(len(counted), sum(counted), is_partial=len(sizes) > len(counted))

    def _expiry(self, timeout: Any) -> int:
        """Return when an entry expires that is stored now, 0 if it never does."""
        seconds = self._seconds(timeout)
        return int(self._timer()) + seconds if seconds else NEVER_EXPIRES

    def _content(self, key: str, value: str | int, expires: int) -> bytes:
        content = pack(key, expires, self.serializer.dumps(value))
        if len(content) > MOST_BYTES:
            raise StoreError(
                f"A value of {len(content)} bytes is too large for a FileStore, which"
                f" takes up to {MOST_BYTES}. Cache smaller parts."
            )
        return content

    def _read(self, key: str) -> tuple[str | int, int] | None:
        """Return the value of a key and when it expires.

        Returns:
            None if there is no entry, or if it is damaged or has expired.
        """
        try:
            content = read_regular(self._start_of_path + self._name(key))
        except OSError:
            return None
        entry = unpack(key, content)
        if entry is None:
            return None
        expires, body = entry
        if expires and expires < self._timer():
            return None
        value = self.serializer.loads(body)
        return None if value is None else (value, expires)

    def _path(self, key: str) -> Path:
        """Return the file of an entry."""
        return Path(self._start_of_path + self._name(key))

    def _name(self, key: str) -> str:
        name: str = self._hash_method(key.encode()).hexdigest()
        return name
