"""The rules: what each is called, and how much it matters."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata

#: Levels. A note does not make the check fail.
ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        code: Its name.
        title: What it finds.
        level: `ERROR`, `WARNING` or `NOTE`.
        text: Why it matters, and what to do.
    """

    code: str
    title: str
    level: str
    text: str

    @property
    def page(self) -> str | None:
        """The URL of its documentation, None if the package names none."""
        start = _documentation()
        return start and f"{start}/check.md#{self.code.lower()}"

    @property
    def more(self) -> str:
        """Where to read more of it, or else its text."""
        return f"See {self.page}" if self.page else self.text


@cache
def _documentation() -> str | None:
    """Return the URL of the folder docs/, from the package's metadata."""
    try:
        urls: list[str] = metadata("jinja-fragcache").get_all("Project-URL") or []
    except PackageNotFoundError:
        # The package runs from its sources.
        return None
    for each in urls:
        name, _, url = each.partition(",")
        if name.strip().lower() == "documentation":
            return url.strip().rstrip("/")
    return None


_RULES = (
    Rule(
        "FC000",
        "a template that can't be parsed",
        ERROR,
        "The template is not checked, and rendering it raises the same error."
        " If the tag of an extension is unknown, name the extension in the"
        " setting `extensions`, or use --app or --env.",
    ),
    Rule(
        "FC001",
        "a personal value that is not in the key",
        ERROR,
        "The body reads something that belongs to one visitor, and the next one"
        " is served it. Put what tells whose it is into the key, or the read"
        " into {% nocache %}.",
    ),
    Rule(
        "FC002",
        "a token or flashed messages in a cached body",
        ERROR,
        "A token is valid in one session only, and a message is for one"
        " visitor, once. No key value helps: put it into {% nocache %}.",
    ),
    Rule(
        "FC003",
        "text of one locale, and no locale in the key",
        ERROR,
        "The body is translated, or formats dates, numbers or prices, so"
        " everybody is shown the language of the first visitor. Put the locale"
        " into the key.",
    ),
    Rule(
        "FC004",
        "a loop's item, argument or set name that is not in the key",
        ERROR,
        "The templates bind the name around the fragment, so all rows, calls or"
        " pages print what the first one did. Put it, or what identifies it,"
        " into the key.",
    ),
    Rule(
        "FC005",
        "two fragments with one name",
        WARNING,
        "Two tags with one name and other bodies or keys print what the other"
        " one has stored, or are deleted together. Give one of them another"
        " name.",
    ),
    Rule(
        "FC006",
        "a name that is no constant",
        WARNING,
        "Another tag whose name has the same value prints what this one has"
        " stored. Write a constant name, and the value behind it as a key value.",
    ),
    Rule(
        "FC007",
        "a link with the request's host in a cached body",
        ERROR,
        "The host in the link is that of the request which stored the entry."
        " Put request.url_root into the key, or leave the host out.",
    ),
    Rule(
        "FC008",
        "a name in the key that nothing defines",
        WARNING,
        "The name is read nowhere else and is similar to one that is. An"
        " undefined value can't be a key value, so nothing is cached.",
    ),
    Rule(
        "FC009",
        "an inner fragment that outlives what is around it",
        NOTE,
        "When the fragment around it is rendered again, it gets this text from"
        " the store, older than its own timeout says. That may be meant.",
    ),
    Rule(
        "FC010",
        "an `unless` that the fragment around it undoes",
        WARNING,
        "The fragment around it prints what it has stored, whatever `unless`"
        " says inside. Write the same `unless` there.",
    ),
    Rule(
        "FC011",
        "request data that is not in the key",
        ERROR,
        "All requests are served what the first one asked for. Put what the"
        " body reads of the request into the key.",
    ),
    Rule(
        "FC012",
        "a key that does not tell which object is shown",
        NOTE,
        "The body shows an object of which there may be others, and no key"
        " value tells which. Put what identifies it into the key.",
    ),
    Rule(
        "FC013",
        "an ignore comment that ignores nothing",
        WARNING,
        "The comment has no reason, names a rule that does not exist, or what"
        " it ignores is not found there. Remove or mend it.",
    ),
)
RULES = {rule.code: rule for rule in _RULES}
