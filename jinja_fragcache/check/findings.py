"""What the check finds, and where."""

from dataclasses import dataclass, field

from .rules import NOTE, RULES, Rule


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that a rule has found.

    Attributes:
        file: The path of the template's file, as it is shown.
        line: The line of the tag.
        code: The name of the rule.
        template: The name of the template.
        fragment: The name of the fragment, "" if it is about no fragment.
        message: What is wrong.
        reads: What is read, where, and by which path.
        remedy: The tag to write, "" if there is none.
    """

    file: str
    line: int
    code: str
    template: str
    fragment: str
    message: str
    reads: tuple[str, ...] = ()
    remedy: str = ""

    @property
    def rule(self) -> Rule:
        """The rule."""
        return RULES[self.code]

    @property
    def is_failure(self) -> bool:
        """Whether it makes the check fail."""
        return self.rule.level != NOTE


@dataclass(slots=True)
class Report:
    """The findings of one run.

    Attributes:
        findings: The findings, by file and line.
        templates: How many templates were read.
        fragments: How many fragments they have.
    """

    findings: list[Finding] = field(default_factory=list)
    templates: int = 0
    fragments: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing but notes."""
        return not any(finding.is_failure for finding in self.findings)
