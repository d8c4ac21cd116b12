"""Whether the paper's findings hold is read from the numbers."""

import pytest

from seqtutor.report.folk_findings import findings
from seqtutor.tasks.folk.evaluation import FolkEvaluation

TYPES = 3000
"""log 3,000 = 8.0 nats."""


def evaluation(cross_entropy, bleu, precision=float("nan")):
    return FolkEvaluation(
        cross_entropy=cross_entropy,
        entropy=2.0,
        bleu=bleu,
        corpus_bleu=bleu,
        self_bleu=0.6,
        judge_mean=0.2,
        judge_real=0.7,
        judge_accuracy=0.8,
        precision=precision,
    )


def held(generators):
    """Of each of the three findings, whether the page says that it holds."""
    return ["It holds here" in line for line in findings(generators, TYPES)[1:4]]


PRIOR = [evaluation(2.5, 0.5)]


@pytest.mark.parametrize(
    ("untrained", "merl", "expected"),
    [
        (evaluation(7.9, 0.1), evaluation(3.8, 0.2, 0.99), [True, True, True]),
        (evaluation(3.0, 0.4), evaluation(3.8, 0.2, 0.99), [False, True, True]),
        (evaluation(7.9, 0.1), evaluation(3.8, 0.2, 0.7), [True, False, True]),
        (evaluation(7.9, 0.1), evaluation(3.8, 0.6, 0.99), [True, True, False]),
        (evaluation(7.9, 0.1), evaluation(2.4, 0.2, 0.99), [True, True, False]),
    ],
)
def test_a_finding_holds_if_its_numbers_say_so(untrained, merl, expected):
    reinforce = evaluation(2.8, 0.4, 0.97)
    generators = {
        "maximum-likelihood": PRIOR,
        "reinforce": [reinforce],
        "merl": [merl],
        "untrained": [untrained],
    }
    assert held(generators) == expected
