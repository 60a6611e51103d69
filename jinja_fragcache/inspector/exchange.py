"""What comes in and goes out of the inspector, as plain data of no framework."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl

#: The longest body of a request. A key or a tag has room in it.
MOST_BYTES = 64 * 1024
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        method: Such as "GET".
        root: The path below which the inspector is found, without a slash at its end.
        page: The rest of the path, without slashes around it: "" or "fragment".
        query: The values in the query string. Of several with one name, the last.
        form: Those in the body.
        headers: The headers, by names in small letters.
        is_secure: Whether it came by https.
    """

    method: str
    root: str
    page: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_secure: bool = False

    @property
    def wants_json(self) -> bool:
        """Whether a program asks, such as the script of the overlay."""
        return "application/json" in self.headers.get("accept", "")

    def cookie(self, name: str) -> str | None:
        """Return a cookie, None if there is none of that name."""
        for pair in self.headers.get("cookie", "").split(";"):
            found, _, value = pair.strip().partition("=")
            if found == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    Attributes:
        status: Its status.
        kind: Its content type.
        body: Its body.
        headers: More headers.
    """

    status: HTTPStatus
    kind: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def all_headers(self) -> list[tuple[str, str]]:
        """All headers, those for type and length of the body among them."""
        return [
            ("Content-Type", self.kind),
            ("Content-Length", str(len(self.body))),
            *self.headers,
        ]


#: The answer to a body that is too long.
TOO_LARGE = Response(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "text/plain; charset=utf-8",
    b"The form is too long.",
)


def read_pairs(text: bytes) -> dict[str, str]:
    """Return the values of a query string, or of a form that is written like one."""
    shown = text.decode("ascii", "replace")
    return dict(parse_qsl(shown, keep_blank_values=True, errors="replace"))


def read_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by their names in small letters. Several cookies become one."""
    found: dict[str, str] = {}
    for name, value in headers:
        known = found.get(name.lower())
        # HTTP/2 may send each cookie in a header of its own.
        found[name.lower()] = value if known is None else f"{known}; {value}"
    return found
