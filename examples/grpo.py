"""A method, from its file to its proof: GRPO on a problem that is small enough to enumerate.

`seqtutor/methods/grpo.py` is the method; docs/add_a_method.md walks through it. This script tunes a
prior with it and prints how far the policy is from the exact optimum, in nats a sequence:

    python examples/grpo.py
"""

from seqtutor.methods.registry import method_named
from seqtutor.proof import exact
from seqtutor.proof.problems import PROBLEMS, enumeration
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor

PROBLEM = PROBLEMS["words"]
SETTINGS = {"environments": 256, "batch": 256, "updates": 2, "learning_rate": 1e-2}
ITERATIONS = (50, 200, 800)
"""Collections of each run."""


def distance(iterations: int) -> float:
    """KL(policy ‖ π*) after so many collections, exact."""
    steps = iterations * SETTINGS["environments"] * PROBLEM.length
    settings = TutorSettings.of("grpo", c=PROBLEM.c, steps=steps, **SETTINGS)
    tutor = Tutor(PROBLEM.task, PROBLEM.prior, settings)
    state, _ = tutor.advance(tutor.initial_state(), tutor.iterations)
    whole = enumeration(PROBLEM)
    policy = exact.policy_table(whole, tutor.policy(state.network))
    return exact.kl_divergence(whole, policy, exact.optimum(whole, c=PROBLEM.c).log_policy)


if __name__ == "__main__":
    print(f"{method_named('grpo').symbol}: {method_named('grpo').summary}")
    for iterations in ITERATIONS:
        print(f"{iterations:4} collections: {distance(iterations):.4f} nats from the optimum")
