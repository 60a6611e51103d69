"""What the guard says of reads that a key lacks."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .proposals import FOR_ONE, Now, Proposal, propose
from .reads import Read

_SESSIONS = frozenset({"session", "request.session"})


def explain(reads: Sequence[Read], remedy: str) -> str:
    """Return what was read and is not in the key, where, and what to write.

    Args:
        reads: The reads.
        remedy: What `tag_remedy` or another function returns for them.
    """
    told = ", ".join(read.shown for read in reads)
    return (
        f"Its body reads {told}, which differs between requests and is not"
        f" in its key. {remedy}"
    )


class _Remedy(NamedTuple):
    """What puts reads into a key.

    Attributes:
        expressions: The expressions.
        needs: What these need.
        others: The names of the reads that belong into no key.
    """

    expressions: list[str]
    needs: list[str]
    others: list[str]


def _remedy(reads: Sequence[Read], now: Now, *, in_template: bool) -> _Remedy:
    """Return what puts reads into a key.

    Args:
        reads: The reads.
        now: What has the present values.
        in_template: Whether the key is a tag's.
    """
    names = [read.name for read in reads]
    # A key that has all of a mapping need not have its items beside that.
    wanted = [
        name for name in names if not any(name.startswith(f"{each}.") for each in names)
    ]
    found: dict[str, Proposal | None] = {}
    for name in wanted:
        # What shows all of a session shows what is for one visitor in it.
        is_for_one = name in _SESSIONS and not FOR_ONE.isdisjoint(names)
        found[name] = (
            None if is_for_one else propose(name, now, in_template=in_template)
        )
    known = list(dict.fromkeys(each for each in found.values() if each))
    needs = list(dict.fromkeys(each.needs for each in known if each.needs))
    others = [name for name, each in found.items() if each is None]
    return _Remedy([each.expression for each in known], needs, others)


def tag_remedy(
    reads: Sequence[Read],
    now: Now,
    write_tag: Callable[[list[str]], str],
    delimiters: tuple[str, str] = ("{%", "%}"),
) -> str:
    """Return what to write in a template.

    Args:
        reads: What its key lacks.
        now: What has the present values.
        write_tag: Returns the tag with more key values.
        delimiters: Those of the environment's tags.
    """
    expressions, needs, others = _remedy(reads, now, in_template=True)
    hole = "{0} nocache {1}...{0} endnocache {1}".format(*delimiters)
    allow = f"allow={[read.name for read in reads]!r}"
    first = f"Put it into {hole}"
    if expressions:
        tag = write_tag(expressions)
        if needs:
            # Where the environment is made, or once for all tags.
            tag += f" with {' and '.join(needs)}, or let vary_on of the cache have it"
        first = f"Write {tag}, or put it into {hole}"
        if others:
            first = f"Put {' and '.join(others)} into {hole}, and write {tag}"
    return f"{first}, or write {allow} if others may see the same."


def function_remedy(
    reads: Sequence[Read], now: Now, write: Callable[[list[str]], str]
) -> str:
    """Return what to write at a function.

    Args:
        reads: As for `tag_remedy`.
        now: As for `tag_remedy`.
        write: Returns the decorator, or the call, with more key values.
    """
    expressions, needs, others = _remedy(reads, now, in_template=False)
    allow = f"allow={[read.name for read in reads]!r}"
    if others:
        what = " and ".join(others) if expressions else "It"
        verb = "belong" if expressions and others[1:] else "belongs"
        return (
            f"{what} {verb} into no key: cache what is the same for all, or write"
            f" {allow} if others may get the same value."
        )
    after = f" ({', '.join(needs)})" if needs else ""
    return (
        f"Write {write(expressions)}{after}, or {allow} if others may get the same"
        " value."
    )
