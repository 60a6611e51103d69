"""What to write instead: key values, and whole tags."""

import re
from collections.abc import Iterable

from jinja2 import Environment

from jinja_fragcache.identities import IDENTITIES
from jinja_fragcache.list_names import one_of
from jinja_fragcache.messages import quoted
from jinja_fragcache.reads.outline import Tag
from jinja_fragcache.reads.paths import Path
from jinja_fragcache.reads.tag_texts import tag_words

from .problems import Problem
from .scopes import SET
from .vocabulary import read_as

_NAME = re.compile(r"[A-Za-z_]\w*")
# Mappings of the request and the session, which lack most keys in most requests.
_LOOKED_UP = {
    *(("request", name) for name in ("args", "form", "values", "cookies", "headers")),
    *(("request", name) for name in ("GET", "POST", "COOKIES", "META", "session")),
    *(("request", "query_params"), ("session",), ("g", "session")),
}
# What is read of the request and is no key value itself, or not in every request.
_WRITTEN: dict[Path, str] = {
    ("request", "authorization"): 'request.headers.get("Authorization")',
    ("request", "get_json"): "request.get_json(silent=true)",
    ("request", "json"): "request.get_json(silent=true)",
    ("request", "user_agent"): 'request.headers.get("User-Agent")',
}
# What can't stand in a key, because it is made of objects.
_NO_KEYS = {("request",), ("request", "environ"), ("request", "url_rule")}
# No expression of all headers is sure to tell each value.
_HEADERS = ("request", "headers")
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
            text = f"{text}.get({quoted(step)})"
        elif _NAME.fullmatch(step):
            text = f"{text}.{step}"
        elif step.isdigit():
            text = f"{text}[{step}]"
        else:
            text = f"{text}[{quoted(step)}]"
    return f"{text}()" if is_called else text


def needs_hole(problem: Problem) -> bool:
    """Return whether no key value helps, so that the read belongs into a hole."""
    return problem.code == "FC002" or _has_no_key(problem)


def _has_no_key(problem: Problem) -> bool:
    return problem.subject in _NO_KEYS or _HEADERS in _paths(problem)


def key_values(  # noqa: PLR0911 - one for each rule
    problem: Problem, locale: str
) -> list[str]:
    """Return the key values that a fragment lacks.

    Args:
        problem: What is wrong with it.
        locale: How the templates write the locale.
    """
    if _has_no_key(problem):
        return []
    match problem.code:
        case "FC001":
            return _personal(problem)
        case "FC003":
            return [locale]
        case "FC004":
            return _bound(problem)
        case "FC007":
            return ["request.url_root"]
        case "FC011":
            return [_of_request(problem)]
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
    if subject in _WRITTEN:
        return [_WRITTEN[subject]]
    paths = _paths(problem)
    if subject in _LOOKED_UP:
        # Each item by itself, once if it is read by several names.
        items = {read_as(path): _item(path, len(subject)) for path in paths}
        return list(dict.fromkeys(items.values()))
    return [_identity(subject, paths)]


def _item(path: Path, number: int) -> str:
    """Return an item of a mapping, or all of it if a read needs that."""
    item = path[: number + 1]
    # The mapping itself holds more than its items, which is no key value.
    all_items = {("session",), ("request", "session")}
    return f"{shown(item)}.items()|list" if item in all_items else shown(item)


def _of_request(problem: Problem) -> str:
    """Return what tells an attribute of the request, or an item of one."""
    subject = problem.subject
    return _WRITTEN.get(subject[:2]) or shown(subject, is_called=_is_called(problem))


def _bound(problem: Problem) -> list[str]:
    subject = problem.subject
    if subject[0] == "caller":
        return []
    seen = problem.reads[0]
    binding = seen.binding
    if subject[0] == "loop" and subject[1:] not in _PLACES:
        return ["loop.index"]
    if binding and binding.kind == SET:
        is_sometimes = binding.is_branched or binding.template != seen.template
        # Undefined, it can't be a key value.
        return [shown(subject) + ('|default("")' if is_sometimes else "")]
    if subject[0] == "loop":
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
