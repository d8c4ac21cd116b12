"""Forty tunes in an order that tells nothing, engraved: real ones, the prior's and a policy's.

    python benchmarks/forty_tunes.py RUN OUTPUT --seed 0

writes `OUTPUT/tune-001.png` and so on, and all of them as ABC in one file, fourteen real tunes of
the test part and thirteen of the prior and of the tuned policy each, shuffled; and
`OUTPUT/labels.json`, which is not to be opened before the guesses are written down, one line of
`number group remark` in `OUTPUT/guesses.txt`. Then

    python benchmarks/forty_tunes.py RUN OUTPUT --count

counts how many were told apart.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from seqtutor.data import Sequences
from seqtutor.runs.policies import find_policy
from seqtutor.task_records import Drawn
from seqtutor.tasks.scores.lead_sheet_files import write_tunes
from seqtutor.tasks.tunes.data import TunesData
from seqtutor.tasks.tunes.dataset import read_phrases
from seqtutor.tasks.tunes.priors import bars_of
from seqtutor.tasks.tunes.render import sheets_of
from seqtutor.tasks.tunes.settings import TunesSettings
from seqtutor.tasks.tunes.spec import spec
from seqtutor.training.rollout import generate

NUMBERS = {"real": 14, "prior": 13, "tuned": 13}


def main() -> None:
    """Write the tunes, or count the guesses."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run")
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", action="store_true")
    options = parser.parse_args()
    if options.count:
        print("\n".join(counted(options.output)))
        return
    policy = find_policy(spec, options.run)
    prior = policy.prior()
    data = read_phrases(TunesData(bars=bars_of(prior)), prior.vocabulary)
    generator = np.random.default_rng(options.seed)
    chosen = np.sort(generator.permutation(len(data.test))[: NUMBERS["real"]])
    parts = {"real": data.test[chosen]}
    # With one key both would draw alike, and tunes would come in pairs that tell what they are.
    keys = jax.random.split(jax.random.key(1000 + options.seed))
    models = (("prior", prior.model), ("tuned", policy.model))
    for key, (name, model) in zip(keys, models, strict=True):
        drawn = generate(
            model,
            key,
            NUMBERS[name],
            prior.origin["max_length"],
            end=prior.vocabulary.end,
        )
        parts[name] = Sequences(np.asarray(drawn.tokens), np.asarray(drawn.mask))
    labels, sheets = [], []
    for name, sequences in parts.items():
        own = Drawn(sequences, prior.vocabulary, prior.origin, TunesSettings())
        sheets += sheets_of(own, 2)
        labels += [name] * len(sequences)
    order = generator.permutation(len(labels))
    shown = [replace(sheets[row], title=f"tune {place + 1}") for place, row in enumerate(order)]
    write_tunes(shown, options.output, ("png", "mid", "abc"))
    named = {str(place + 1): labels[row] for place, row in enumerate(order)}
    (options.output / "labels.json").write_text(json.dumps(named))


def counted(folder: Path) -> list[str]:
    """How many guesses were right, by group."""
    labels = json.loads((folder / "labels.json").read_text())
    rows = [line.split(maxsplit=2) for line in (folder / "guesses.txt").read_text().splitlines()]
    guesses = {number: group for number, group, *_ in rows}
    pairs = Counter((labels[number], guess) for number, guess in guesses.items())
    lines = ["| is | guessed " + " | ".join(NUMBERS) + " |"]
    lines += [
        f"| {group} | " + " | ".join(str(pairs[group, one]) for one in NUMBERS) + " |"
        for group in NUMBERS
    ]
    right = sum(count for (own, guess), count in pairs.items() if own == guess)
    return [*lines, f"right: {right} of {len(guesses)}"]


if __name__ == "__main__":
    main()
