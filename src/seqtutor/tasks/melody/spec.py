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
from seqtutor.tasks.melody.settings import MelodySettings
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
    """How each melody begins: tokens such as "14 1 16 1" or "C4 hold D4" (a sixteenth each), a
    MIDI, ABC, MusicXML or kern file, or "random" for a random note of the key in each. A file in
    another key than the model's is transposed for the model, and the melodies back again."""
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

    def __post_init__(self) -> None:
        require(0 < self.tempo <= 1000, f"--tempo must lie between 0 and 1000, not {self.tempo}")
        require_formats(self.formats)
        program_of(self.instrument)


@dataclass(frozen=True)
class MelodyMeasuring:
    """By which key and lengths the measures count."""

    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    """Key and lengths by which the measures count; by default those of the runs."""


METHODS = ("q", "psi", "g", "rl-only")
BOTH_PRESETS = ("papers-rules", "strict-rules")
PROFILES = {
    "smoke": Profile(
        "a minute or two, too short to learn much", 1, 2_000, 24_000, methods=METHODS, is_trial=True
    ),
    "default": Profile(
        "about ten minutes on two cores, one seed, the prior that comes with the package",
        seeds=1,
        number=20_000,
        steps=1_500_000,
        presets=BOTH_PRESETS,
        methods=METHODS,
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
    prior_title = "Note RNN"
    published = PUBLISHED
    shows_terms = False

    def task(
        self,
        settings: MelodySettings,
        prior: PriorRecord | None = None,
        workers: int | None = None,
    ) -> Task:
        """The nine rules, compiled into the loop."""
        from seqtutor.tasks.melody.task import melody_task

        return melody_task(settings.length, settings.rules, settings.weights)

    def read_data(self, options: MelodyData, vocabulary: Vocabulary | None = None) -> Dataset:
        """Tunes cut into melodies."""
        return read_melodies(options)

    def primer(
        self, options: MelodySamples, settings: MelodySettings, number: int, seed: int
    ) -> tuple[np.ndarray | None, MelodySamples]:
        """Tokens, a file in any key, or random notes of the key."""
        if options.prime is None:
            return None, options
        import numpy as np

        from seqtutor.runs.progress import console

        key = key_of(settings.rules)
        primers = _primers(options.prime, key, number, seed)
        first = primers[0]
        if _has_several_parts(first):
            console.print(f"{options.prime} has several parts; only the first is read")
        if first.transposition:
            print(
                f"{options.prime} is in {first.key}: transposed by {first.transposition:+d} "
                "semitones for the model, and the melodies back again"
            )
            key = first.key or key
        own = replace(options, key=key, transposition=-first.transposition)
        return np.stack([primer.tokens for primer in primers]), own

    def write(self, drawn: Drawn, folder: Path, options: MelodySamples) -> list[Path]:
        """A file of each format for each melody, but one ABC tune book."""
        from seqtutor.tasks.melody.render import RenderSettings, write_melodies

        rendering = RenderSettings(
            tempo=options.tempo,
            key=options.key or key_of(drawn.settings.rules),
            transposition=options.transposition,
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

        given = options.rules != MelodyRuleSettings()
        yield [melody_measures(options.rules if given else settings.rules)]

    def fit_of_prior(self, prior: Any) -> tuple[list[str], str]:
        """Log-perplexity and accuracy on melodies of test tunes."""
        from seqtutor.training.pretrain import measure_fit

        data = self.read_data(MelodyData())
        fit = measure_fit(prior.model, data.test)
        return list(data.summary), (
            f"On {fit.sequences:,} melodies of test tunes the prior's log-perplexity is "
            f"{fit.log_perplexity:.4f} nats a token, its accuracy {100 * fit.accuracy:.2f} %."
        )

    def features(self) -> SequenceFeatures:
        """Rhythm, pitches and intervals."""
        from seqtutor.tasks.melody.features import melody_features

        return melody_features()

    def exhibits(self, policies: Mapping[str, Shown]) -> Exhibition:
        """Sound, score and piano roll, with what each note earned by which rule."""
        from seqtutor.tasks.melody.exhibits import exhibition

        first = next(iter(policies.values()))
        return exhibition(policies, key_of(first.drawn.settings.rules))

    def illustrate(self, gallery: Gallery) -> list[str]:
        """Note probabilities and piano rolls."""
        from seqtutor.tasks.melody.figures import illustrate

        return illustrate(gallery)


spec = MelodySpec()


def key_of(rules: MelodyRuleSettings) -> Key:
    """The key in which the rules count."""
    from seqtutor.tasks.scores.keys import Key

    return Key(rules.tonic_pitch_class, rules.mode)


def _primers(prime: str, key: Key, number: int, seed: int) -> Sequence[Primer]:
    """How every melody begins, all of one length."""
    import numpy as np

    from seqtutor.tasks.melody.primer import RANDOM, read_primer

    generator = np.random.default_rng(seed)
    first = read_primer(prime, generator, key)
    if prime.strip().lower() != RANDOM:
        return [first] * number
    return [first, *(read_primer(RANDOM, generator, key) for _ in range(1, number))]


def _has_several_parts(primer: Primer) -> bool:
    from seqtutor.tasks.melody.folder import SEVERAL_PARTS

    return bool(primer.report.noted.get(SEVERAL_PARTS))
