"""Stage 2's examples: findings with a real fix; each by the kind of fix that is known for it."""

from __future__ import annotations

from jobs.datasets.examples.example import ADVICE_SYSTEM, SYSTEM, Example, conversation
from jobs.datasets.examples.tokens import TokenCounter
from jobs.datasets.fixes.offers import find_offers
from jobs.datasets.fixes.samples import FixSample, rule_name
from jobs.findings.model.finding import Finding

ATTRIBUTION = "the user's own scan reports"


class FindingRenderer:
    """Makes examples of findings.

    Args:
        counter: Counts with the training tokenizer.
        max_seq_length: Tokens that prompt and whole answer must fit.
        domain: Names the source: "webauthn" -> "webauthn_security_tools".
        include_advice: Whether a finding with advice alone becomes an example of low quality.
    """

    def __init__(
        self, counter: TokenCounter, max_seq_length: int, domain: str, include_advice: bool = False
    ) -> None:
        self._counter = counter
        self._limit = max_seq_length
        self._source = source_name(domain)
        self._include_advice = include_advice

    def examples(self, finding: Finding) -> list[tuple[Example, int]] | str:
        """The examples with their lengths in tokens, or the reason why there are none.

        An alert of a dynamic scan gives one for each framework, every other finding one.
        """
        offered = find_offers(finding, self._include_advice)
        if isinstance(offered, str):
            return offered
        offers, provenance = offered
        fitting = [self._fitting(finding, forms, provenance) for forms in offers]
        return [each for each in fitting if each is not None] or "too_long"

    def _fitting(
        self, finding: Finding, forms: list[FixSample], provenance: str
    ) -> tuple[Example, int] | None:
        for sample in forms:
            example = self._example(finding, sample, provenance)
            tokens = self._counter.total(example.messages)
            if tokens <= self._limit:
                return example, tokens
        return None

    def _example(self, finding: Finding, sample: FixSample, provenance: str) -> Example:
        system = ADVICE_SYSTEM if provenance == "advice" else SYSTEM
        return Example(
            conversation(sample.prompt, sample.answer, system),
            {
                "source": self._source,
                "quality": sample.quality,
                "cwe_id": finding.cwes[0] if finding.cwes else None,
                "cwe_ids": list(finding.cwes),
                "language": sample.language,
                "chat_template": self._counter.template_name,
                "groups": list(sample.groups),
                "provenance": provenance,
                "attribution": ATTRIBUTION,
                "tool": finding.tool,
                "rule": rule_name(finding.rule),
                "severity": finding.severity.level,
                "finding": finding.fingerprint,
                **sample.facts,
            },
        )


def source_name(domain: str) -> str:
    """The name of stage 2's own source in metadata and statistics."""
    return f"{domain}_security_tools"
