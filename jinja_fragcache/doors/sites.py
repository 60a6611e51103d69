"""The cache of a site generator: what one build has rendered serves the next ones."""

from os import PathLike, fspath
from typing import Any

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.stores.files import FileStore

#: The folder of a site's fragments, below that of its settings.
FOLDER = ".cache/fragments"


def site_cache(folder: str | PathLike[str], **rules: Any) -> FragmentCache:
    """Return a cache of fragments in a folder, for the builds of a site.

    Fragments don't expire, and an edited template is rendered again.

    Args:
        folder: The folder. Delete it to render all again.
        rules: Arguments of `FragmentCache`, such as `strict=True`.
    """
    given: dict[str, Any] = {"default_timeout": 0, "template_digest": True} | rules
    # Without a limit, because a site may have any number of pages.
    return FragmentCache(FileStore(fspath(folder), threshold=0), **given)
