"""What a researcher decides of a study: options of `study new` and of `study serve`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from seqtutor.settings import CheckedSettings, Count, Positive, Range, require
from seqtutor.study.plan import Form, Goal
from seqtutor.web import web_address

if TYPE_CHECKING:
    from seqtutor.study.power import PowerPlan


@dataclass(frozen=True)
class PlanOptions(CheckedSettings):
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
    seed: int | None = None
    """Of the sampling and of all that is left to chance; the same one makes the same study again.
    By default one that nobody can guess, since who guesses it knows which clip is whose."""

    @property
    def chosen_seed(self) -> int:
        """The seed, once there is one."""
        assert self.seed is not None
        return self.seed

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


@dataclass(frozen=True)
class Recruitment:
    """How listeners of a recruiting service come and go."""

    recruit_parameters: tuple[str, str, str] = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")
    """What a recruiting service calls participant, study and submission in the address."""
    complete_url: str = ""
    """Where a listener who has finished is sent at once, with the service's completion code in
    it."""
    screened_out_url: str = ""
    """The same for one who fails the headphone screen."""
    withdrawn_url: str = ""
    """The same for one who withdraws."""
    retention_days: float = 90.0
    """After which whom the service sent is erased."""

    def __post_init__(self) -> None:
        for address in (self.complete_url, self.screened_out_url, self.withdrawn_url):
            require(
                not address or web_address(address) is not None,
                f"an address to send listeners to begins with https://, not {address!r}",
            )
        names = self.recruit_parameters
        require(len(set(names)) == len(names), "the three parameters need different names")
        require(self.retention_days > 0, "the days of retention must be above 0")
