"""What a researcher decides of a study: the options of `study new` that its plan follows from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from seqtutor.settings import Count, Positive, Range, check_settings
from seqtutor.study.plan import Form, Goal

if TYPE_CHECKING:
    from seqtutor.study.power import PowerPlan


@dataclass(frozen=True)
class PlanOptions:
    """The size and the form of a study, and how its clips are drawn and compared."""

    clips: Count = 20
    """Clips of each model."""
    form: Form = "pairs"
    """pairs: which of two clips; sets: which of two sets of clips as what a model makes, since two
    clips cannot show that a model always begins alike."""
    set_size: Count = 8
    """Clips of a set."""
    listeners: Count | None = None
    """For how many listeners comparisons are laid out; by default as many as --effect needs.
    Listeners beyond that begin again with the first layout."""
    effect: Positive = 0.5
    """Log-odds between two models that the study should find with a power of 80 %."""
    comparisons: Count = 20
    """Comparisons of each listener, beside practice and catch trials."""
    adaptive: bool = False
    """Choose each pair of models when it is due, as the one that tells most after the votes so
    far."""
    goal: Goal = "best"
    """What adaptive pairs find out with the fewest votes:
    - best: which model is best; the other models get few votes
    - order: which of any two models is better
    - all: how far apart all models are, which takes hardly fewer votes than balanced pairs
    """
    practice: Annotated[int, Range(at_least=0)] = 1
    """Comparisons at the beginning that do not count."""
    catch: Annotated[int, Range(at_least=0)] = 2
    """Comparisons whose right answer is known: a clip beside a broken version of it, or, where
    there is no sound, the instruction which side to choose."""
    headphones: bool = False
    """Let in only listeners who show that they wear headphones (a pitch that two ears together
    hear)."""
    score: bool = False
    """Show a score or another picture beside each sound."""
    temperature: Positive = 1.0
    """Of the sampling."""
    seed: int = 0
    """Of the sampling and of all that is left to chance."""

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def side(self) -> int:
        """Clips on a side of a comparison."""
        return self.set_size if self.form == "sets" else 1

    @property
    def trials(self) -> int:
        """Of each listener."""
        return self.practice + self.comparisons + self.catch

    @property
    def drawn(self) -> int:
        """Sequences that are drawn of each model, those for practice and catch trials included."""
        return self.clips + self.side * (self.practice + self.catch)

    def power(self, models: int) -> PowerPlan:
        """What the listeners find, or how many it takes to find the effect."""
        from seqtutor.study.power import listeners_needed, power_of

        if self.listeners is None:
            return listeners_needed(self.effect, self.comparisons, models=models)
        return power_of(self.listeners, self.effect, self.comparisons, models=models)
