from pathlib import Path

import pytest

from jinja_fragcache.stores import FileStore


def test_a_file_holds_the_text_as_it_is(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    store.set("k", "<p>Gr\u00fc\u00dfe</p>", timeout=5)
    (file,) = store._list_dir()
    assert Path(file).read_bytes()[4:] == "<p>Gr\u00fc\u00dfe</p>".encode()


@pytest.mark.parametrize("damaged", [b"", b"ab", b"\0\0\0\0\xc3", b"\0\0\0\0\xffx"])
def test_a_damaged_file_is_a_miss(tmp_path: Path, damaged: bytes) -> None:
    store = FileStore(str(tmp_path))
    store.set("k", "text", timeout=0)
    Path(store._get_filename("k")).write_bytes(damaged)
    assert store.get("k") is None


def test_files_are_counted_and_limited(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path), threshold=3)
    for number in range(20):
        store.set(str(number), "text")
    assert len(list(store._list_dir())) <= 4
    assert store.get("19") == "text"
