"""A store in the files of a folder."""

import cachelib

from .text import TextSerializer


class FileStore(cachelib.FileSystemCache):
    """A `cachelib.FileSystemCache` that keeps texts and numbers only."""

    serializer = TextSerializer()  # type: ignore[assignment]  # cachelib means its form
