"""What to write instead: key values, and whole tags."""

import re
from collections.abc import Iterable

from jinja2 import Environment

from jinja_fragcache.identities import IDENTITIES
from jinja_fragcache.reads.outline import Tag
from jinja_fragcache.reads.paths import Path, one_of
from jinja_fragcache.reads.tag_texts import tag_words

from .problems import Problem
from .scopes import SET

_NAME = re.compile(r"[A-Za-z_]\w*")
# Mappings of the request and the session, which lack most keys in most requests.
_LOOKED_UP = {
    *(("request", name) for name in ("args", "form", "values", "cookies", "headers")),
    *(("request", name) for name in ("GET", "POST", "COOKIES", "META", "session")),
    *(("request", "query_params"), ("session",), ("g", "session")),
}
# Of `loop`, what has a plain value.
_PLACES = {(name,) for name in ("index", "index0", "first", "last", "length", "depth")}
_RIGHTS = {"perms", "permissions"}


def shown(path: Path, *, is_called: bool = False) -> str:
    """Return a path as it is written in a template."""
    text = path[0]
    for number, step in enumerate(path[1:], start=1):
        if one_of(step) is not None:
            text = f"{text}.{step}"
        elif path[:number] in _LOOKED_UP:
            text = f'{text}.get("{step}")'
        elif _NAME.fullmatch(step):
            text = f"{text}.{step}"
        elif step.isdigit():
            text = f"{text}[{step}]"
        else:
            text = f'{text}["{step}"]'
    return f"{text}()" if is_called else text


def key_values(  # noqa: PLR0911 - one for each rule
    problem: Problem, locale: str
) -> list[str]:
    """Return the key values that a fragment lacks.

    Args:
        problem: What is wrong with it.
        locale: How the templates write the locale.
    """
    match problem.code:
        case "FC001":
            return _personal(problem)
        case "FC003":
            return [locale]
        case "FC004":
            return _bound(problem)
        case "FC007":
            return ["request.host"]
        case "FC011":
            return [shown(problem.subject, is_called=_is_called(problem))]
        case "FC012":
            return [_identity(problem.subject, _paths(problem))]
    return []


def _personal(problem: Problem) -> list[str]:
    subject = problem.subject
    if subject[-1] in _RIGHTS:
        return ["user.id"]
    if subject == ("current_user",):
        # Of the visitor who is not signed in, too.
        return ["current_user.get_id()"]
    paths = _paths(problem)
    if subject in _LOOKED_UP:
        # Each key by itself.
        return list(dict.fromkeys(shown(path[: len(subject) + 1]) for path in paths))
    return [_identity(subject, paths)]


def _bound(problem: Problem) -> list[str]:
    subject = problem.subject
    if subject[0] == "caller":
        return []
    binding = problem.reads[0].binding
    if subject[0] == "loop" and subject[1:] not in _PLACES:
        return ["loop.index"]
    if subject[0] == "loop" or (binding and binding.kind == SET):
        return [shown(subject)]
    return [_identity(subject, _paths(problem))]


def _identity(subject: Path, paths: list[Path]) -> str:
    """Return the attribute of an object that tells which one it is."""
    read = [path[len(subject)] for path in paths if len(path) > len(subject)]
    if not read or all(step.isdigit() for step in read):
        return shown(subject)
    known = [step for step in read if step in IDENTITIES]
    return shown((*subject, known[0] if known else "id"))


def _paths(problem: Problem) -> list[Path]:
    seen = problem.origins or problem.reads
    return [each.path for each in seen]


def _is_called(problem: Problem) -> bool:
    seen = (problem.origins or problem.reads)[0]
    return seen.read.is_called and seen.path == problem.subject


def tag_text(environment: Environment, tag: Tag, added: Iterable[str]) -> str:
    """Return a tag with more key values.

    Args:
        environment: The environment, for its delimiters.
        tag: The tag.
        added: The key values that it lacks.
    """
    words = tag_words(tag.kind, tag.texts, [*added], is_auto=tag.is_auto)
    return f"{environment.block_start_string} {words} {environment.block_end_string}"


def hole_text(environment: Environment, inner: str) -> str:
    """Return a hole around a piece of a template."""
    start, end = environment.block_start_string, environment.block_end_string
    return f"{start} nocache {end}{inner}{start} endnocache {end}"
