"""The tunes task as the commands see it: phrases of eight bars in any metre."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.task_records import Drawn, Gallery, Numbers, Preset, PriorRecord, Profile
from seqtutor.task_spec import TaskSpec
from seqtutor.tasks.scores.instruments import program_of
from seqtutor.tasks.scores.options import (
    USUAL_FORMATS,
    Format,
    SoundSettings,
    require_formats,
)
from seqtutor.tasks.tunes.data import JUDGED, TunesData
from seqtutor.tasks.tunes.real_tunes import PUBLISHED
from seqtutor.tasks.tunes.settings import TuneMeasuring, TunesSettings
from seqtutor.training.settings import undiscounted

if TYPE_CHECKING:
    import numpy as np

    from seqtutor.controls import Control
    from seqtutor.data import Dataset, Sequences
    from seqtutor.exhibits import Exhibition, Shown
    from seqtutor.measure import Measure, MeasureGroup
    from seqtutor.task import Task
    from seqtutor.vocabulary import Vocabulary

SHIPPED_PRIOR = Path(__file__).parent / "prior"
"""The prior of eight bars that comes with the package; `config.json` says how it was made."""

USUAL_TRAINING: Mapping[str, Any] = {
    "hidden_sizes": (192,),
    "embedding_size": 48,
    "weight_decay": 0.0,
    "batch": 32,
    "learning_rate": 5e-3,
    "dropout": 0.15,
    "epochs": 10,
}
"""Settings of `pretrain` for six thousand phrases."""


@dataclass(frozen=True)
class TuneSamples:
    """How tunes begin, and how they are written."""

    prime: str | None = None
    """How each tune begins, in tokens: "6/8" for a jig, "3/4 minor" for a waltz in minor,
    "2/2 major G4:1/2 |1 C5:1" for a reel with these notes."""
    formats: tuple[Format, ...] = USUAL_FORMATS
    """Kinds of files: notes, ABC as one tune book with all tunes; sound (wav, ogg); engraved scores
    (svg, png)."""
    tempo: float = 160.0
    """Quarter notes a minute."""
    instrument: str = "violin"
    """An instrument of General MIDI, by name or number (1 to 128)."""
    transpose: int = 2
    """Semitones by which tunes are moved from the white keys: 2 writes those in C major in D."""
    sound: Annotated[SoundSettings, tyro.conf.arg(name="")] = field(default_factory=SoundSettings)

    def __post_init__(self) -> None:
        require(4 <= self.tempo <= 1000, f"--tempo must lie between 4 and 1000, not {self.tempo}")
        require(
            -24 <= self.transpose <= 24,
            f"--transpose must lie between -24 and 24, not {self.transpose}",
        )
        require_formats(self.formats)
        program_of(self.instrument)


def _tutor(method: str) -> Mapping[str, Any]:
    """The reward is that of a whole tune. At c = 1 the weights of the rules are exact."""
    return undiscounted(
        method,
        c=1.0,
        environments=128,
        batch=128,
        updates=2,
        replay_capacity=1024,
        learning_rate=2e-3,
        steps=4_000_000,
        log_every=100_000,
    )


ADAPTATION = 0.1
"""Of the preset: the weights of the rules follow the targets in some dozens of collections."""

PROFILES = {
    "smoke": Profile(
        "a minute or two, too short to learn much", 1, 500, 50_000, methods=("rloo",), is_trial=True
    ),
    "default": Profile(
        "a quarter of an hour on two cores, one seed, the prior that comes with the package",
        seeds=1,
        number=10_000,
        methods=("rloo",),
    ),
    "full": Profile(
        "five seeds, and a prior trained anew", 5, 10_000, methods=("rloo", "psi"), pretrains=True
    ),
}


class TunesSpec(TaskSpec[TunesSettings]):
    """Tunes of eight bars in the metres of dances, rewarded by rules of form."""

    name = "tunes"
    one, many = "tune", "tunes"
    settings_type = TunesSettings
    main_options = ("prime", "formats", "tempo", "instrument", "transpose")
    presets: Mapping[str, Preset[TunesSettings]] = {
        "form": Preset(
            "Rules of form",
            "rules of form, whose weights follow how often real tunes have them",
            _tutor,
            lambda method: TunesSettings(adaptation=ADAPTATION),
        )
    }
    priors: Mapping[str, Path] = {"tunes": SHIPPED_PRIOR}
    prior_folder = "tunes-prior"
    data_type = TunesData
    sample_type = TuneSamples
    evaluate_type = TuneMeasuring
    numbers = Numbers(evaluate=10_000, most_samples=10_000, evaluation_of_run=2_000)
    profiles: Mapping[str, Profile] = PROFILES
    published = PUBLISHED

    def task(
        self,
        settings: TunesSettings,
        prior: PriorRecord | None = None,
        workers: int | None = None,
    ) -> Task:
        """The rules of form, compiled into the loop."""
        from seqtutor.tasks.tunes.task import tunes_task

        return tunes_task(settings, prior)

    def check_prior(self, prior: PriorRecord) -> None:
        """Refuse a model that does not write tunes."""
        from seqtutor.tasks.tunes.priors import bars_of

        bars_of(prior)

    def default_length(self) -> int | None:
        """None: each model says how long its tunes are."""
        return None

    def training_defaults(self, data: Any) -> Mapping[str, Any]:
        """The same for all tunes."""
        return USUAL_TRAINING

    def read_data(self, options: TunesData, vocabulary: Vocabulary | None = None) -> Dataset:
        """Phrases of tunes, split by tune."""
        from seqtutor.tasks.tunes.dataset import read_phrases

        return read_phrases(options, vocabulary)

    def primer(
        self,
        options: TuneSamples,
        settings: TunesSettings,
        number: int,
        seed: int,
        vocabulary: Vocabulary,
    ) -> tuple[np.ndarray | None, TuneSamples]:
        """Tokens such as a metre, a mode and the first notes."""
        if options.prime is None:
            return None, options
        import numpy as np

        try:
            tokens = vocabulary.encode(vocabulary.split(options.prime))
        except UserError:
            # No token has a dot, which the name of a file has.
            require(
                "." not in options.prime,
                f"--prime takes tokens here, or a metre and a mode such as '6/8 minor', and no "
                f"files: {options.prime[:80]}",
            )
            raise
        return np.tile(tokens, (number, 1)), options

    def write(self, drawn: Drawn, folder: Path, options: TuneSamples) -> list[Path]:
        """A file of each format for each tune, but one ABC tune book."""
        from seqtutor.tasks.scores.lead_sheet_files import LeadSheetRendering, write_tunes
        from seqtutor.tasks.tunes.render import sheets_of

        rendering = LeadSheetRendering(
            options.tempo, program_of(options.instrument), sound=options.sound
        )
        sheets = sheets_of(drawn, options.transpose)
        return write_tunes(sheets, folder, options.formats, rendering=rendering)

    def read_sequences(
        self,
        path: Path,
        vocabulary: Vocabulary,
        max_length: int,
        prior: PriorRecord | None = None,
    ) -> tuple[list[str], Sequences]:
        """Phrases of an ABC file."""
        from seqtutor.tasks.tunes.dataset import read_given

        assert prior is not None
        return read_given(path, vocabulary, max_length, prior)

    @contextmanager
    def measures(
        self,
        settings: TunesSettings,
        options: Any,
        priors: Sequence[PriorRecord],
        number: int,
        workers: int | None = None,
    ) -> Iterator[Sequence[Measure | MeasureGroup]]:
        """The rules of form, openings, rhythm, what no rule looks at, and fresh judges."""
        from seqtutor.tasks.tunes.measures import tune_measures

        if priors:
            prior = priors[0]
        else:  # Of given sequences.
            from seqtutor.models.files import load_model

            prior = load_model(SHIPPED_PRIOR)
        groups = [tune_measures(prior)]
        if options.judges and number >= JUDGED:
            from seqtutor.tasks.tunes.judging import judge_measures

            groups.append(judge_measures(prior, options.judges))
        yield groups

    def fit_of_prior(self, prior: Any) -> tuple[list[str], str]:
        """Log-perplexity and accuracy on phrases of test tunes."""
        from seqtutor.tasks.tunes.priors import bars_of
        from seqtutor.training.pretrain import measure_fit

        data = self.read_data(TunesData(bars=bars_of(prior)), prior.vocabulary)
        fit = measure_fit(prior.model, data.test)
        return list(data.summary), fit.in_words("phrases of test tunes")

    def controls(self, settings: TunesSettings) -> Sequence[Control]:
        """Tempo, instrument and swing."""
        from seqtutor.tasks.tunes.listening import controls

        return controls()

    def exhibits(self, policies: Mapping[str, Shown]) -> Exhibition:
        """Sound, score and piano roll."""
        from seqtutor.tasks.tunes.exhibits import exhibition

        return exhibition(policies)

    def illustrate(self, gallery: Gallery) -> list[str]:
        """Engraved scores of the first tunes of each policy."""
        from seqtutor.tasks.tunes.render import illustrate

        return illustrate(gallery)


spec = TunesSpec()
