"""The tunes task as the commands see it: phrases of eight bars in any metre."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtutor.task_spec import TaskSpec
from seqtutor.tasks.tunes.data import TunesData

if TYPE_CHECKING:
    from seqtutor.data import Dataset
    from seqtutor.vocabulary import Vocabulary

SHIPPED_PRIOR = Path(__file__).parent / "prior"
USUAL_TRAINING: Mapping[str, Any] = {
    "hidden_sizes": (192,),
    "embedding_size": 48,
    "weight_decay": 0.0,
    "batch": 32,
    "learning_rate": 5e-3,
    "dropout": 0.2,
    "epochs": 10,
}


class TunesSpec(TaskSpec[Any]):
    name = "tunes"
    one, many = "tune", "tunes"
    data_type = TunesData
    prior_folder = "tunes-prior"

    def training_defaults(self, data: Any) -> Mapping[str, Any]:
        return USUAL_TRAINING

    def read_data(self, options: TunesData, vocabulary: Vocabulary | None = None) -> Dataset:
        from seqtutor.tasks.tunes.dataset import read_phrases

        return read_phrases(options, vocabulary)


spec = TunesSpec()
