"""The options that spread a run over devices and processes."""

import shlex

import pytest
import tyro

from seqtutor.cli.main import main
from seqtutor.errors import UserError
from seqtutor.runs.devices import Place

TWO = {"processes": 2, "coordinator": "host:1234"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"devices": 0}, "--devices must be at least 1, not 0"),
        ({"processes": 0}, "--processes must be at least 1, not 0"),
        ({"process": 1}, "--process must lie between 0 and 0, not 1"),
        ({"processes": 2}, "need --coordinator HOST:PORT"),
        ({"processes": 2, "coordinator": "host"}, "need --coordinator HOST:PORT"),
        ({"coordinator": "host:1"}, "give --processes too"),
        ({**TWO, "devices": 3}, r"--devices \(3\) must be a multiple of --processes \(2\)"),
    ],
)
def test_what_does_not_fit_together_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        Place(**options)


@pytest.mark.parametrize(
    ("options", "total"),
    [({}, 1), ({"devices": 4}, 4), (TWO, 2), ({**TWO, "process": 1, "devices": 4}, 4)],
)
def test_a_run_that_goes_on_gets_the_same_options(options, total):
    place = Place(**options)
    assert place.total == total
    assert place.follows == (place.process == 1)
    assert tyro.cli(Place, args=shlex.split(place.arguments)) == place


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--devices", "2", "--seeds", "2"], "several seeds keep all devices busy"),
        (["--devices", "4096"], r"environments (128) must be a multiple of the number of devices"),
    ],
)
def test_a_run_that_devices_cannot_share_is_refused_in_a_line(tmp_path, capsys, options, message):
    output = tmp_path / "run"
    assert main(["tune", "melody", "--output", str(output), *options]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("seqtutor: ")
    assert message in lines[-1]
    assert not output.exists()
