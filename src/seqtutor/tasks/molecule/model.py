"""Models of SMILES strings: reading one, and drawing molecules from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dacite

from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import SavedModel, load_model
from seqtutor.tasks.molecule.reward_settings import MOSES_EXTREMES, TrainingExtremes
from seqtutor.tasks.molecule.sources import MOSES
from seqtutor.tasks.molecule.tokens import END_TOKEN, find_fault
from seqtutor.vocabulary import Vocabulary

SHIPPED_PRIOR = Path(__file__).parent / "prior"
"""The prior that comes with the package; its `config.json` says how it was made."""

_SAMPLED_AT_ONCE = 1000


def load_molecule_model(folder: Path | None = None) -> SavedModel:
    """Read a model of SMILES strings, or the prior that comes with the package.

    Raises:
        UserError: if the folder holds no model, or one whose tokens are not those of SMILES.
    """
    saved = load_model(folder or SHIPPED_PRIOR)
    vocabulary = saved.vocabulary
    others = [token for token in vocabulary.tokens if token != END_TOKEN and find_fault(token)]
    if vocabulary.end_token != END_TOKEN or others:
        raise UserError(
            f"the model in {folder} does not write SMILES strings; train one with: "
            "seqtutor pretrain molecule"
        )
    if not isinstance(saved.origin.get("max_length"), int):
        raise UserError(f"the model in {folder} does not say how long its strings are")
    return saved


def extremes_of(saved: SavedModel) -> TrainingExtremes | None:
    """What no string of the model's training set goes beyond; `None` if that is not known.

    Raises:
        UserError: if the model tells something else.
    """
    extremes = saved.origin.get("extremes")
    if isinstance(extremes, dict):
        try:
            return dacite.from_dict(TrainingExtremes, extremes, dacite.Config(strict=True))
        except dacite.DaciteError as error:
            raise UserError(f"the extremes of the model in {saved.folder}: {error}") from None
    data = saved.origin.get("data")
    is_moses = isinstance(data, dict) and data.get("source") == MOSES
    return MOSES_EXTREMES if is_moses else None


def sample_smiles(
    model: SequenceModel,
    vocabulary: Vocabulary,
    number: int,
    max_length: int,
    *,
    seed: int = 0,
    temperature: float = 1.0,
    on_progress: Callable[[int], None] = lambda drawn: None,
) -> list[str]:
    """Draw strings from a model; they need not be valid molecules.

    Args:
        model: gives the next token.
        vocabulary: of the model.
        number: of strings.
        max_length: tokens of the longest string, the end token included. A string that reaches it
            without an end is cut there.
        seed: the same seed gives the same strings.
        temperature: below 1 the model plays safe, above 1 it dares more.
        on_progress: called with how many are drawn.
    """
    import jax
    import numpy as np

    from seqtutor.tasks.molecule.encoding import decode
    from seqtutor.training.rollout import sample

    batch = min(number, _SAMPLED_AT_ONCE)
    strings: list[str] = []
    for key in jax.random.split(jax.random.key(seed), -(-number // batch)):
        drawn = sample(model, key, batch, max_length, temperature, vocabulary.end)
        strings += decode(np.asarray(drawn.tokens), vocabulary)
        on_progress(min(len(strings), number))
    return strings[:number]
