"""Settings of a kind of model; loads without JAX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from seqtutor.settings import CheckedSettings

if TYPE_CHECKING:
    from seqtutor.vocabulary import Vocabulary


@dataclass(frozen=True)
class ModelSettings(CheckedSettings):
    """The sizes of a new model, and how its weights are drawn.

    Each kind of model derives a record of its own from this one. Every field needs a default and a
    docstring, which is the help of its option on the command line.

    Raises:
        UserError: if a value is not of its field's type, not in its range, or not finite.
    """

    initial: ClassVar[tuple[str, ...]] = ()
    """Names of the settings that say how weights are drawn; all others are sizes."""

    def for_vocabulary(self, vocabulary: Vocabulary) -> ModelSettings:
        """The settings of a model that writes this vocabulary; by default the same."""
        del vocabulary
        return self

    @property
    def sizes(self) -> dict[str, Any]:
        """The settings that determine the shapes of the weights."""
        return {name: value for name, value in vars(self).items() if name not in self.initial}
