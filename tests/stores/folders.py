"""What the folder of a `FileStore` holds, for the tests."""

from pathlib import Path

from jinja_fragcache.stores import FileStore


def file_of(store: FileStore, key: str) -> Path:
    """Return the file of an entry."""
    return store._path(key)


def names(folder: Path) -> set[str]:
    """Return the names of all files in a folder but that of the lock."""
    return {file.name for file in folder.iterdir()} - {"fragcache.lock"}


def kept(store: FileStore, keys: str) -> str:
    """Return those letters of a text that are keys with a value."""
    return "".join(key for key in keys if store.has(key))


def counted(store: FileStore) -> int | None:
    """Return the number of entries that the store has counted."""
    with store._folder.lock.held() as count:
        return count.read()
