"""The folk task as the commands see it: tunes with chords."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.settings import require
from seqtutor.task_records import Drawn, Numbers, Preset, PriorRecord
from seqtutor.task_spec import TaskSpec
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.settings import FolkSettings
from seqtutor.tasks.scores.instruments import program_of
from seqtutor.tasks.scores.options import (
    USUAL_FORMATS,
    Format,
    SoundSettings,
    require_formats,
)
from seqtutor.training.settings import undiscounted

if TYPE_CHECKING:
    from seqtutor.controls import Control
    from seqtutor.data import Dataset, Sequences
    from seqtutor.exhibits import Exhibition, Shown
    from seqtutor.measure import Measure, MeasureGroup
    from seqtutor.task import Task
    from seqtutor.vocabulary import Vocabulary

USUAL_TRAINING: Mapping[str, Any] = {
    "hidden_sizes": (128,),
    # There are many tokens, most of them rare: they start far apart, and there is no weight decay,
    # with which Adam would move those that a batch lacks to zero at its full rate.
    "token_bound": 1.0,
    "weight_decay": 0.0,
    "batch": 32,
    "learning_rate": 5e-3,
    "dropout": 0.3,
    "epochs": 40,
}
"""Settings of `pretrain` for a thousand tunes."""


@dataclass(frozen=True)
class FolkSamples:
    """How tunes are written."""

    formats: tuple[Format, ...] = USUAL_FORMATS
    """Kinds of files: notes, ABC as one tune book with all tunes; sound (wav, ogg); engraved scores
    (svg, png)."""
    tempo: float = 120.0
    """Quarter notes a minute."""
    instrument: str = "acoustic grand piano"
    """The instrument of the melody, by its name in General MIDI or its number (1 to 128)."""
    chord_instrument: str = "acoustic grand piano"
    """The instrument of the chords."""
    sound: Annotated[SoundSettings, tyro.conf.arg(name="")] = field(default_factory=SoundSettings)

    def __post_init__(self) -> None:
        require(4 <= self.tempo <= 1000, f"--tempo must lie between 4 and 1000, not {self.tempo}")
        require_formats(self.formats)
        program_of(self.instrument)
        program_of(self.chord_instrument)


def _tutor(method: str) -> Mapping[str, Any]:
    """The reward is that of a whole tune; many small updates."""
    return undiscounted(
        method,
        c=0.5,
        environments=64,
        updates=4,
        replay_capacity=2048,
        learning_rate=3e-3,
        steps=2_000_000,
        log_every=50_000,
    )


class FolkSpec(TaskSpec[FolkSettings]):
    """Tunes with chords, whose tokens are those of a prior."""

    name = "folk"
    one, many = "tune", "tunes"
    file_kinds = "ABC with chord symbols, or MIDI with a melody and a chord track"
    settings_type = FolkSettings
    presets: Mapping[str, Preset[FolkSettings]] = {
        "tunes": Preset(
            "Tunes with chords",
            "chord tones on the beat, steady bars, phrases that return",
            _tutor,
            lambda method: FolkSettings(),
        )
    }
    prior_folder = "folk-prior"
    data_type = FolkDataSettings
    sample_type = FolkSamples
    numbers = Numbers(evaluation_of_run=1000, most_samples=10_000)
    commands: Mapping[str, str] = {
        "evaluate": "seqtutor.tasks.folk.evaluate",
        "reproduce": "seqtutor.tasks.folk.reproduce",
    }

    def task(
        self,
        settings: FolkSettings,
        prior: PriorRecord | None = None,
        workers: int | None = None,
    ) -> Task:
        """Sequences of the prior's tokens, as long as those that it was trained on."""
        from seqtutor.errors import UserError
        from seqtutor.task import Task
        from seqtutor.tasks.folk.terms import folk_reward

        if prior is None:
            raise UserError(
                "the tokens of tunes are those of a prior: train one with seqtutor pretrain folk "
                "and give its folder with --prior"
            )
        reward = folk_reward(settings, prior.vocabulary, prior.origin)
        return Task(prior.vocabulary, prior.origin["max_length"], reward, self.name)

    def complete(
        self, settings: FolkSettings, prior: PriorRecord
    ) -> tuple[FolkSettings, list[str]]:
        """As given, with a warning about chords that the prior does not have."""
        has_chords = any(
            token.startswith("chord") or " | " in token for token in prior.vocabulary.tokens
        )
        if has_chords or not (settings.chord_tones or settings.on_the_bar):
            return settings, []
        return settings, [
            "the prior knows no chords, so that --chord-tones and --on-the-bar give nothing"
        ]

    def check_prior(self, prior: PriorRecord) -> None:
        """Refuse a model that does not write tunes with chords."""
        from seqtutor.tasks.folk.model import require_folk_model

        require_folk_model(prior)

    def default_length(self) -> int | None:
        """None: each model says how long its sequences are."""
        return None

    def training_defaults(self, data: Any) -> Mapping[str, Any]:
        """The same for all tunes."""
        return USUAL_TRAINING

    def read_data(self, options: FolkDataSettings, vocabulary: Vocabulary | None = None) -> Dataset:
        """Tunes split, tokenised and cut into sequences."""
        from seqtutor.tasks.folk.dataset import read_folk_data

        return read_folk_data(options, vocabulary)

    def write(self, drawn: Drawn, folder: Path, options: FolkSamples) -> list[Path]:
        """A file of each format for each tune, but one ABC tune book."""
        from seqtutor.tasks.folk.model import LeadSheetReader, titled
        from seqtutor.tasks.scores.lead_sheet_files import LeadSheetRendering, write_tunes

        reader = LeadSheetReader(drawn.vocabulary, drawn.origin)
        sheets = titled(reader(drawn.sequences.tokens, drawn.sequences.mask))
        rendering = LeadSheetRendering(
            options.tempo,
            program_of(options.instrument),
            program_of(options.chord_instrument),
            sound=options.sound,
        )
        return write_tunes(sheets, folder, options.formats, rendering=rendering)

    def read_sequences(
        self,
        path: Path,
        vocabulary: Vocabulary,
        max_length: int,
        prior: PriorRecord | None = None,
    ) -> tuple[list[str], Sequences]:
        """Tunes of an ABC or MIDI file, in pieces as long as the prior's sequences."""
        from seqtutor.tasks.folk.dataset import read_tunes

        assert prior is not None
        return read_tunes(path, prior, max_length)

    @contextmanager
    def measures(
        self,
        settings: FolkSettings,
        options: Any,
        priors: Sequence[PriorRecord],
        number: int,
        workers: int | None = None,
    ) -> Iterator[Sequence[Measure | MeasureGroup]]:
        """Shares of notes and chords, whatever the weights of the reward."""
        from seqtutor.tasks.folk.model import LeadSheetReader
        from seqtutor.tasks.folk.terms import sheet_measures

        yield [sheet_measures(LeadSheetReader(priors[0].vocabulary, priors[0].origin))]

    def controls(self, settings: FolkSettings) -> Sequence[Control]:
        """Transposition, tempo, instruments and swing."""
        from seqtutor.tasks.folk.listening import controls

        return controls()

    def prepare_exhibits(self) -> None:
        """The processes that engrave and play."""
        from seqtutor.tasks.scores.exhibiting import start_processes

        start_processes()

    def exhibits(self, policies: Mapping[str, Shown]) -> Exhibition:
        """Sound, score and piano roll with chords."""
        from seqtutor.tasks.folk.exhibits import exhibition

        return exhibition(policies)


spec = FolkSpec()
