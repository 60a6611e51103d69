"""The names that the body of each tag reads, as its template's tokens show them."""

from collections.abc import Sequence
from itertools import pairwise

from jinja2.lexer import Token

from jinja_fragcache.render.bodies import LIST_TAG, TAG

HOLE_TAG = "nocache"
_TAGS = {TAG, LIST_TAG, HOLE_TAG}
# The words of Jinja's own syntax.
_WORDS = frozenset(
    {
        *(
            "and",
            "autoescape",
            "block",
            "call",
            "context",
            "do",
            "elif",
            "else",
            "extends",
        ),
        *(
            "false",
            "False",
            "filter",
            "for",
            "from",
            "if",
            "ignore",
            "import",
            "in",
            "is",
        ),
        *(
            "include",
            "macro",
            "missing",
            "none",
            "None",
            "not",
            "or",
            "pluralize",
            "raw",
        ),
        *("recursive", "required", "scoped", "set", "trans", "true", "True", "with"),
        "without",
    }
)
# A name after these belongs to what is before it, or names a filter.
_AFTER = {"dot", "pipe"}


def body_names(tokens: Sequence[Token]) -> dict[int, str]:
    """Return the names in the body of each cache tag, by the index of the tag's name.

    What is in a hole is not in the body. The names of attributes, filters and arguments
    are left out; some others that no variable has may be there.

    Returns:
        For each tag that has an end, the names in order, with a space between them.
    """
    found: dict[int, str] = {}
    opened: list[tuple[int, str, set[str]]] = []
    in_tag = False
    for index, (before, token) in enumerate(pairwise(tokens), start=1):
        if before.type == "block_begin" and token.type == "name":
            name = token.value.removeprefix("end")
            in_tag = token.value in _TAGS
            if in_tag:
                opened.append((index, name, set()))
            elif name in _TAGS and opened and opened[-1][1] == name:
                start, _, names = opened.pop()
                found[start] = " ".join(sorted(names))
                if opened and name != HOLE_TAG:
                    opened[-1][2].update(names)
            continue
        in_tag = in_tag and token.type != "block_end"
        if token.type != "name" or not opened or before.type in _AFTER:
            continue
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.value in _WORDS or (after is not None and after.type == "assign"):
            continue
        # What a tag names in its arguments is read by the body around it.
        depth = -2 if in_tag else -1
        if len(opened) >= -depth:
            opened[depth][2].add(token.value)
    return found
