"""The rules: what each is called, and how much it matters."""

from dataclasses import dataclass

#: Levels. A note does not make the check fail.
ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        code: Its name.
        title: What it finds.
        level: `ERROR`, `WARNING` or `NOTE`.
    """

    code: str
    title: str
    level: str

    @property
    def page(self) -> str:
        """Where the documentation explains it."""
        return f"docs/check.md#{self.code.lower()}"


_RULES = (
    Rule("FC000", "a template that can't be parsed", ERROR),
    Rule("FC001", "a personal value that is not in the key", ERROR),
    Rule("FC002", "a token or flashed messages in a cached body", ERROR),
    Rule("FC003", "text of one locale, and no locale in the key", ERROR),
    Rule("FC004", "a loop's item, argument or set name that is not in the key", ERROR),
    Rule("FC005", "two fragments with one name", WARNING),
    Rule("FC006", "a name that is no constant", WARNING),
    Rule("FC007", "a link with the request's host in a cached body", ERROR),
    Rule("FC008", "a name in the key that nothing defines", WARNING),
    Rule("FC009", "an inner fragment that outlives what is around it", NOTE),
    Rule("FC010", "an `unless` that the fragment around it undoes", WARNING),
    Rule("FC011", "request data that is not in the key", ERROR),
    Rule("FC012", "a key that does not tell which object is shown", NOTE),
    Rule("FC013", "an ignore comment that ignores nothing", WARNING),
)
RULES = {rule.code: rule for rule in _RULES}
