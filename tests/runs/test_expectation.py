"""What `reproduce` says at its start of how long it takes."""

import re

import pytest

from seqtutor.machine import usable_cores
from seqtutor.runs.expectation import expectation, speed
from seqtutor.task_records import Profile


def expected(*arguments, **options):
    return re.match(r".*: about (.*) here", expectation(*arguments, **options))[1]


def test_a_slower_machine_needs_longer():
    beside = min(2, usable_cores())
    assert expected(4, 8, beside, here=1.0) == f"{8 // beside} minutes"
    assert expected(4, 8, beside, here=0.25) == f"{32 // beside} minutes"
    assert expected(4, 8, 1, here=1.0) == "8 minutes"
    assert expected(4, 1, 8, here=1.0) == "4 minutes", "one run cannot be shared out"
    assert expected(16, 8, 1, here=0.1) == "5.3 hours"
    assert expected(0.5, 1, 1, here=4.0) == "1 minute"


def test_speed_is_measured():
    assert 0.001 < speed() < 100


def test_minutes_follow_the_numbers_that_are_given():
    profile = Profile("", seeds=1, number=10, steps=1000, presets=("a", "b"), minutes=4.0)
    assert profile.changed(seeds=3).minutes == pytest.approx(12)
    assert profile.changed(presets=("a",)).minutes == pytest.approx(2)
    assert profile.changed(steps=500, methods=("q", "g")).minutes == pytest.approx(4)
    assert profile.changed(steps=None).minutes is None
    assert Profile("", 1, 10).changed(seeds=3).minutes is None
