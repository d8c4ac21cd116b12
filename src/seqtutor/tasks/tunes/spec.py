"""The tunes task as the commands see it: phrases of eight bars in any metre."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

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
    from jaxtyping import Bool

    from seqtutor.controls import Control, How, Opening
    from seqtutor.data import Dataset, Sequences
    from seqtutor.exhibits import Exhibition, Shown
    from seqtutor.measure import Measure, MeasureGroup
    from seqtutor.task import Task
    from seqtutor.vocabulary import Vocabulary

SHIPPED_PRIOR = Path(__file__).parent / "prior"
"""The prior of eight bars that comes with the package; `config.json` says how it was made."""

PART_OF_FILE = "--prime-bars and --prime-part take a part of the file that --prime names"

USUAL_TRAINING: Mapping[str, Any] = {
    "model": "bar-lstm",
    "hidden_sizes": (192,),
    "embedding_size": 48,
    "weight_decay": 0.0,
    "batch": 64,
    "learning_rate": 5e-3,
    "dropout": 0.3,
    "epochs": 10,
}
"""Settings of `pretrain` for six thousand phrases."""


@dataclass(frozen=True)
class TuneSamples:
    """How tunes begin, and how they are written."""

    prime: str | None = None
    """How each tune begins: a dance (jig, reel, slip jig, hornpipe, march, polka, waltz) or a
    metre, perhaps a mode and notes as they are written, such as "jig", "3/4 minor" or
    "reel major A4:1/2 |1 D5:1"; or an ABC, MIDI, MusicXML or kern file, in whose key the tunes are
    written."""
    prime_bars: int | None = None
    """Begin with so many bars of the file, and its upbeat; by default with half a tune."""
    prime_part: str | None = None
    """The part of the file, by its name or number (1 is the first); by default the first with
    notes."""
    formats: tuple[Format, ...] = USUAL_FORMATS
    """Kinds of files: notes, ABC as one tune book with all tunes; sound (wav, ogg); engraved scores
    (svg, png)."""
    tempo: float | None = None
    """Quarter notes a minute; by default that of the file that --prime names, else 160."""
    instrument: str = "violin"
    """An instrument of General MIDI, by name or number (1 to 128)."""
    transpose: int | None = None
    """Semitones by which tunes are moved from the white keys; 2, which writes those in C major in
    D, by default, but those that begin as a file does are written in its key."""
    title: str | None = None
    """What the tunes are called, before a number; by default "tune", or of a file that --prime
    names its title, "continued"."""
    sound: Annotated[SoundSettings, tyro.conf.arg(name="")] = field(default_factory=SoundSettings)

    def __post_init__(self) -> None:
        require(
            self.tempo is None or 4 <= self.tempo <= 1000,
            f"--tempo must lie between 4 and 1000, not {self.tempo}",
        )
        require(
            self.transpose is None or -24 <= self.transpose <= 24,
            f"--transpose must lie between -24 and 24, not {self.transpose}",
        )
        require(
            self.prime_bars is None or self.prime_bars >= 1,
            f"--prime-bars must be at least 1, not {self.prime_bars}",
        )
        require_formats(self.formats)
        program_of(self.instrument)


def _tutor(method: str) -> Mapping[str, Any]:
    """The reward is that of a whole tune. At c = 1 the weights of the rules are exact."""
    return undiscounted(
        method,
        c=1.0,
        environments=64,
        batch=128,
        updates=2,
        replay_capacity=1024,
        learning_rate=1e-3,
        steps=4_000_000,
        log_every=100_000,
    )


ADAPTATION = 0.02
"""Of the preset: the weights of the rules follow the targets in some dozens of collections."""

PROFILES = {
    "smoke": Profile(
        "a minute or two, too short to learn much", 1, 500, 50_000, methods=("rloo",), is_trial=True
    ),
    "default": Profile(
        "a quarter of an hour on two cores, one seed, the prior that comes with the package",
        seeds=1,
        number=10_000,
        steps=3_000_000,
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
    main_options = (
        "prime",
        "prime_bars",
        "prime_part",
        "formats",
        "tempo",
        "instrument",
        "transpose",
    )
    presets: Mapping[str, Preset[TunesSettings]] = {
        "form": Preset(
            "Rules of form",
            "rules of form, whose weights follow how often real tunes have them",
            _tutor,
            lambda method: TunesSettings(adaptation=ADAPTATION),
        )
    }
    priors: Mapping[str, Path] = {"tunes": SHIPPED_PRIOR}
    model_kinds: Mapping[str, str] = {"bar-lstm": "seqtutor.tasks.tunes.bar_lstm:BarLSTM"}
    model_settings: Mapping[str, str] = {
        "bar-lstm": "seqtutor.tasks.tunes.bar_lstm_settings:BarLSTMSettings"
    }
    prior_folder = "tunes-prior"
    data_type = TunesData
    sample_type = TuneSamples
    evaluate_type = TuneMeasuring
    numbers = Numbers(evaluate=10_000, most_samples=10_000, evaluation_of_run=2_000)
    profiles: Mapping[str, Profile] = PROFILES
    published = PUBLISHED
    file_kinds = "ABC, MIDI, MusicXML or kern, or folders of such"
    valid = "whole"
    shorter_primer = "--prime-bars N for fewer bars of a file"

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
        """A dance or a metre, a mode and the first notes, or those of a file."""
        takes_part = options.prime_bars is not None or options.prime_part is not None
        if options.prime is None:
            require(not takes_part, PART_OF_FILE)
            return None, options
        import numpy as np

        from seqtutor.runs.progress import console
        from seqtutor.tasks.tunes.beginning import read_beginning
        from seqtutor.tasks.tunes.listening import USUAL_TRANSPOSITION
        from seqtutor.tasks.tunes.tokens import typed_tokens

        # No word of a tune has a dot, which the name of a file has.
        if os.path.isfile(options.prime) or ("." in options.prime and ":" not in options.prime):
            found = read_beginning(
                Path(options.prime), vocabulary, options.prime_bars, options.prime_part
            )
            for note in found.notes:
                console.print(f"{options.prime}: {note}", markup=False)
            if options.transpose is None:
                options = replace(options, transpose=found.transposition)
            if options.title is None:
                options = replace(options, title=f"{found.title}, continued")
            if options.tempo is None and found.tempo is not None and 4 <= found.tempo <= 1000:
                options = replace(options, tempo=found.tempo)
            return np.tile(found.tokens, (number, 1)), options
        require(not takes_part, PART_OF_FILE)
        heard = USUAL_TRANSPOSITION if options.transpose is None else options.transpose
        return np.tile(typed_tokens(options.prime, vocabulary, heard), (number, 1)), options

    def is_valid(self, sequences: Sequences, prior: PriorRecord) -> Bool[np.ndarray, " sequence"]:
        """Tunes whose bars are all full, in order and as many as they should be, and that end."""
        from seqtutor.tasks.tunes.measures import whole_tunes
        from seqtutor.tasks.tunes.priors import bars_of

        return whole_tunes(sequences.tokens, sequences.mask, prior.vocabulary, bars_of(prior))

    def write(self, drawn: Drawn, folder: Path, options: TuneSamples) -> list[Path]:
        """A file of each format for each tune, but one ABC tune book."""
        from seqtutor.tasks.scores.lead_sheet_files import LeadSheetRendering, write_tunes
        from seqtutor.tasks.tunes.listening import USUAL_TEMPO, USUAL_TRANSPOSITION
        from seqtutor.tasks.tunes.render import sheets_of

        rendering = LeadSheetRendering(
            options.tempo or USUAL_TEMPO, program_of(options.instrument), sound=options.sound
        )
        moved = USUAL_TRANSPOSITION if options.transpose is None else options.transpose
        sheets = sheets_of(drawn, moved, options.title)
        return write_tunes(sheets, folder, options.formats, rendering=rendering)

    def read_sequences(
        self,
        path: Path,
        vocabulary: Vocabulary,
        max_length: int,
        prior: PriorRecord | None = None,
    ) -> tuple[list[str], Sequences]:
        """Phrases of a file of music."""
        from seqtutor.runs.progress import console
        from seqtutor.tasks.tunes.given import read_given

        assert prior is not None
        names, sequences, notes = read_given(path, vocabulary, max_length, prior)
        for line in notes:
            console.print(f"{path}: {line}", markup=False, highlight=False)
        return names, sequences

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
        """Transposition, tempo, instrument and swing."""
        from seqtutor.tasks.tunes.listening import controls

        return controls()

    def opening_controls(self, settings: TunesSettings) -> Sequence[Control]:
        """Bars of a file."""
        from seqtutor.tasks.tunes.listening import opening_controls

        return opening_controls()

    def token_names(
        self, vocabulary: Vocabulary, settings: TunesSettings, how: How
    ) -> Sequence[str]:
        """Notes as they are heard and as their key spells them."""
        from seqtutor.tasks.tunes.listening import semitones_of
        from seqtutor.tasks.tunes.tokens import names_for

        return names_for(vocabulary, semitones_of(how))

    def opening(
        self, given: str | Path, prior: PriorRecord, settings: TunesSettings, how: How
    ) -> Opening:
        """A dance or a metre, a mode and notes, or the first bars of a file."""
        from seqtutor.tasks.tunes.listening import opening

        return opening(given, prior.vocabulary, how)

    def prepare_exhibits(self) -> None:
        """The processes that engrave and play."""
        from seqtutor.tasks.scores.exhibiting import start_processes

        start_processes()

    def exhibits(self, policies: Mapping[str, Shown]) -> Exhibition:
        """Sound, score and piano roll."""
        from seqtutor.tasks.tunes.exhibits import exhibition

        return exhibition(policies)

    def illustrate(self, gallery: Gallery) -> list[str]:
        """Engraved scores of the first tunes of each policy."""
        from seqtutor.tasks.tunes.render import illustrate

        return illustrate(gallery)


spec = TunesSpec()
