"""The melody task as the commands see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.settings import require
from seqtutor.task_records import Drawn, Gallery, Numbers, PriorRecord, Profile, SequenceFeatures
from seqtutor.task_spec import TaskSpec
from seqtutor.tasks.melody.data import MelodyData, read_melodies
from seqtutor.tasks.melody.presets import PRESETS
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.settings import BatchRuleSettings, MelodySettings
from seqtutor.tasks.melody.table_1 import PUBLISHED
from seqtutor.tasks.scores.instruments import program_of
from seqtutor.tasks.scores.options import (
    USUAL_FORMATS,
    Format,
    SoundSettings,
    require_formats,
)

if TYPE_CHECKING:
    import numpy as np

    from seqtutor.controls import Canvas, Control, How, Opening
    from seqtutor.data import Dataset
    from seqtutor.exhibits import Exhibition, Shown
    from seqtutor.measure import Measure, MeasureGroup
    from seqtutor.task import Task
    from seqtutor.tasks.melody.primer import Primer
    from seqtutor.tasks.scores.keys import Key
    from seqtutor.vocabulary import Vocabulary

SHIPPED_PRIOR = Path(__file__).parent / "prior"
"""The Note RNN that comes with the package; its `config.json` says how it was made."""


@dataclass(frozen=True)
class MelodySamples:
    """How melodies begin, and how they are written."""

    prime: str | None = None
    """How each melody begins: tokens such as "14 1 16 1" or "C4 hold Bb4 rest" (a sixteenth each),
    a MIDI, ABC, MusicXML or kern file, or "random" for a random note of the key in each. A file in
    another key than the model's is transposed for the model, and the melodies back again."""
    prime_bars: int | None = None
    """Begin with so many bars of the file, and its upbeat; by default with all of it."""
    prime_part: str | None = None
    """The part of the file, by its name or number (1 is the first); by default the first with
    notes."""
    formats: tuple[Format, ...] = USUAL_FORMATS
    """Kinds of files: notes, ABC as one tune book with all melodies; sound (wav, ogg); engraved
    scores (svg, png)."""
    tempo: float = 120.0
    """Quarter notes a minute."""
    instrument: str = "acoustic grand piano"
    """An instrument of General MIDI, by name or number (1 to 128)."""
    sound: Annotated[SoundSettings, tyro.conf.arg(name="")] = field(default_factory=SoundSettings)
    key: tyro.conf.Suppress[Any] = None
    """The key of the primer, in which the melodies are written."""
    transposition: tyro.conf.Suppress[int] = 0
    """Semitones by which the melodies are transposed."""
    meter: tyro.conf.Suppress[Any] = None
    """The metre of the primer, in which the melodies are written; by default 4/4."""
    downbeats: tyro.conf.Suppress[Any] = (0,)
    """Where the primer's bars begin, in sixteenths."""
    remarks: tyro.conf.Suppress[Any] = ()
    """Lines about the primer, which are shown once melodies begin with it."""

    def __post_init__(self) -> None:
        require(4 <= self.tempo <= 1000, f"--tempo must lie between 4 and 1000, not {self.tempo}")
        require_formats(self.formats)
        program_of(self.instrument)
        require(
            self.prime_bars is None or self.prime_bars >= 1,
            f"--prime-bars must be at least 1, not {self.prime_bars}",
        )
        alone = self.prime is None and (self.prime_bars or self.prime_part) is not None
        require(
            not alone, "--prime-bars and --prime-part take a part of the file that --prime names"
        )


@dataclass(frozen=True)
class MelodyMeasuring:
    """By which key and lengths the measures count."""

    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    """Key and lengths by which the measures count; by default those of the runs."""


METHODS = ("q", "psi", "g", "rl-only")
BOTH_PRESETS = ("papers-rules", "strict-rules")
PROFILES = {
    "smoke": Profile(
        "a minute or two, too short to learn much",
        seeds=1,
        number=2_000,
        steps=24_000,
        methods=METHODS,
        is_trial=True,
        minutes=1,
    ),
    "default": Profile(
        "about ten minutes on two cores, one seed, the prior that comes with the package",
        seeds=1,
        number=20_000,
        steps=1_500_000,
        presets=BOTH_PRESETS,
        methods=METHODS,
        minutes=6,
    ),
    "full": Profile(
        "three seeds, longer runs, 100,000 melodies a policy, and a prior trained anew",
        seeds=3,
        number=100_000,
        steps=4_000_000,
        presets=BOTH_PRESETS,
        methods=METHODS,
        pretrains=True,
    ),
}


class MelodySpec(TaskSpec[MelodySettings]):
    """Melodies of sixteenths, rewarded by nine rules of music theory."""

    name = "melody"
    one, many = "melody", "melodies"
    settings_type = MelodySettings
    main_options = (
        "length",
        "rules.tonic",
        "rules.mode",
        "prime",
        "prime_bars",
        "formats",
        "tempo",
        "instrument",
    )
    presets = PRESETS
    priors: Mapping[str, Path] = {"note-rnn": SHIPPED_PRIOR}
    data_type = MelodyData
    sample_type = MelodySamples
    evaluate_type = MelodyMeasuring
    numbers = Numbers(evaluate=100_000, most_samples=10_000)
    commands: Mapping[str, str] = {"score": "seqtutor.tasks.melody.score"}
    profiles: Mapping[str, Profile] = PROFILES
    model_kinds: Mapping[str, str] = {"melody-rules": "seqtutor.tasks.melody.network:RuleNetwork"}
    prior_title = "Note RNN"
    published = PUBLISHED
    drift = "after them melodies drift off the bar"
    shorter_primer = "--prime-bars N for the first bars of a file alone"
    shows_terms = False

    def task(
        self,
        settings: MelodySettings,
        prior: PriorRecord | None = None,
        workers: int | None = None,
    ) -> Task:
        """The nine rules, compiled into the loop."""
        from seqtutor.tasks.melody.task import melody_task

        return melody_task(settings)

    def settings_for_evaluation(self, settings: MelodySettings) -> MelodySettings:
        """Without what is asked of a batch, which has no value for one melody."""
        return replace(settings, batch_rules=BatchRuleSettings(), adaptation=0.0)

    def complete(
        self, settings: MelodySettings, prior: PriorRecord
    ) -> tuple[MelodySettings, list[str]]:
        """The semitones from the prior's key to the one asked for."""
        rules = settings.rules
        if rules.transposition is not None:
            return settings, []
        semitones = rules.semitones
        whole = replace(settings, rules=replace(rules, transposition=semitones))
        if semitones == 0:
            return whole, []
        from seqtutor.tasks.scores.notation import key_title

        key = key_of(rules)
        way = f"{abs(semitones)} semitones {'higher' if semitones > 0 else 'lower'}"
        return whole, [
            "The prior writes on the white keys: what it writes in "
            f"{key_title(key.transposed(-semitones))} becomes {key_title(key)}, {way}"
        ]

    def read_data(self, options: MelodyData, vocabulary: Vocabulary | None = None) -> Dataset:
        """Tunes cut into melodies."""
        return read_melodies(options)

    def primer(
        self,
        options: MelodySamples,
        settings: MelodySettings,
        number: int,
        seed: int,
        vocabulary: Vocabulary,
    ) -> tuple[np.ndarray | None, MelodySamples]:
        """Tokens, a file in any key, or random notes of the key."""
        if options.prime is None:
            return None, options
        import numpy as np

        key, semitones = key_of(settings.rules), settings.rules.semitones
        primers = _primers(options, key, semitones, number, seed)
        first = primers[0]
        is_moved = first.transposition != -semitones
        remarks = [f"{options.prime}: {line}" for line in first.remarks]
        remarks += [f"{options.prime} {line}" for line in [_on_bars(first)] if line]
        own = replace(
            options,
            key=(first.key or key) if is_moved else key,
            transposition=-first.transposition,
            meter=first.meter,
            downbeats=first.downbeats,
            remarks=tuple(remarks),
        )
        return np.stack([primer.tokens for primer in primers]), own

    def write(self, drawn: Drawn, folder: Path, options: MelodySamples) -> list[Path]:
        """A file of each format for each melody, but one ABC tune book."""
        from seqtutor.tasks.melody.notation import Meter
        from seqtutor.tasks.melody.render import RenderSettings, write_melodies

        rules = drawn.settings.rules
        if options.key is not None:
            _tell(options, rules.semitones)
        rendering = RenderSettings(
            tempo=options.tempo,
            key=options.key or key_of(rules),
            transposition=rules.semitones if options.key is None else options.transposition,
            meter=options.meter or Meter(),
            downbeats=options.downbeats,
            program=program_of(options.instrument),
            sound=options.sound,
        )
        return write_melodies(drawn.sequences.tokens, folder, options.formats, settings=rendering)

    @contextmanager
    def measures(
        self,
        settings: MelodySettings,
        options: MelodyMeasuring,
        priors: Sequence[PriorRecord],
        number: int,
        workers: int | None = None,
    ) -> Iterator[Sequence[Measure | MeasureGroup]]:
        """The measures of the papers' Table 1."""
        from seqtutor.tasks.melody.evaluation import melody_measures

        rules = settings.rules
        if options.rules != MelodyRuleSettings():
            moved = options.rules.semitones or rules.semitones
            rules = replace(options.rules, transposition=moved)
        yield [melody_measures(rules)]

    def fit_of_prior(self, prior: Any) -> tuple[list[str], str]:
        """Log-perplexity and accuracy on melodies of test tunes."""
        from seqtutor.training.pretrain import measure_fit

        data = self.read_data(MelodyData())
        fit = measure_fit(prior.model, data.test)
        return list(data.summary), fit.in_words("melodies of test tunes")

    def features(self) -> SequenceFeatures:
        """Rhythm, pitches and intervals."""
        from seqtutor.tasks.melody.features import melody_features

        return melody_features()

    def controls(self, settings: MelodySettings) -> Sequence[Control]:
        """Key, metre, upbeat, tempo, instrument and swing."""
        from seqtutor.tasks.melody.listening import controls

        return controls(key_of(settings.rules))

    def opening_controls(self, settings: MelodySettings) -> Sequence[Control]:
        """Bars and part of a file."""
        from seqtutor.tasks.melody.listening import opening_controls

        return opening_controls()

    def token_names(
        self, vocabulary: Vocabulary, settings: MelodySettings, how: How
    ) -> Sequence[str]:
        """Notes as they are heard and as their key spells them."""
        from seqtutor.tasks.melody.listening import token_names

        return token_names(key_of(settings.rules), settings.rules.semitones, how)

    def canvas(self, settings: MelodySettings, how: How) -> Canvas:
        """A small piano roll."""
        from seqtutor.tasks.melody.listening import canvas

        return canvas(key_of(settings.rules), settings.rules.semitones, how)

    def opening(
        self, given: str | Path, prior: PriorRecord, settings: MelodySettings, how: How
    ) -> Opening:
        """Notes as they are to be heard, or a MIDI, ABC or MusicXML file in any key."""
        from seqtutor.tasks.melody.listening import opening

        return opening(given, key_of(settings.rules), settings.rules.semitones, how)

    def prepare_exhibits(self) -> None:
        """The processes that engrave and play."""
        from seqtutor.tasks.scores.exhibiting import start_processes

        start_processes()

    def exhibits(self, policies: Mapping[str, Shown]) -> Exhibition:
        """Sound, score and piano roll, with what each note earned by which rule."""
        from seqtutor.tasks.melody.exhibits import exhibition
        from seqtutor.tasks.melody.listening import rendering

        first = next(iter(policies.values()))
        rules = first.drawn.settings.rules
        return exhibition(policies, rendering(key_of(rules), rules.semitones, first.how))

    def illustrate(self, gallery: Gallery) -> list[str]:
        """Note probabilities and scores."""
        from seqtutor.tasks.melody.figures import illustrate

        return illustrate(gallery)


spec = MelodySpec()


def key_of(rules: MelodyRuleSettings) -> Key:
    """The key in which the rules count."""
    from seqtutor.tasks.scores.keys import Key

    return Key(rules.tonic_pitch_class, rules.mode)


def _tell(options: MelodySamples, semitones: int) -> None:
    """Show how a primer was read, of which the model writes so many semitones lower."""
    from seqtutor.runs.progress import console
    from seqtutor.tasks.scores.notation import key_title

    if options.transposition != semitones:
        print(
            f"{options.prime} is in {key_title(options.key)}: transposed by "
            f"{-options.transposition:+d} semitones for the model, and the melodies back again"
        )
    for line in options.remarks:
        console.print(line, markup=False)


def _on_bars(primer: Primer) -> str:
    """What a primer's metre and upbeat mean for what the model adds; empty for bars it learned."""
    usual = primer.meter.bar_length in MelodyData().bar_lengths
    found = [] if usual else [f"is in {primer.meter}"]
    found += [f"begins with an upbeat of {primer.pickup} sixteenths"] if primer.pickup else []
    found += ["has bars of other lengths"] if primer.has_irregular_bars else []
    if not found:
        return ""
    return (
        ", ".join(found) + ": the bars are written so, but a model that learned others, or counts"
        " from the first note, may not keep them"
    )


def _primers(
    options: MelodySamples, key: Key, semitones: int, number: int, seed: int
) -> Sequence[Primer]:
    """How every melody begins, all of one length."""
    import numpy as np

    from seqtutor.tasks.melody.primer import RANDOM, FilePart, read_primer

    prime, generator = options.prime or "", np.random.default_rng(seed)
    taken = FilePart(options.prime_bars, options.prime_part)
    first = read_primer(prime, generator, key, semitones, taken)
    if prime.strip().lower() != RANDOM:
        return [first] * number
    others = (read_primer(RANDOM, generator, key, semitones) for _ in range(1, number))
    return [first, *others]
