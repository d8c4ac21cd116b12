"""`seqtutor score melody`: what each rule gives, step by step."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from seqtutor.errors import UserError
from seqtutor.preferences.settings import PreferenceTerm
from seqtutor.settings import require
from seqtutor.tasks.melody.rule_settings import MODES, RULE_NAMES, MelodyRuleSettings
from seqtutor.tasks.melody.settings import RuleWeights
from seqtutor.tasks.scores.keys import Key

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float
    from rich.console import Console

    from seqtutor.tasks.melody.given import Given
    from seqtutor.tasks.melody.scoring import Scores
    from seqtutor.tasks.melody.spec import MelodySpec


@dataclass(frozen=True)
class Options:
    """Score melodies with the nine rules.

    Melodies come from MIDI, ABC, MusicXML or kern files, or from files of tokens. Of each melody
    the notes that earn or lose something are listed by bar and beat, with rule and reason, and a
    table sums up the rules.
    """

    files: tyro.conf.Positional[
        Annotated[tuple[Path, ...], tyro.conf.arg(metavar="[FILE ...]")]
    ] = ()
    """MIDI, ABC, MusicXML or kern files, or .jsonl files of {"tokens": [...]} lines."""
    json: bool = False
    """Print one JSON object a melody instead of a table: its notes as read ([onset, length, pitch]
    in sixteenths and sounding MIDI pitch), its key, metre and upbeat, its tokens, and what each
    rule gives at every step."""
    tokens: Path | None = None
    """A file of tokens, for JSON lines with nothing but the scores."""
    per_rule: bool = False
    """Every rule's numbers beside the total, in the lines for --tokens."""
    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    """Key, lengths and rewards."""
    weights: RuleWeights = field(default_factory=RuleWeights)
    """A factor for each rule."""
    preference: PreferenceTerm = field(default_factory=PreferenceTerm)
    """A preference model as a term of the reward."""


def run(spec: MelodySpec, options: Options) -> int:
    """Print the scores; returns the exit code."""
    if (options.tokens is None) == (not options.files):
        raise UserError("give either --tokens FILE.jsonl or files in MIDI, ABC, MusicXML or kern")
    if options.tokens is not None:
        require(
            options.preference.model is None,
            "--tokens writes the rules alone; name the file without it for --preference.model",
        )
        _score_tokens(options, options.tokens)
        return 0
    return _score_files(spec, options)


def _score_tokens(options: Options, path: Path) -> None:
    from seqtutor.tasks.melody.encoding import VOCABULARY_SIZE
    from seqtutor.tasks.melody.scoring import score_melodies
    from seqtutor.text_sequences import read_token_file

    melodies = read_token_file(path, VOCABULARY_SIZE)
    for scores in score_melodies(melodies, options.rules, vars(options.weights)):
        line: dict[str, object] = {}
        if options.per_rule:
            line["rules"] = {name: scores.rules[name].tolist() for name in RULE_NAMES}
        line["total"] = scores.total.tolist()
        sys.stdout.write(json.dumps(line) + "\n")


def _read(path: Path, options: Options) -> list[Given]:
    """The melodies of a file, of which some may be out of range; all of them only for JSON."""
    from seqtutor.runs.progress import console
    from seqtutor.tasks.melody.given import read_given

    given = read_given(path, console.print, options.rules.semitones)
    if not given:
        raise UserError(f"{path} holds no melody to score")
    if not options.json and all(one.tokens is None for one in given):
        raise UserError(given[0].reason)
    return given


def _score_files(spec: MelodySpec, options: Options) -> int:
    from rich.console import Console

    from seqtutor.runs.given_files import read_usable
    from seqtutor.runs.progress import console as errors
    from seqtutor.tasks.melody.scoring import score_melodies

    read, code = read_usable(options.files, lambda path: _read(path, options))
    given = [one for _, of_file in read for one in of_file]
    usable = [one for one in given if one.tokens is not None]
    melodies = [one.tokens for one in usable if one.tokens is not None]
    factor = options.preference.task_weight
    weights = {name: factor * weight for name, weight in vars(options.weights).items()}
    scored = score_melodies(melodies, options.rules, weights) if melodies else []
    scores = dict(zip(map(id, usable), scored, strict=True))
    liked = dict(zip(map(id, usable), _liked(spec, options.preference, melodies), strict=True))
    console = Console()
    for one in given:
        found, steps = scores.get(id(one)), liked.get(id(one))
        if found is not None and steps is None and options.preference.model is not None:
            errors.print(f"{one.title} is longer than what the preference model knows")
        if options.json:
            print(json.dumps(one.facts | _numbers(found, steps)))
        elif found is None:
            errors.print(one.reason)
        else:
            _print_scores(console, one, found, options.rules)
            if steps is not None:
                console.print(_in_sum(found, steps), highlight=False)
    return code


def _liked(
    spec: MelodySpec, term: PreferenceTerm, melodies: Sequence[Sequence[int]]
) -> list[Float[np.ndarray, " time"] | None]:
    """What the preference model pays each melody at each step, if there is one and it reads it."""
    if term.model is None or not melodies:
        return [None] * len(melodies)
    from seqtutor.runs.preferred import term_by_step
    from seqtutor.tasks.melody.encoding import melody_vocabulary

    return term_by_step(spec, term, melody_vocabulary(), melodies)


def _numbers(scores: Scores | None, liked: Float[np.ndarray, " time"] | None) -> dict[str, object]:
    """The score as every task's JSON has it, and by the name of the rules."""
    if scores is None:
        return dict.fromkeys(("rules", "total", "mean_a_step", "terms"))
    rules = {name: scores.rules[name].tolist() for name in RULE_NAMES}
    total, steps, terms = float(scores.total.sum()), len(scores.total), rules
    if liked is not None:
        total += float(liked.sum())
        terms = rules | {"preference": liked.tolist()}
    return {"rules": rules, "total": total, "mean_a_step": total / steps, "terms": terms}


def _in_sum(scores: Scores, liked: Float[np.ndarray, " time"]) -> str:
    """What the preference model pays, beside the rules."""
    from seqtutor.report.tables import signed

    paid, rules = float(liked.sum()), float(scores.total.sum())
    return f"preference {signed(paid)}, with the rules {signed(rules + paid)}"


def _print_scores(console: Console, one: Given, scores: Scores, rules: MelodyRuleSettings) -> None:
    """In which key it is judged, the notes that earned or lost something, a table of the rules."""
    from seqtutor.report.tables import signed
    from seqtutor.tasks.melody.encoding import tokens_to_notes
    from seqtutor.tasks.melody.explain import earned_lines, rules_table
    from seqtutor.tasks.melody.spec import key_of
    from seqtutor.tasks.scores.notation import key_title

    assert one.tokens is not None
    key, steps, bars = key_of(rules), len(scores.total), one.bars
    caption = f"Counted in {key_title(key)}; {steps} sixteenths in {len(bars.downbeats)} bars"
    caption += f"\n{signed(float(scores.total.mean()))} a sixteenth"
    metre = one.facts["metre"]
    if metre not in (None, "4/4"):
        caption += (
            f"\nThe tune is in {metre}, and the rules are those of 4/4: what they say of lengths "
            f"and beats does not know the bars of {metre}"
        )
    console.print(one.title, style="bold", markup=False, highlight=False)
    if one.key is not None:
        console.print(_on_key(one.key, key), markup=False, highlight=False)
    for line in earned_lines(
        tokens_to_notes(one.tokens, rules.semitones), scores, key, bars, console.width
    ):
        console.print(line, markup=False, highlight=False)
    console.print(rules_table(scores, bars, caption))


def _on_key(own: Key, counted: Key) -> str:
    """In which key a tune was read, and what it means that the rules count in another."""
    from seqtutor.tasks.scores.notation import key_title

    read = f"The tune was read in {key_title(own)}"
    if own == counted:
        return f"{read}, too"
    nearest = own if own.mode in MODES else Key(own.relative_major)
    if own.scale == counted.scale:
        meant = f"the key of the same notes: {_tonic(counted)} counts as the tonic"
    else:
        meant = "and is not transposed: notes outside that key count as such"
    way = "" if nearest == counted else f"; to count in its key: {_options_of(nearest)}"
    return f"{read} and is judged by the rules of {key_title(counted)}, {meant}{way}"


def _options_of(key: Key) -> str:
    """The options that make the rules those of a key."""
    mode = "" if key.mode == "major" else f" --rules.mode {key.mode}"
    return f"--rules.tonic {_tonic(key)}{mode}"


def _tonic(key: Key) -> str:
    from seqtutor.tasks.scores.notation import key_title

    return key_title(key).partition(" ")[0]
