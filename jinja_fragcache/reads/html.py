"""Where a text leads to in HTML: whether a comment may stand behind it.

It follows the tokenizer of the HTML standard as far as that needs. From where it can't,
all is `DOUBT`.
"""

from __future__ import annotations

import re

#: Where text and elements stand, and comments may.
DATA = "data"
#: Nothing has shown yet where the text begins.
UNKNOWN = "unknown"
#: It can't be told.
DOUBT = "doubt"
# Other places: in a tag, `tag name`; in the value of an attribute, `tag name "`, with
# its quote; in the text of an element that holds no comments, `text name`; and these.
_COMMENT, _BOGUS_COMMENT = "comment", "bogus"

# Elements whose content is text, comments included. In `noscript`, if scripts run.
_TEXT_ELEMENTS = frozenset(
    {
        *("script", "style", "textarea", "title", "iframe", "noembed", "noframes"),
        *("noscript", "xmp", "plaintext"),
    }
)
_NAME = re.compile(r"/?([a-zA-Z][^\s/>]*)")
_COMMENT_ENDS = {_COMMENT: re.compile("--!?>"), _BOGUS_COMMENT: re.compile(">")}
_TAG_PART = re.compile(r"[\"'>]")
# Text and whole tags, but for the start tags of text elements, in one match.
_WHOLE_TAGS = re.compile(
    rf"""(?:
        [^<]++
        | <(?!(?i:{"|".join(sorted(_TEXT_ELEMENTS))})[\s/>])
          /?[a-zA-Z][^\s/>]*+ (?:[^"'>]++ | "[^"]*+" | '[^']*+')*+ >
    )*+""",
    re.VERBOSE,
)
#: What begins an element or a comment, in front of which a comment may stand, too.
_ELEMENT = r"\s*<(?:[a-zA-Z]|!--)"


def starts_element(text: str) -> bool:
    """Return whether the first thing in a text is an element, or a comment."""
    return re.match(_ELEMENT, text) is not None


def joined(*places: str) -> str:
    """Return where a text leads to that goes one of several ways."""
    first, *others = dict.fromkeys(places)
    if not others:
        return first
    # All ways begin in the same place, and one has shown which that is.
    return DATA if {first, *others} == {DATA, UNKNOWN} else DOUBT


def place_after(place: str, text: str) -> str:
    """Return where a text leads to.

    Args:
        place: Where it begins.
        text: The text.
    """
    position = 0
    while position < len(text) and place != DOUBT:
        place, position = _step(place, text, position)
    return place


def _step(place: str, text: str, position: int) -> tuple[str, int]:
    """Return the next place, and where in the text it begins."""
    if place in {DATA, UNKNOWN}:
        return _from_data(place, text, position)
    if place in _COMMENT_ENDS:
        end = _COMMENT_ENDS[place].search(text, position)
        return (place, len(text)) if end is None else (DATA, end.end())
    kind, name, *quote = place.split(" ")
    if kind == "text":
        return _from_text(name, text, position)
    return _from_tag(place, name, quote, text, position)


def _from_tag(
    place: str, name: str, quote: list[str], text: str, position: int
) -> tuple[str, int]:
    if quote:
        end = text.find(quote[0], position)
        return (place, len(text)) if end < 0 else (f"tag {name}", end + 1)
    part = _TAG_PART.search(text, position)
    if part is None:
        return place, len(text)
    if part[0] != ">":
        return f"tag {name} {part[0]}", part.end()
    return (f"text {name}" if name in _TEXT_ELEMENTS else DATA), part.end()


def _from_data(place: str, text: str, position: int) -> tuple[str, int]:
    whole = _WHOLE_TAGS.match(text, position)
    start = whole.end() if whole else position
    if "<" in text[position:start]:
        place = DATA
    if start == len(text):
        return place, start
    while start >= 0:
        inside = start + 1
        if text.startswith("!--", inside):
            # `<!-->` and `<!--->` are whole comments.
            end = re.compile("-?>").match(text, start + 4)
            return (DATA, end.end()) if end else (_COMMENT, start + 4)
        name = _NAME.match(text, inside)
        if name is not None:
            is_end = text[inside] == "/"
            return f"tag {'/' if is_end else ''}{name[1].lower()}", name.end()
        if inside == len(text) or text[inside : start + 9].upper() == "![CDATA[":
            # `<{{ tag }}` may be any element. And a CDATA section is one in SVG only.
            return DOUBT, len(text)
        if text[inside] in "!?/":
            is_cut = inside + 1 == len(text)
            return (DOUBT if is_cut else _BOGUS_COMMENT), inside + 1
        start = text.find("<", inside)
    return place, len(text)


def _from_text(name: str, text: str, position: int) -> tuple[str, int]:
    """Return what follows in an element whose content is text."""
    if name == "plaintext":
        return DOUBT, len(text)
    end = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, position)
    until = len(text) if end is None else end.start()
    if name == "script" and re.search("<script", text[position:until], re.IGNORECASE):
        # Behind a `<!--`, the next `</script>` is not the end.
        return DOUBT, len(text)
    return (f"text {name}", until) if end is None else (f"tag /{name}", end.end())
