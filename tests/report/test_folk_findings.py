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
    """Of each of the three findings, whether the page says that it holds; None for undecided."""
    return [
        None if "cannot be told" in line else "It holds here" in line
        for line in findings(generators, TYPES)
        if line.startswith("- ")
    ]


PRIOR = [evaluation(2.5, 0.5)]


@pytest.mark.parametrize(
    ("untrained", "merl", "expected"),
    [
        (evaluation(7.9, 0.1), evaluation(3.8, 0.2, 0.99), [True, True, True]),
        (evaluation(3.0, 0.4), evaluation(3.8, 0.2, 0.99), [False, True, True]),
        (evaluation(7.9, 0.1), evaluation(3.8, 0.2, 0.7), [True, False, True]),
        (evaluation(7.9, 0.1), evaluation(3.8, 0.6, 0.99), [True, True, False]),
        (evaluation(7.9, 0.1), evaluation(2.4, 0.2, 0.99), [True, True, False]),
        (evaluation(7.9, 0.1), evaluation(2.5001, 0.2, 0.99), [True, True, None]),
        (evaluation(7.9, 0.1), evaluation(2.5001, 0.6, 0.99), [True, True, False]),
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


def test_a_difference_within_its_interval_over_seeds_is_not_decided():
    far = [evaluation(3.0, 0.3, 0.99), evaluation(3.2, 0.32, 0.99), evaluation(3.1, 0.31, 0.99)]
    near = [evaluation(2.4, 0.3, 0.99), evaluation(3.2, 0.32, 0.99), evaluation(2.5, 0.31, 0.99)]
    prior = {"maximum-likelihood": [*PRIOR, evaluation(2.5, 0.51), evaluation(2.5, 0.49)]}
    assert held(prior | {"merl": far}) == [True, True]
    assert held(prior | {"merl": near}) == [True, None]


def test_nothing_is_said_of_pretraining_where_it_has_taught_nothing():
    generators = {"maximum-likelihood": [evaluation(7.9, 0.1)], "untrained": [evaluation(8.0, 0.1)]}
    assert held(generators)[0] is None
