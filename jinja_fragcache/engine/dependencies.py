"""What a body depends on, collected while it renders.

What is nested in a body becomes part of its entry: the tags of the parts, the time at
which the first of them expires, and the templates that were used. (The model is
Drupal's render cache, where such metadata "bubbles up".)
"""

import math
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Self

from jinja_fragcache.keys.fragment import tag_names

# The dependencies of the innermost body that is rendering. Threads and tasks that it
# starts on its event loop inherit them, and count as part of that body.
_current: ContextVar["Dependencies | None"] = ContextVar("dependencies", default=None)
#: Returns the dependencies of the body that is rendering here, or None.
current_dependencies = _current.get


class Dependencies:
    """What one rendering of a body depends on. Collected inside of a `with` block.

    Attributes:
        parent: The dependencies of the body around it, or None.
        tags: The tags of all parts. Each has the version that it had before its part
            was made, None if that is not known.
        expires: The time at which the first part expires, in seconds since 1970;
            infinity if none does.
        templates: The templates that expressions named, each with the digest of its
            source.
        is_outdated: Whether a tag was invalidated, or a template edited, between two
            parts.
        is_live: Whether some part must be rendered on each request, so that the body's
            text must not be stored.
        is_over: Whether the body has ended. A task that it started may go on for as
            long as the process: nothing is collected for that, or it would grow without
            end.
    """

    __slots__ = (
        "expires",
        "is_live",
        "is_outdated",
        "is_over",
        "parent",
        "tags",
        "templates",
    )

    def __init__(self) -> None:
        self.parent: Dependencies | None = None
        self.tags: dict[str, str | None] = {}
        self.expires = math.inf
        self.templates: dict[str, str] = {}
        self.is_outdated = False
        self.is_live = False
        self.is_over = False

    def __enter__(self) -> Self:
        """Start collecting."""
        parent = _current.get()
        while parent is not None and parent.is_over:
            parent = parent.parent
        self.parent = parent
        _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop collecting."""
        # Not by a token, which another context would refuse: an asynchronous generator
        # may be closed in one.
        _current.set(self.parent)
        self.is_over = True

    def include(
        self,
        tags: Mapping[str, str | None],
        expires: float = math.inf,
        templates: Mapping[str, str] | None = None,
    ) -> None:
        """Add what a part depends on, if the body has not ended.

        Args:
            tags: The part's tags, each with its version, None where that is not known.
            expires: The time at which the part expires, in seconds since 1970.
            templates: The templates the part was made of, each with its digest.
        """
        if self.is_over:
            return
        self.include_versions(tags)
        self.expires = min(self.expires, expires)
        for name, digest in (templates or {}).items():
            if self.templates.setdefault(name, digest) != digest:
                self.is_outdated = True

    def include_versions(self, tags: Mapping[str, str | None]) -> None:
        """Add tags, each with its version, also after the body has ended."""
        for tag, version in tags.items():
            known = self.tags.setdefault(tag, version)
            if known is None:
                self.tags[tag] = version
            elif version is not None and version != known:
                self.is_outdated = True

    def make_live(self) -> None:
        """Note that neither this body's text nor any around it may be stored."""
        dependencies: Dependencies | None = self
        while dependencies is not None:
            dependencies.is_live = True
            dependencies = dependencies.parent


def cache_tag(*tags: str) -> str:
    """Add tags to the fragment, view or function whose body is running.

    In templates it is a global function: `{{ cache_tag("author:7") }}`. Where nothing
    is about to be stored, it does nothing.

    Args:
        tags: Labels for `invalidate_tags`.

    Returns:
        An empty text, so that a template prints nothing.

    Raises:
        KeyValueError: If a tag is not text.
    """
    names = tag_names(tags)
    dependencies = _current.get()
    if dependencies is not None:
        dependencies.include(dict.fromkeys(names))
    return ""
