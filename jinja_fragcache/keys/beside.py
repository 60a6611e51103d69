"""Keys of what stands beside entries: locks, versions of tags, numbers, figures."""

from functools import partial

from jinja_fragcache.remembered import Remembered

from .fragment import digest_key
from .plain import encode_text

# By the kind of the key, and the name.
_known: Remembered[tuple[str, str], str] = Remembered(4096, 2 * 2**20)


def _key(kind: str, name: str) -> str:
    key = _known.get((kind, name))
    if key is None:
        key = digest_key(kind, name, encode_text(name))
        _known.add((kind, name), key)
    return key


#: Returns the key of the lock of an entry, for the entry's key.
lock_key = partial(_key, "lock")
#: Returns the key of the version of a tag, for the tag.
version_key = partial(_key, "tag")
#: Returns the key of the figures of a worker, for its place, a number as text.
figures_key = partial(_key, "figures")


def number_key(key: str, token: str) -> str:
    """Return the key of a number that is stored beside another key.

    Args:
        key: The other key.
        token: A text that was drawn at random.
    """
    return digest_key("number", key, encode_text(key) + encode_text(token))
