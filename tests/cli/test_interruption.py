"""What is said when a long command is interrupted."""

import pytest

from seqtutor.cli.interruption import Interrupted, telling_how_to_go_on


@pytest.mark.parametrize(
    ("interruption", "told"),
    [
        (KeyboardInterrupt(), "interrupted; to go on, .* with --output runs/mine"),
        (Interrupted("interrupted at step 8"), "^interrupted at step 8$"),
    ],
    ids=["says nothing", "says something"],
)
def test_an_interruption_tells_how_to_go_on_unless_it_tells_something_itself(interruption, told):
    with pytest.raises(Interrupted, match=told), telling_how_to_go_on("runs/mine"):
        raise interruption
