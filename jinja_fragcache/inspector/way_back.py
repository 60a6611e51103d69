"""To which page a form leads when it was acted upon, and what is told there."""

import re
from urllib.parse import quote

_MESSAGES = {
    "delete": "The entry was deleted.",
    "invalidate": "The entries with the tag are misses from now on.",
    "clear": "Everything was deleted.",
}
# A page of the inspector, and nothing that leads elsewhere.
_PAGE = re.compile(r"(fragment|entry|settings|store)?(\?[^#]*)?")
_SAFE = "/?=&%+:,;@-._~"


def way_back(page: str, action: str) -> str:
    """Return where to go after an action, as the part of the path behind the root.

    Args:
        page: What the form has told: the page that it stands on, with its query.
        action: The name of the action.
    """
    if not _PAGE.fullmatch(page):
        page = ""
    joined = "&" if "?" in page else "?"
    return quote(f"{page}{joined}done={action}", safe=_SAFE)


def message_of(action: str) -> str:
    """Return what to tell of an action that was done, "" if there is none."""
    return _MESSAGES.get(action, "")
