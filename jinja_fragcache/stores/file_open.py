"""Opens files in a folder to which others may have written.

An entry's name may be that of a link to a file of somebody else, of a FIFO on which an
open waits for ever, or of a device. So nothing but a regular file is read or written.
"""

import errno
import os
import stat
import sys

#: The largest file that is read or written, in bytes.
MOST_BYTES = 64 * 2**20
# Windows has no such links, and opens files as text without O_BINARY.
if sys.platform == "win32":
    _SAFE = os.O_BINARY
else:
    _SAFE = os.O_NOFOLLOW | os.O_NONBLOCK


def open_regular(path: str, flags: int, mode: int = 0o600) -> int:
    """Open a file, and return its descriptor.

    Args:
        path: The file.
        flags: As for `os.open`.
        mode: The mode of a file that is created.

    Raises:
        OSError: If it can't be opened, is a link, or is no regular file.
    """
    descriptor = os.open(path, flags | _SAFE, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "It is no regular file", path)
    return descriptor


def read_regular(path: str) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: If it can't be read, is a link, is no regular file or is too large.
    """
    descriptor = open_regular(path, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        if size > MOST_BYTES:
            raise OSError(errno.EFBIG, "It is too large for an entry", path)
        content = os.read(descriptor, size)
        # Some file systems return less at once.
        while len(content) < size and (more := os.read(descriptor, size)):
            content += more
    finally:
        os.close(descriptor)
    return content


def set_mode(descriptor: int, path: str, mode: int) -> None:
    """Set the mode of an open file.

    Raises:
        OSError: If it may not be set.
    """
    if sys.platform == "win32":
        os.chmod(path, mode)  # noqa: PTH101 - as text, like the others here
    else:
        os.fchmod(descriptor, mode)
