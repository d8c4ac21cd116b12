"""Whole tunes whose last bar leaves no room for their upbeat, so that a repeat loses the beat.

    python benchmarks/upbeats.py [RUN ...] --number 2000

prints, of the prior, of runs and of the test tunes: the share of whole tunes that have an upbeat,
and of these the share whose upbeat and last bar are no full bar together.
"""

from __future__ import annotations

import argparse

import jax

from seqtutor.data import Sequences
from seqtutor.runs.policies import find_policy
from seqtutor.tasks.tunes.data import TunesData
from seqtutor.tasks.tunes.dataset import read_phrases
from seqtutor.tasks.tunes.layout import Layout, lay_out
from seqtutor.tasks.tunes.priors import bars_of
from seqtutor.tasks.tunes.rules.bars import faulty_bars
from seqtutor.tasks.tunes.spec import spec
from seqtutor.tasks.tunes.tokens import table_of
from seqtutor.training.rollout import generate


def counted(layout: Layout) -> str:
    """The counts of some tunes in words."""
    whole = faulty_bars(layout) == 0
    upbeat = whole & (layout.upbeat > 0)
    drifts = upbeat & (layout.upbeat + layout.lengths[:, -1] != layout.bar_units)
    tunes, begun, drifting = int(whole.sum()), int(upbeat.sum()), int(drifts.sum())
    return (
        f"{tunes:,} whole tunes, {begun:,} ({begun / tunes:.1%}) with an upbeat; of these "
        f"{drifting:,} ({drifting / begun:.1%}) drift, {drifting / tunes:.1%} of the whole ones"
    )


def main() -> None:
    """Draw, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--number", type=int, default=2000)
    options = parser.parse_args()
    prior = find_policy(spec, "prior").saved
    bars, table = bars_of(prior), table_of(prior.vocabulary)
    parts = {}
    for name in ("prior", *options.runs):
        model, length = find_policy(spec, name).model, prior.origin["max_length"]
        key, end = jax.random.key(0), prior.vocabulary.end
        drawn = generate(model, key, options.number, length, end=end)
        parts[name] = Sequences(*jax.device_get((drawn.tokens, drawn.mask)))
    parts["real"] = read_phrases(TunesData(bars=bars), prior.vocabulary).test
    for name, part in parts.items():
        print(f"{name}: {counted(lay_out(part.tokens, part.mask, table, bars))}", flush=True)


if __name__ == "__main__":
    main()
