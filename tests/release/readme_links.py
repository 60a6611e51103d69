"""Makes the links of README.md absolute.

A package index shows the page, but has none of the files that it links to.
"""

import re

_FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!\w+:)([^)\s]+)")
_PICTURES = (".png", ".svg")
# What hosts of repositories call the page of a file, and the file itself.
_RAW = {"/blob/": "/raw/", "/src/": "/raw/"}


class AddressError(Exception):
    """The address of the documentation can't be used for links to files."""


def with_absolute_links(text: str, documentation: str) -> str:
    """Return the text of README.md with absolute links.

    Args:
        text: The text.
        documentation: The URL of the folder docs/ in the repository.

    Raises:
        AddressError: If the URL is that of no such folder.
    """
    root = documentation.removesuffix("/docs")
    part = next((part for part in _RAW if part in root), None)
    if root == documentation or part is None:
        raise AddressError(
            f"The URL {documentation} in [project.urls] is not that of the folder docs/"
            " in a repository. Write https://HOST/OWNER/REPOSITORY/blob/main/docs."
        )
    raw = root.replace(part, _RAW[part], 1)

    def absolute(link: re.Match[str]) -> str:
        target = link[1]
        if target.startswith("#"):
            target = f"README.md{target}"
        return f"]({raw if target.endswith(_PICTURES) else root}/{target}"

    # The texts between the fences are at even places.
    parts = _FENCE.split(text)
    parts[::2] = [_LINK.sub(absolute, part) for part in parts[::2]]
    return "".join(parts)
