"""Where the generators of the folk experiment are measured; what was measured is kept in files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator
from seqtutor.adversarial.files import (
    SavedDiscriminator,
    load_discriminator,
    save_discriminator,
)
from seqtutor.adversarial.settings import JudgeSettings
from seqtutor.measure import Estimates
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import CONFIG
from seqtutor.runs.measure_cache import cached_estimates, digest
from seqtutor.runs.progress import console
from seqtutor.runs.provenance import made_by
from seqtutor.runs.run_folder import plain
from seqtutor.tasks.folk.dataset import FolkData
from seqtutor.tasks.folk.evaluation import FolkEvaluation, RealTunes, evaluate_folk


@dataclass(frozen=True)
class FolkLaboratory:
    """Where generators are measured.

    Attributes:
        data, real: the tunes to measure by.
        judge: the settings of the judges.
        judges: how many of them a generator has.
        output: the folder of the experiment.
    """

    data: FolkData
    real: RealTunes
    judge: JudgeSettings
    judges: int
    output: Path

    def measure(
        self,
        name: str,
        model: SequenceModel,
        origin: Path,
        *,
        seed: int,
        place: str,
        temperature: float = 1.0,
        discriminator: Path | None = None,
    ) -> FolkEvaluation:
        """Measure a generator, keep its first judge; unless the file of that name has its measures.

        Args:
            name: of the files.
            model: the generator.
            origin: the folder that it was read from.
            seed: of the sampling and of the judges.
            place: which of how many measurements it is, for people.
            temperature: at which the model is one read from there.
            discriminator: the folder of the game's, where there was a game.

        Raises:
            UserError: if there are too few sequences for the judge, or a file cannot be written.
        """
        made_of = {
            "data": self.data.digest,
            "model": digest(origin),
            "temperature": temperature,
            "real": self.real.counts,
            "judge": plain(self.judge),
            "judges": self.judges,
            "seed": seed,
            "discriminator": None if discriminator is None else digest(discriminator),
        }

        def keep(judge: ConvolutionalDiscriminator) -> None:
            told = {"made_by": made_by(), "judge_of": made_of}
            saved = SavedDiscriminator(judge, self.data.vocabulary, told)
            save_discriminator(saved, self._judge(name))

        def measure() -> dict[str, Estimates]:
            console.print(f"Measuring {name} ({place})", highlight=False)
            own = None if discriminator is None else load_discriminator(discriminator).model
            found = evaluate_folk(
                model,
                self.real,
                self.judge,
                judges=self.judges,
                seed=seed,
                discriminator=own,
                on_judged=keep,
            )
            return {"generator": found.estimates}

        path = self.output / "measures" / f"{name}.json"
        if not (self._judge(name) / CONFIG).is_file():
            path.unlink(missing_ok=True)
        expected = {one.name for one in fields(FolkEvaluation)}
        found = cached_estimates(path, made_of, measure, expected)["generator"]
        return FolkEvaluation.from_estimates(found)

    def judge_of(self, name: str) -> ConvolutionalDiscriminator:
        """The first judge of the generator that was measured under a name.

        Raises:
            UserError: if there is none.
        """
        return load_discriminator(self._judge(name)).model

    def _judge(self, name: str) -> Path:
        return self.output / "judges" / name
