"""What the guard says of reads that a key lacks."""

from collections.abc import Sequence

from .reads import Read
from .watched import split_list_name

# What these are is told apart for each request, so they belong into no key.
_FOR_HOLES = {"csrf_token", "flashed messages"}
_AS_KEYS = {
    "current_user": "current_user.get_id()",
    "language": "get_language()",
    "locale": "get_locale()",
    "request.user": "request.user.id",
    "timezone": "get_timezone()",
    "user": "user.id",
}


def explain(reads: Sequence[Read], *, in_template: bool = True) -> str:
    """Return what was read and is not in the key, where, and what to write.

    Args:
        reads: The reads.
        in_template: Whether a tag's body read them, else a function.
    """
    told = []
    for read in reads:
        path = f" ({' > '.join(read.where)})" if read.where else ""
        told.append(f"{read.name}{path}")
    names = [read.name for read in reads]
    return (
        f"Its body reads {', '.join(told)}, which differs between requests and is not"
        f" in its key. {_remedy(names, in_template=in_template)}"
    )


def _remedy(names: list[str], *, in_template: bool) -> str:
    allow = f"allow={names!r}"
    if not in_template:
        return (
            f"Put it into the key (make_cache_key=...), or write {allow} if others may"
            " get the same value."
        )
    for_keys = [_as_key(name) for name in names if name not in _FOR_HOLES]
    in_key = f"Write {', '.join(for_keys)} behind the name" if for_keys else ""
    in_hole = "put it into {% nocache %}...{% endnocache %}"
    first = f"{in_key}, or {in_hole}" if in_key else in_hole.capitalize()
    return f"{first}, or write {allow} if others may see the same."


def _as_key(name: str) -> str:
    """Return the expression that puts a read into a key."""
    if name in _AS_KEYS:
        return _AS_KEYS[name]
    if split_list_name(name) is not None:
        return name
    root, _, part = name.rpartition(".")
    if part and not part.removesuffix("()").isidentifier():
        return f'{root}["{part}"]'
    return name
