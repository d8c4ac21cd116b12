"""What is kept is what was measured, and only as long as it is about the same thing."""

import json
import math

import pytest

from seqtutor.measure import Estimate
from seqtutor.measures.policy import DEFINITIONS
from seqtutor.runs.measure_cache import cached_estimates, digest

ESTIMATES = {"policy": {"reward": Estimate(1.25, 0.5, 7), "entropy": Estimate(math.nan)}}


class Counter:
    calls = 0

    def __call__(self):
        self.calls += 1
        return ESTIMATES


def test_a_second_call_reads_what_the_first_has_measured(tmp_path):
    measure, path = Counter(), tmp_path / "deep" / "measures.json"
    made_of = {"number": 10, "settings": (1, 2.5), "c": None}
    first = cached_estimates(path, made_of, measure)
    second = cached_estimates(path, made_of, measure)
    assert measure.calls == 1
    for found in (first, second):
        assert found["policy"]["reward"] == Estimate(1.25, 0.5, 7)
        assert math.isnan(found["policy"]["entropy"].value)
        assert math.isnan(found["policy"]["entropy"].standard_error)
    assert "NaN" not in path.read_text()


def test_a_file_of_an_earlier_version_is_read(tmp_path):
    """It has no counts, and standard errors only where they were known."""
    path = tmp_path / "measures.json"
    measures = {"values": {"reward": 1.25, "kl": 2}, "standard_errors": {"reward": 0.5}}
    content = {"made_of": {"definitions": DEFINITIONS}, "measures": {"policy": measures}}
    path.write_text(json.dumps(content))
    measure = Counter()
    found = cached_estimates(path, {}, measure)["policy"]
    assert measure.calls == 0
    assert found["reward"] == Estimate(1.25, 0.5)
    assert (found["kl"].value, math.isnan(found["kl"].standard_error)) == (2, True)


@pytest.mark.parametrize("change", [{"number": 11}, {"settings": (1, 2.6)}, {"c": 0.5}])
def test_another_subject_is_measured_anew(tmp_path, change):
    measure, path = Counter(), tmp_path / "measures.json"
    made_of = {"number": 10, "settings": (1, 2.5), "c": None}
    cached_estimates(path, made_of, measure)
    cached_estimates(path, made_of | change, measure)
    assert measure.calls == 2
    cached_estimates(path, made_of | change, measure)
    assert measure.calls == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"made_of": {}}', '{"measures": {"x": 1}}'])
def test_a_damaged_file_is_made_anew(tmp_path, content):
    measure, path = Counter(), tmp_path / "measures.json"
    path.write_text(content)
    cached_estimates(path, {}, measure)
    cached_estimates(path, {}, measure)
    assert measure.calls == 1


def test_values_of_other_names_than_expected_are_measured_anew(tmp_path):
    measure, path = Counter(), tmp_path / "measures.json"
    for expected, calls in (({"reward", "entropy"}, 1), ({"reward", "entropy"}, 1), ({"bleu"}, 2)):
        cached_estimates(path, {}, measure, expected)
        assert measure.calls == calls


def test_the_digest_follows_the_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    first = digest(tmp_path)
    assert digest(tmp_path) == first
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert digest(tmp_path) != first
