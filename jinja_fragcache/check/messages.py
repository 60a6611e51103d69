"""The messages of the rules about what bodies read."""

from jinja_fragcache.reads.outline import FILTER

from .problems import Problem
from .remedies import shown
from .scopes import ARGUMENT, LOOP, Seen, Visit

# How many names a message shows.
_NAMES = 3


def message_of(  # noqa: PLR0911 - one for each rule
    problem: Problem, fragment: str
) -> str:
    """Return what is wrong, in one sentence or two.

    Args:
        problem: The problem.
        fragment: How the fragment is named in messages.
    """
    reads = _names(problem.reads)
    origin = _names(problem.origins)
    if origin:
        reads = f"{reads}, made from {origin}"
    subject = shown(problem.subject)
    match problem.code:
        case "FC001":
            return (
                f"{fragment} reads {reads}, which is not in its key: what one visitor"
                " sees is served to the next."
            )
        case "FC002":
            return (
                f"{fragment} contains {reads}, which is for one visitor and one page:"
                " put it into a hole."
            )
        case "FC003":
            return (
                f"{fragment} contains {reads}, which differs from language to language,"
                " and there is no locale in its key."
            )
        case "FC004":
            return f"{fragment} reads {reads}: {_bound(problem)}"
        case "FC007":
            return (
                f"{fragment} contains a link with the host of the request that stored"
                " it, and the host is not in its key."
            )
        case "FC011":
            return (
                f"{fragment} reads {reads}, which is not in its key: all requests are"
                " served what the first one asked for."
            )
    return (
        f"{fragment} reads {reads}, and its key does not tell which {subject} it shows."
    )


def _bound(problem: Problem) -> str:
    seen = problem.reads[0]
    binding, subject = seen.binding, shown(problem.subject)
    if binding is None:
        return f"{subject} is not in its key."
    place = f"line {binding.line}"
    if binding.template != seen.template:
        place = f"{binding.template}:{binding.line}"
    if subject == "caller":
        return (
            f"it is called by the macro in {place}, and no argument of the macro is in"
            " its key, so all calls print what the first one did."
        )
    if binding.kind == LOOP:
        return (
            f"{subject} is of the loop in {place}, and is not in its key, so all rows"
            " print what the first one did."
        )
    if binding.kind == ARGUMENT:
        return (
            f"{subject} is an argument of the macro in {place}, and is not in its key,"
            " so all calls print what the first one did."
        )
    return f"{subject} is set in {place}, and is not in its key."


def _names(reads: list[Seen]) -> str:
    names = dict.fromkeys(_name(seen) for seen in reads)
    first = [*names][:_NAMES]
    more = len(names) - len(first)
    if more:
        first.append(f"{more} more")
    return " and ".join([", ".join(first[:-1]), first[-1]] if first[1:] else first)


def _name(seen: Seen) -> str:
    path = seen.path
    if path[0].startswith(FILTER):
        return f"the filter {path[0][1:]}"
    return shown(path, is_called=seen.read.is_called)


def place_of(seen: Seen, visit: Visit) -> str:
    """Return where a read stands, and the steps that lead there from the tag.

    It may be `user.name in row.html:7, by include "row.html" > macro cell`.
    """
    steps = seen.trail[visit.depth :]
    by = f", by {' > '.join(steps)}" if steps else ""
    return f"{_name(seen)} in {seen.template}:{seen.read.line}{by}"
