"""What the pictures of the documentation share: a card, in light and dark."""

from collections.abc import Iterable
from html import escape

#: Attributes of texts that are not the point.
GREY = 'font-size="13" fill="#52606d"'
WIDTH = 900
# White, with dark text on it, on a page of any colour.
_CARD = 'rx="14" fill="#ffffff" stroke="#cbd2d9"'
_FONT = (
    "font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue',"
    ' Arial, sans-serif"'
)


def picture(
    title: str, description: str, height: int, left: float, parts: Iterable[str]
) -> str:
    """Return a picture.

    Args:
        title: Its title, which is in the picture, too.
        description: What it shows, for those who can't see it.
        height: Its height.
        left: Where the title begins.
        parts: What is in it.
    """
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" role="img"'
        f' aria-labelledby="title description" {_FONT}'
        ' font-size="14" fill="#1f2933">'
    )
    lines = [
        start,
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="description">{escape(description)}</desc>',
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" {_CARD}/>',
        text(left, 34, title, 'font-size="16" font-weight="600"'),
        *parts,
        "</svg>\n",
    ]
    return "\n".join(lines)


def text(x: float, y: float, content: str, more: str = "") -> str:
    """Return a text.

    Args:
        x: Where it begins, or is anchored.
        y: Where its baseline is.
        content: The text.
        more: More attributes.
    """
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(content)}</text>'
