"""Paths: names with what is read of them, such as `request.args` or `post.id`."""

Path = tuple[str, ...]

# Objects whose attributes have nothing to do with each other.
_BAGS = frozenset({"request", "session", "g", "loop", "config"})


def all_of(method: str, key: str) -> str:
    """Return the step of a path that reads all values of a key, as `getlist` does."""
    return f'{method}("{key}")'


def one_of(step: str) -> str | None:
    """Return the key of a step of `all_of`, None for all others."""
    _, found, key = step.partition('("')
    return key.removesuffix('")') if found else None


def is_bag(path: Path) -> bool:
    """Return whether the attributes of a name have nothing to do with each other."""
    return path[0] in _BAGS
