"""Which notes out of the key policies write, by name, as shares of all steps.

    python benchmarks/out_of_key.py prior runs/melody-psi runs/melody-psi-2

Names are those of the prior, which writes on the white keys: G# is the raised leading note of A
minor, F# its raised sixth, whatever key the melodies are moved to.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import pairwise

import numpy as np

from seqtutor.measures.sampling import draw
from seqtutor.runs.policies import find_policy
from seqtutor.task_registry import find_spec
from seqtutor.tasks.melody.encoding import tokens_to_notes
from seqtutor.tasks.scores.keys import BLACK_KEYS, PITCH_NAMES


def main() -> None:
    """Print a line a policy."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("policies", nargs="+")
    parser.add_argument("--number", type=int, default=10_000)
    options = parser.parse_args()
    spec = find_spec("melody")
    for name in options.policies:
        policy = find_policy(spec, name)
        drawn = draw(policy.model, policy.prior().model, number=options.number, length=32)
        steps: Counter[int] = Counter()
        after: Counter[int] = Counter()
        for row in drawn.tokens:
            notes = [note.pitch % 12 for note in tokens_to_notes(row)]
            steps.update(notes)
            after.update(b for a, b in pairwise(notes) if a == 8)
        share = 100 / np.size(drawn.tokens)
        out = {PITCH_NAMES[one]: steps[one] * share for one in sorted(BLACK_KEYS)}
        each = ", ".join(f"{one} {value:.3f} %" for one, value in out.items())
        to_a = 100 * after[9] / max(1, after.total())
        print(f"{name}: {sum(out.values()):.3f} % ({each}); after G# {to_a:.0f} % A")


if __name__ == "__main__":
    main()
