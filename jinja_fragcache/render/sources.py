"""What templates are made of: their sources, and those of the templates they name.

A template names others in `include`, `import`, `from` and `extends`. If the name is a
constant string, it is known before the template is rendered. If it is an expression, it
is known once that was evaluated (see `output.note_template`).
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from jinja2 import Environment, TemplateNotFound, TemplateSyntaxError
from jinja2.lexer import Token

from jinja_fragcache.entries.entry import Body
from jinja_fragcache.keys.digests import code_digest, digest
from jinja_fragcache.remembered import Remembered, size_of

from .bodies import body_digests, tag_names, token_texts

_NAMING = {"include", "import", "from", "extends"}
# What ends the template's name in a tag, and the word that must follow it then.
_ENDS = {
    "as": None,
    "import": None,
    "ignore": "missing",
    "with": "context",
    "without": "context",
}
_OPEN = {"lparen", "lbracket", "lbrace"}
_CLOSE = {"rparen", "rbracket", "rbrace"}
_CONSTANTS = {"true", "false", "none"}
#: Stands for the digest of a template that does not exist.
MISSING_TEMPLATE = "missing"
_ATTRIBUTE = "_fragment_cache_sources"
# A loader may know any number of names, and `from_string` makes any number of sources.
_MOST_REMEMBERED = 10_000
_MOST_BYTES = 32 * 2**20
_MOST_BYTES_OF_DIGESTS = 4 * 2**20
# What is in texts of references.
_known_names: Remembered[str, tuple[str, ...]] = Remembered(256, 2**20)


class Naming(NamedTuple):
    """Where a tag names templates.

    Attributes:
        names: The names that are constant strings.
        expressions: The other ones. Each is the index of its first token and the index
            after its last one.
    """

    names: tuple[str, ...]
    expressions: tuple[tuple[int, int], ...]


def find_namings(tokens: Sequence[Token]) -> list[Naming]:
    """Return where tags name templates."""
    return [
        _naming(tokens, index + 1)
        for index, token in enumerate(tokens)
        if token.type == "name"
        and token.value in _NAMING
        and index
        and tokens[index - 1].type == "block_begin"
    ]


def _naming(tokens: Sequence[Token], start: int) -> Naming:
    depth, end = 0, start
    while end < len(tokens) and not (depth == 0 and _ends_name(tokens, end)):
        depth += (tokens[end].type in _OPEN) - (tokens[end].type in _CLOSE)
        end += 1
    items = _split(tokens, start, end)
    # Without brackets around it, a comma is a syntax error.
    if len(items) > 1:
        return Naming((), ())
    names: list[str] = []
    expressions: list[tuple[int, int]] = []
    while items:
        first, last = items.pop()
        if first == last or _is_group(tokens, first, last, "lbrace"):
            # A dict names no template. (And an error in it is raised when it is used.)
            continue
        if _is_group(tokens, first, last, "lparen", "lbracket"):
            items += reversed(_split(tokens, first + 1, last - 1))
        elif all(token.type == "string" for token in tokens[first:last]):
            names.append("".join(token.value for token in tokens[first:last]))
        elif not _is_constant(tokens, first, last):
            expressions.append((first, last))
    return Naming(tuple(names), tuple(expressions))


def _split(tokens: Sequence[Token], start: int, end: int) -> list[tuple[int, int]]:
    """Return the parts of an expression between commas that are in no brackets."""
    parts = []
    depth, first = 0, start
    for index in range(start, end):
        kind = tokens[index].type
        depth += (kind in _OPEN) - (kind in _CLOSE)
        if kind == "comma" and depth == 0:
            parts.append((first, index))
            first = index + 1
    return [*parts, (first, end)]


def _is_group(tokens: Sequence[Token], start: int, end: int, *kinds: str) -> bool:
    """Return whether an expression starts with a bracket that ends with it."""
    if tokens[start].type not in kinds:
        return False
    depth = 0
    for index in range(start, end):
        kind = tokens[index].type
        depth += (kind in _OPEN) - (kind in _CLOSE)
        if depth == 0:
            return index == end - 1
    return False


def _is_constant(tokens: Sequence[Token], start: int, end: int) -> bool:
    token = tokens[start]
    is_named = token.type == "name" and token.value.lower() in _CONSTANTS
    return end - start == 1 and (is_named or token.type in {"integer", "float"})


def _ends_name(tokens: Sequence[Token], index: int) -> bool:
    token = tokens[index]
    if token.type == "block_end":
        return True
    if token.type != "name" or token.value not in _ENDS:
        return False
    follows = _ENDS[token.value]
    behind = tokens[index + 1] if index + 1 < len(tokens) else None
    return follows is None or (behind is not None and behind.value == follows)


def references(namings: Iterable[Naming]) -> str:
    """Return the templates that a template names by constant strings, each once.

    Returns:
        Their names as JSON, "" for none. Each tag has them as a constant, so that they
        are one text: a list of each name would be written and read again for each tag.
    """
    names = [name for each in namings for name in each.names]
    return json.dumps([*dict.fromkeys(names)]) if names else ""


def _names(references: str) -> tuple[str, ...]:
    names = _known_names.get(references)
    if names is None:
        names = tuple(json.loads(references)) if references else ()
        _known_names.add(references, names)
    return names


class _Source(NamedTuple):
    """What a loader returned for a template.

    Attributes:
        digest: The digest of its source.
        references: What `references` returns for it.
        is_current: Returns whether the source is still the same.
        bodies: The line of the tag with each of the bodies of cache tags in it, by the
            digest of the body.
    """

    digest: str
    references: str
    is_current: Callable[[], bool]
    bodies: Mapping[str, int] = MappingProxyType({})


class Sources:
    """The sources of an environment's templates, as its loader returns them.

    A source that has changed is read again, if the environment reloads templates
    (`auto_reload`).

    Args:
        environment: The environment.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._by_name: Remembered[str, _Source] = Remembered(
            _MOST_REMEMBERED, _MOST_BYTES
        )
        # By a template's name and the digest of its own source.
        self._whole: Remembered[tuple[str | None, str], str] = Remembered(
            _MOST_REMEMBERED, _MOST_BYTES_OF_DIGESTS
        )

    def __reduce__(self) -> tuple[type[Self], tuple[Environment]]:
        """Pickle and copy it without what was read."""
        return type(self), (self.environment,)

    def digest_of(self, name: str) -> str:
        """Return the digest of a template and of those that it names by strings."""
        source = self._source(name)
        if source is None:
            return MISSING_TEMPLATE
        return self.whole_digest(name, source.digest, source.references)

    def whole_digest(self, name: str | None, own: str, references: str) -> str:
        """Return one digest of a template and of those that it names by strings.

        Args:
            name: The template's name.
            own: The digest of its own source.
            references: What `references` returns for it.
        """
        if not references:
            return own
        reloads = self.environment.auto_reload
        known = None if reloads else self._whole.get((name, own))
        if known is not None:
            return known
        found: dict[str, str] = {}
        self._follow(name, references, found)
        whole = digest("\n".join([own, *map(repr, sorted(found.items()))]))
        if not reloads and MISSING_TEMPLATE not in found.values():
            self._whole.add((name, own), whole)
        return whole

    def line_of(self, body: Body) -> int | None:
        """Return the line of a tag, None if no tag in its template has this body."""
        source = self._source(body.template)
        return None if source is None else source.bodies.get(body.digest)

    def _follow(
        self, parent: str | None, references: str, found: dict[str, str]
    ) -> None:
        for reference in _names(references):
            name = reference
            if parent is not None:
                name = self.environment.join_path(reference, parent)
            if name in found:
                continue
            source = self._source(name)
            found[name] = source.digest if source else MISSING_TEMPLATE
            if source is not None:
                self._follow(name, source.references, found)

    def _source(self, name: str) -> _Source | None:
        known = self._by_name.get(name)
        reloads = self.environment.auto_reload
        if known is not None and (not reloads or known.is_current()):
            return known
        try:
            source, size = self._load(name)
        except (OSError, ValueError):
            # It is missing, or a file that is no template: it can't be decoded, or its
            # name is none. (TemplateNotFound is an OSError.)
            self._by_name.forget(name)
            return None
        self._by_name.add(name, source, size)
        return source

    def _load(self, name: str) -> tuple[_Source, int]:
        """Return a source, and the bytes of what it may refer to.

        What tells whether the source is the same may keep all of it, as that of Jinja's
        `DictLoader` does.
        """
        environment = self.environment
        if environment.loader is None:
            raise TemplateNotFound(name)
        try:
            given: Any = environment.loader.get_source(environment, name)
        except RuntimeError:
            # Jinja's loader of compiled templates has no sources.
            template = environment.get_template(name)
            return _Source(_compiled_digest(template), "", _always), 0
        text, filename, is_current = given
        tokens = _tokens(environment, text, name, filename)
        bodies = body_digests(tokens, tag_names(tokens), token_texts(tokens))
        source = _Source(
            digest(text),
            references(find_namings(tokens)),
            is_current or _always,
            {body: tokens[index].lineno for index, body in bodies.items()},
        )
        return source, 0 if is_current is None else size_of(text)


def _tokens(
    environment: Environment, text: str, name: str, filename: str | None
) -> list[Token]:
    try:
        text = environment.preprocess(text, name, filename)
        return list(environment.lexer.tokenize(text, name, filename))
    except TemplateSyntaxError:
        # Jinja raises it when the template is used. Until then it does not matter.
        return []


def _compiled_digest(template: Any) -> str:
    functions = [template.root_render_func, *template.blocks.values()]
    return digest("\n".join(code_digest(each.__code__) for each in functions))


def _always() -> bool:
    return True


def sources_of(environment: Environment) -> Sources:
    """Return the sources of an environment's templates."""
    sources: Sources | None = getattr(environment, _ATTRIBUTE, None)
    # An overlaid environment has the attributes of the original.
    if sources is None or sources.environment is not environment:
        sources = Sources(environment)
        setattr(environment, _ATTRIBUTE, sources)
    return sources
