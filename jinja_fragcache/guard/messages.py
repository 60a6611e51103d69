"""What the guard says of reads that a key lacks."""

from collections.abc import Callable, Sequence

from .proposals import Now, Proposal, propose
from .reads import Read

_IN_HOLE = "put it into {} nocache {}...{} endnocache {}"


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


def proposals(
    reads: Sequence[Read], now: Now, *, in_template: bool
) -> tuple[list[str], list[str]]:
    """Return the expressions that put reads into a key, and what these need.

    Args:
        reads: The reads. Those that belong into no key have no expression.
        now: What has the present values.
        in_template: Whether the key is a tag's.
    """
    names = [read.name for read in reads]
    # A key that has all of a mapping need not have its items beside that.
    wanted = [
        name for name in names if not any(name.startswith(f"{each}.") for each in names)
    ]
    found = [propose(name, now, in_template=in_template) for name in wanted]
    known: list[Proposal] = list(dict.fromkeys(each for each in found if each))
    needs = list(dict.fromkeys(each.needs for each in known if each.needs))
    return [each.expression for each in known], needs


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
    expressions, needs = proposals(reads, now, in_template=True)
    in_hole = _IN_HOLE.format(*delimiters, *delimiters)
    allow = f"allow={[read.name for read in reads]!r}"
    first = in_hole.capitalize()
    if expressions:
        first = f"Write {write_tag(expressions)}"
        if needs:
            # Where the environment is made, or once for all tags.
            first += f" with {' and '.join(needs)}, or let vary_on of the cache have it"
        first += f", or {in_hole}"
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
    expressions, needs = proposals(reads, now, in_template=False)
    allow = f"allow={[read.name for read in reads]!r}"
    if not expressions:
        return (
            f"It belongs into no key: cache what is the same for all, or write {allow}"
            " if others may get the same value."
        )
    after = f" ({', '.join(needs)})" if needs else ""
    return (
        f"Write {write(expressions)}{after}, or {allow} if others may get the same"
        " value."
    )
