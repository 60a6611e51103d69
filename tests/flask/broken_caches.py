"""A module that can't be imported, for want of another one."""

import a_package_that_nobody_has  # type: ignore[import-not-found]  # noqa: F401
