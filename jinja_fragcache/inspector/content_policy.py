"""What a page's Content-Security-Policy allows a script of this package."""

import re
from collections.abc import Iterable

HEADER = "content-security-policy"
_NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_-]+=*)'", re.IGNORECASE)
_SCRIPTS = ("script-src-elem", "script-src", "default-src")
_REQUESTS = ("connect-src", "default-src")
_FORMS = ("form-action",)


class ContentPolicy:
    """The policies of one page. All of them have to allow something.

    Args:
        headers: The values of its headers `Content-Security-Policy`.
        origin: The scheme and host of the page, as `https://example.org`.
    """

    def __init__(self, headers: Iterable[str], origin: str) -> None:
        # A header may have several policies, too.
        texts = [text for header in headers for text in header.split(",")]
        self._policies = [_directives(text) for text in texts]
        host = origin.partition("://")[2]
        scheme = origin.partition("://")[0]
        self._own = {"'self'", "*", f"{scheme}:", origin.lower(), host.lower()}

    @property
    def nonce(self) -> str | None:
        """The nonce that scripts must have; None if they need none."""
        for policy in self._policies:
            found = _NONCE.search(" ".join(_first(policy, _SCRIPTS) or ()))
            if found:
                return found[1]
        return None

    @property
    def allows_script(self) -> bool:
        """Whether a script of this origin runs that has the nonce."""
        return all(map(self._allows_script, self._policies))

    @property
    def allows_requests(self) -> bool:
        """Whether scripts may send requests to this origin."""
        return self._allows(_REQUESTS)

    @property
    def allows_forms(self) -> bool:
        """Whether forms may be sent to this origin."""
        return self._allows(_FORMS)

    def _allows_script(self, policy: dict[str, list[str]]) -> bool:
        sandbox = policy.get("sandbox")
        if sandbox is not None and not {"allow-scripts", "allow-same-origin"} <= {
            *sandbox
        }:
            return False
        sources = _first(policy, _SCRIPTS)
        if sources is None or f"'nonce-{self.nonce}'" in sources:
            return True
        # With this source, only those with a nonce or a hash run.
        return "'strict-dynamic'" not in sources and self._is_own(sources)

    def _allows(self, names: tuple[str, ...]) -> bool:
        found = [_first(each, names) for each in self._policies]
        return all(each is None or self._is_own(each) for each in found)

    def _is_own(self, sources: list[str]) -> bool:
        return any(each.lower() in self._own for each in sources)


def _directives(policy: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in policy.split(";"):
        name, *sources = each.split() or [""]
        # Of two with the same name, browsers use the first.
        found.setdefault(name.lower(), sources)
    return found


def _first(policy: dict[str, list[str]], names: Iterable[str]) -> list[str] | None:
    return next((policy[each] for each in names if each in policy), None)
