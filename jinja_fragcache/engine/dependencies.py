"""What a body depends on, noted while it is rendered.

What is nested in a body belongs to its entry: the tags of the parts, the end of the one
that ends first, and the templates that were really used. (The model is Drupal's render
cache, where such metadata "bubbles up".)
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from jinja_fragcache.keys.fragment import tag_names

# The innermost body that is being rendered. Threads and tasks that it starts by asyncio
# are taken to belong to it, too.
_current: ContextVar["Recording | None"] = ContextVar("recording", default=None)
#: Gives the recording of the body that is being rendered here, or None.
current_recording = _current.get


class Recording:
    """What one rendering of a body depends on.

    Args:
        parent: the rendering that this one is a part of.

    Attributes:
        tags: each with the version that it had before what has it was made; None where
            that is not known.
        expires: the time of day at which the first of its parts ends, in seconds since
            1970; infinity if none does.
        templates: the templates that are named by expressions, each with the digest of
            its source.
        is_outdated: whether a tag was invalidated between two of its parts.
        is_live: whether something in it has to be rendered for each request, so that it
            may not be stored.
    """

    def __init__(self, parent: "Recording | None" = None) -> None:
        self.parent = parent
        self.tags: dict[str, str | None] = {}
        self.expires = math.inf
        self.templates: dict[str, str] = {}
        self.is_outdated = False
        self.is_live = False

    def include(
        self,
        tags: Mapping[str, str | None],
        expires: float = math.inf,
        templates: Mapping[str, str] | None = None,
    ) -> None:
        """Note what one of its parts depends on.

        Args:
            tags: the part's tags, each with its version, None where that is not known.
            expires: the time of day at which it ends.
            templates: the templates that it was made of, each with its digest.
        """
        for tag, version in tags.items():
            known = self.tags.setdefault(tag, version)
            if known is None:
                self.tags[tag] = version
            elif version is not None and version != known:
                self.is_outdated = True
        self.expires = min(self.expires, expires)
        for name, digest in (templates or {}).items():
            if self.templates.setdefault(name, digest) != digest:
                self.is_outdated = True

    def make_live(self) -> None:
        """Note that it may not be stored, nor anything that it is a part of."""
        recording: Recording | None = self
        while recording is not None:
            recording.is_live = True
            recording = recording.parent


@contextmanager
def recorded() -> Iterator[Recording]:
    """Note what is rendered inside of the block."""
    before = _current.get()
    recording = Recording(before)
    _current.set(recording)
    try:
        yield recording
    finally:
        # Not by a token: it would be refused in another context, where an asynchronous
        # generator may be ended.
        _current.set(before)


def cache_tag(*tags: str) -> str:
    """Give tags to the fragment, view or function whose body is running.

    In templates it is a global function: `{{ cache_tag("author:7") }}`. Where nothing
    is about to be stored, it does nothing.

    Args:
        tags: labels for `invalidate_tags`.

    Returns:
        An empty text, so that nothing is printed.

    Raises:
        KeyValueError: one is no text.
    """
    names = tag_names(tags)
    recording = _current.get()
    if recording is not None:
        recording.include(dict.fromkeys(names))
    return ""
