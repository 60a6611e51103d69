"""A module that can't be imported, because another one is missing."""

import a_package_that_nobody_has  # type: ignore[import-not-found]  # noqa: F401
