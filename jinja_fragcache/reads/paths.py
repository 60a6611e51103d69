"""Paths: names with what is read of them, such as `request.args` or `post.id`."""

Path = tuple[str, ...]
#: Kinds of steps: `.title` and `["title"]`.
ATTRIBUTE, ITEM = ".", "["
Steps = tuple[tuple[str, str | int], ...]

# Objects whose attributes have nothing to do with each other.
_BAGS = frozenset({"request", "session", "g", "loop", "config"})


def is_bag(path: Path) -> bool:
    """Return whether the attributes of a name have nothing to do with each other."""
    return path[0] in _BAGS
