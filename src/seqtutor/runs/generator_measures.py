"""Generators of one task measured by judges, with the results cached in files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator
from seqtutor.adversarial.evaluation import RealSequences, measure_generator
from seqtutor.adversarial.files import SavedDiscriminator, load_discriminator, save_discriminator
from seqtutor.adversarial.settings import JudgeSettings
from seqtutor.data import Dataset
from seqtutor.measure import Estimates
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import CONFIG
from seqtutor.runs.measure_cache import cached_estimates, digest
from seqtutor.runs.progress import console
from seqtutor.runs.provenance import made_by
from seqtutor.runs.run_folder import plain


@dataclass(frozen=True)
class CachedGeneratorEvaluator:
    """Measures generators and keeps their first judges, unless files have the results already.

    Attributes:
        data: of the generators.
        real: the sequences of `data` that are compared with.
        judge: the settings of the judges.
        judges: how many of them a generator has.
        output: folder of the files.
    """

    data: Dataset
    real: RealSequences
    judge: JudgeSettings
    judges: int
    output: Path

    def evaluate(
        self,
        name: str,
        model: SequenceModel,
        origin: Path,
        *,
        seed: int,
        note: str = "",
        temperature: float = 1.0,
        discriminator: Path | None = None,
    ) -> Estimates:
        """The measures of one generator.

        Args:
            name: of the files.
            model: the generator, at its temperature.
            origin: the folder that it was read from.
            seed: of the sampling and of the judges.
            note: for people, printed while it is measured.
            temperature: of the model.
            discriminator: the folder of the game's, if there was a game.

        Raises:
            UserError: if there are too few sequences for a judge, or a file cannot be written.
        """
        key = {
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
            described = {"made_by": made_by(), "judge_of": key}
            saved = SavedDiscriminator(judge, self.data.vocabulary, described)
            save_discriminator(saved, self._judge(name))

        def compute() -> dict[str, Estimates]:
            console.print(f"Measuring {name} {note}".rstrip(), highlight=False)
            own = None if discriminator is None else load_discriminator(discriminator).model
            found = measure_generator(
                model,
                self.real,
                self.judge,
                judges=self.judges,
                seed=seed,
                end=self.data.vocabulary.end,
                discriminator=own,
                on_judge=keep,
            )
            return {"generator": found}

        path = self.output / "measures" / f"{name}.json"
        if not (self._judge(name) / CONFIG).is_file():
            path.unlink(missing_ok=True)
        return cached_estimates(path, key, compute)["generator"]

    def judge_of(self, name: str) -> ConvolutionalDiscriminator:
        """The first judge of the generator that was measured under a name.

        Raises:
            UserError: if there is none.
        """
        return load_discriminator(self._judge(name)).model

    def _judge(self, name: str) -> Path:
        return self.output / "judges" / name
