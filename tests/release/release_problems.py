"""Tells what is missing for a release: `make release` begins with it."""

import re
from pathlib import Path

from tests.release.readme_links import AddressError, with_absolute_links
from tests.release.repository import ROOT, git, urls, version

URLS = ("source", "documentation", "changelog")


def main() -> None:
    """Print all problems.

    Raises:
        SystemExit: If there is one.
    """
    released = version()
    problems = (
        *_of_urls(urls()),
        *_of_changelog(released, Path(ROOT, "CHANGELOG.md").read_text("utf-8")),
        *_of_repository(released),
    )
    if problems:
        raise SystemExit("\n".join(problems))
    print(f"{released} is ready for docs/releasing.md's next step.")


def _of_urls(named: dict[str, str]) -> list[str]:
    problems = [
        f"[project.urls] in pyproject.toml has no {each.capitalize()}."
        for each in URLS
        if not named.get(each)
    ]
    if named.get("documentation"):
        try:
            with_absolute_links("", named["documentation"])
        except AddressError as error:
            problems.append(str(error))
    return problems


def _of_changelog(released: str, text: str) -> list[str]:
    problems = []
    heading = rf"^## \[{re.escape(released)}\] - \d{{4}}-\d\d-\d\d$"
    if not re.search(heading, text, re.MULTILINE):
        problems.append(
            f"CHANGELOG.md has no heading '## [{released}] - YYYY-MM-DD' below"
            " '## [Unreleased]'."
        )
    unreleased = re.search(
        r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    if unreleased and unreleased[1].strip():
        problems.append("CHANGELOG.md still has entries under '## [Unreleased]'.")
    return problems


def _of_repository(released: str) -> list[str]:
    problems = []
    if git("status", "--porcelain").strip():
        problems.append("There are changes that are not committed: see git status.")
    if git("tag", "--list", f"v{released}").strip():
        problems.append(
            f"The tag v{released} is there. Raise __version__ in"
            " jinja_fragcache/__init__.py: no index takes a version twice."
        )
    return problems


if __name__ == "__main__":
    main()
