"""What an entry is compared by, besides its key: versions and digests of sources."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment
from jinja2.runtime import Context

from jinja_fragcache.errors import KeyValueError, PolicyError
from jinja_fragcache.keys.digests import code_digest, digest
from jinja_fragcache.keys.fragment import encoded_value, key_values
from jinja_fragcache.keys.plain import encode_text
from jinja_fragcache.messages import describe

from .environment import Site, UnnamedPageError, engine_of
from .sources import sources_of

# Characters. An entry's version is compared as part of its header, so a long one is
# replaced by its digest.
_LONGEST_VERSION = 64


def source_digest(environment: Environment, site: Site) -> str:
    """Return the digest of a tag's template, and of those that it names by strings."""
    template, _, own, references, *_ = site
    return sources_of(environment).whole_digest(template, own, references)


def version_of(
    context: Context,
    site: Site,
    version: Any,
    template_digest: Any,
    *,
    by_page: bool = False,
    has_holes: bool = False,
) -> str | None:
    """Return the version of an entry: all that it is compared by, as one text.

    Args:
        context: The context of the template that is being rendered.
        site: Where the tag stands.
        version: The tag's option, None for no version.
        template_digest: The tag's option, None for the cache's default.
        by_page: Whether the fragment depends on the page's blocks.
        has_holes: Whether it has holes. Their numbers are valid for one source only.

    Returns:
        The version, None if there is nothing to compare.

    Raises:
        KeyValueError: If nothing identifies the version's value.
        PolicyError: If `template_digest` is not true, false or None.
    """
    parts = [] if version is None else [_version_text(version)]
    if _digests_template(context.environment, template_digest):
        parts.append(source_digest(context.environment, site))
    if by_page:
        parts.append(_version_of_blocks(context))
    if has_holes:
        own = site[2]
        parts.append(own)
    if len(parts) > 1:
        return digest("".join(map(encode_text, parts)))
    return parts[0] if parts else None


def _digests_template(environment: Environment, option: Any) -> bool:
    if option is None:
        return engine_of(environment).template_digest
    if not isinstance(option, bool):
        raise PolicyError("template_digest", describe(option), "true or false")
    return option


def _version_text(version: Any) -> str:
    try:
        text = encoded_value(version)
    except KeyValueError as error:
        raise error.naming("The version") from None
    return text if len(text) <= _LONGEST_VERSION else digest(text)


def with_page(context: Context, vary_on: Any) -> list[Any]:
    """Return key values, with the name of the page's template as one more.

    Raises:
        UnnamedPageError: If the template has no name.
        KeyValueError: If `vary_on` is not a list of values.
    """
    if context.name is None:
        raise UnnamedPageError(
            "It has a block in it, so it differs from page to page, and the template of"
            " this page came from a string and has no name. Load the page through the"
            " environment's loader."
        )
    return [*key_values(vary_on), context.name]


def _version_of_blocks(context: Context) -> str:
    """Return a digest of what the page's blocks are compiled to.

    A page may extend one layout now and another one the next time, and it may be
    edited. An entry that was rendered from other blocks is a miss then.
    """
    blocks = sorted(context.blocks.items())
    digests = [code_digest(block.__code__) for _, stack in blocks for block in stack]
    return digest("\n".join([*(name for name, _ in blocks), *digests]))
