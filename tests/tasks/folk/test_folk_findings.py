"""Whether the paper's findings hold is read from the numbers."""

import pytest

from seqtutor.measure import Estimate
from seqtutor.tasks.folk.findings import findings, fresh_judges

TYPES = 3000
"""log 3,000 = 8.0 nats."""


def evaluation(cross_entropy, bleu, precision=float("nan"), judges=3, error=0.01, judge_mean=0.2):
    values = {"cross_entropy": cross_entropy, "entropy": 2.0, "bleu": bleu, "self_bleu": 0.6}
    values |= {"precision": precision, "recall": float("nan"), "judge_accuracy": 0.8}
    found = {name: Estimate(value) for name, value in values.items()}
    return found | {"judge_mean": Estimate(judge_mean, error, judges)}


def held(generators):
    """Of each of the three findings, whether the page says that it holds; None for undecided."""
    return [
        None if "Undecided" in line else "It holds here" in line
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


def test_a_bleu_below_that_of_maximum_likelihood_is_held_against_real_tunes():
    generators = {"maximum-likelihood": PRIOR, "merl": [evaluation(3.8, 0.2, 0.99)]}
    likeness = findings(generators | {"real-tunes": [evaluation(float("nan"), 0.4)]}, TYPES)[-2]
    assert likeness.endswith("Real tunes in the samples' place have 0.40.")
    assert "Real" not in findings(generators | {"real-tunes": [evaluation(0.0, 0.6)]}, TYPES)[-2]


def judged(mean, error=0.01, judges=3):
    return evaluation(2.5, 0.5, judge_mean=mean, error=error, judges=judges)


def test_what_judges_earn_is_told_from_their_own_differences():
    # Student's t of 3 judges, 4.303, times √2 · 0.01: differences below 0.061 are not told.
    generators = {
        "maximum-likelihood": [judged(0.2)],
        "psi": [judged(0.262)],
        "rloo": [judged(0.26)],
        "merl": [judged(0.138)],
        "real-tunes": [judged(float("nan"))],
    }
    (_, told) = fresh_judges(generators)
    assert "Maximum likelihood has 0.20." in told
    assert "Higher: Ψ, anchored 0.262 (+0.062 ± 0.061)." in told
    assert "Lower: MERL 0.138 (−0.062 ± 0.061)." in told
    assert "apart from it: RLOO, anchored 0.26 (+0.060 ± 0.061)." in told
    assert "Real tunes" not in told


def test_one_judge_and_one_seed_tell_nothing_apart():
    alone = {"error": float("nan"), "judges": 1}
    generators = {"maximum-likelihood": [judged(0.2, **alone)], "psi": [judged(0.4, **alone)]}
    (_, told) = fresh_judges(generators)
    assert (
        "apart from it: Ψ, anchored 0.40 (+0.20). One judge of one game gives no interval" in told
    )


def test_several_seeds_count_by_what_they_differ_by():
    prior = [judged(value, error=1.0) for value in (0.19, 0.2, 0.21)]
    psi = [judged(value, error=1.0) for value in (0.28, 0.3, 0.32)]
    (_, told) = fresh_judges({"maximum-likelihood": prior, "psi": psi})
    assert "Higher: Ψ, anchored 0.30 (+0.100 ± 0.025)" in told
