import os
import stat
import sys
from pathlib import Path

import pytest

from jinja_fragcache.stores import file_open
from jinja_fragcache.stores.file_open import open_regular, read_regular, set_mode

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no links, no modes")


def test_the_content_of_a_regular_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "entry"
    path.write_bytes(b"text" * 100_000)
    assert read_regular(str(path)) == b"text" * 100_000


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"of somebody else")
    link = tmp_path / "entry"
    link.symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        read_regular(str(link))
    with pytest.raises(OSError, match="symbolic link"):
        open_regular(str(link), os.O_WRONLY | os.O_CREAT)
    assert target.read_bytes() == b"of somebody else"


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    fifo = str(tmp_path / "entry")
    os.mkfifo(fifo)
    with pytest.raises(OSError, match="no regular file"):
        read_regular(fifo)


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_open, "MOST_BYTES", 10)
    path = tmp_path / "entry"
    path.write_bytes(b"x" * 10)
    assert read_regular(str(path)) == b"x" * 10
    path.write_bytes(b"x" * 11)
    with pytest.raises(OSError, match="too large"):
        read_regular(str(path))


def test_a_new_file_is_private_until_its_mode_is_set(tmp_path: Path) -> None:
    path = tmp_path / "entry"
    descriptor = open_regular(str(path), os.O_WRONLY | os.O_CREAT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    set_mode(descriptor, str(path), 0o640)
    os.close(descriptor)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
