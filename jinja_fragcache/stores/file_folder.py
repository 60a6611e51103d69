"""The folder of a `FileStore`: its files, and a limit to their number."""

import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jinja_fragcache.errors import StoreError
from jinja_fragcache.messages import logger

from .file_format import HEAD_SIZE, unpack_head
from .file_lock import Count, CountingLock
from .file_open import open_regular, set_mode

#: Seconds after which a file that is still being written belongs to a process that was
#: killed.
STALE_SECONDS = 3600
# Making room removes a 16th of all entries, so that the folder is seldom listed.
_ROOM = 16
# cachelib's name for files that are being written.
_UNFINISHED = ".__wz_cache"
_LOCK_NAME = "fragcache.lock"
_DEFAULT_MODE = stat.S_IWRITE if sys.platform == "win32" else 0o600


class Folder:
    """A folder with one file for each entry.

    Methods that take a `Count` are called while `lock` is held.

    Args:
        path: The folder. It is created if it is missing, for those users who may use
            its entries.
        threshold: The largest number of entries; 0 for no limit.
        mode: The file mode of entries; 0600 if it is None or 0.
        name_length: The number of hexadecimal digits in the name of an entry's file.
        timer: A clock in seconds since 1970.

    Attributes:
        lock: The lock of all threads and processes that use the folder. Its number is
            that of the entries, or larger if a process was killed.

    Raises:
        OSError: If the folder can't be created or read.
    """

    def __init__(
        self,
        path: str,
        threshold: int,
        mode: int | None,
        name_length: int,
        timer: Callable[[], float],
    ) -> None:
        self._path = path
        self._threshold = threshold
        self._mode = mode or _DEFAULT_MODE
        self._entry_name = re.compile(f"[0-9a-f]{{{name_length}}}")
        self._timer = timer
        with suppress(FileExistsError):
            Path(path).mkdir(_folder_mode(self._mode), parents=True)
        self.lock = CountingLock(Path(path, _LOCK_NAME), self._mode)
        self.remove_stale()

    @contextmanager
    def written(self, content: bytes) -> Iterator[Path]:
        """Write a file that is no entry yet. At the end it is removed unless moved.

        Raises:
            OSError: If it could not be written.
        """
        descriptor, name = tempfile.mkstemp(_UNFINISHED, dir=self._path)
        file = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                set_mode(descriptor, name, self._mode)
            yield file
        finally:
            file.unlink(missing_ok=True)

    def move(self, file: Path, entry: Path, count: Count) -> None:
        """Make a written file the file of an entry."""
        # A link counts as an entry, even if what it names does not exist.
        if self._threshold and not os.path.lexists(entry):
            known = count.read()
            if known is None or known >= self._threshold:
                known = self.make_room()
            # Counted before the move: a process that is killed between the two leaves a
            # number that is too large, and never too many entries.
            count.write(known + 1)
        file.replace(entry)

    def remove_entry(self, entry: Path, count: Count) -> None:
        """Remove the file of an entry, even one that can't be read.

        Other users may be able to read it.

        Raises:
            FileNotFoundError: If there is no such file.
            OSError: If it can't be removed.
        """
        entry.unlink()
        known = count.read()
        if known:
            count.write(known - 1)

    def make_room(self) -> int:
        """Remove entries until there is room, and return how many are left.

        Damaged and expired entries are removed first, then those that were written
        first.
        """
        self.remove_stale()
        entries = list(self.entries())
        most = self._threshold - max(1, self._threshold // _ROOM)
        if len(entries) <= most:
            return len(entries)
        ages = {file: self._age(file) for file in entries}
        left = len(entries)
        for file in sorted(entries, key=ages.__getitem__):
            is_alive, _ = ages[file]
            if is_alive and left <= most:
                break
            left -= self._remove(file)
        return left

    def remove_all(self, count: Count) -> bool:
        """Remove all entries, and return whether none is left."""
        left = [file for file in self.entries() if not self._remove(file)]
        count.write(len(left))
        return not left

    def entries(self) -> Iterator[Path]:
        """Yield the files of entries. Other files in the folder are left out."""
        with os.scandir(self._path) as found:
            for each in found:
                if self._entry_name.fullmatch(each.name) and each.is_file(
                    follow_symlinks=False
                ):
                    yield Path(each.path)

    def sizes(self) -> Iterator[int]:
        """Yield the bytes of each entry's file."""
        for file in self.entries():
            # Another process may have removed it meanwhile.
            with suppress(FileNotFoundError):
                yield file.lstat().st_size

    def remove_stale(self) -> None:
        """Remove unfinished files of processes that were killed while they wrote."""
        # The file system dates files by a clock of its own, which tests don't move.
        with suppress(OSError):
            os.utime(self._path)
        before = Path(self._path).stat().st_mtime - STALE_SECONDS
        with os.scandir(self._path) as found:
            for each in found:
                if each.name.endswith(_UNFINISHED):
                    with suppress(OSError):
                        if each.stat(follow_symlinks=False).st_mtime < before:
                            Path(each.path).unlink()

    @contextmanager
    def failing(self, what: str) -> Iterator[None]:
        """Raise a `StoreError` in place of an `OSError` in the `with` block.

        An `OSError` would mean that the whole store is down. But of a folder that is
        full, or that this process may not write to, entries can still be read.

        Args:
            what: What the block does, for the message.
        """
        try:
            yield
        except TimeoutError:
            raise
        except OSError as error:
            raise StoreError(
                f"The store in {self._path} could not {what}: {error}"
            ) from error

    def _age(self, file: Path) -> tuple[bool, float]:
        """Return whether an entry is alive, and when it was written.

        Only the head is read, so a damaged value is not noticed.
        """
        try:
            descriptor = open_regular(str(file), os.O_RDONLY)
            try:
                expires = unpack_head(os.read(descriptor, HEAD_SIZE))
                written = os.fstat(descriptor).st_mtime
            finally:
                os.close(descriptor)
        except OSError:
            return False, 0
        if expires is None:
            return False, 0
        return not expires or expires >= self._timer(), written

    def _remove(self, file: Path) -> bool:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("The store in %s could not delete: %s", self._path, error)
            return False
        return True


def _folder_mode(mode: int) -> int:
    """Return the mode of a new folder: 0700, or more if others may use the entries."""
    readers = mode & 0o444
    return 0o700 | mode & 0o222 | readers | readers >> 2
