"""How near sampling comes to the optimum without further training, and what it costs.

    python benchmarks/steering_cost.py --c 10 --particles 4 16 64 256
    python benchmarks/steering_cost.py RUN --particles 1 4 16 64

For each number N of particles, one of which is drawn: N times the models that run for a token;
E[log Ẑ], at most its objective, with its standard error over groups; log of the mean Ẑ, which
estimates log Z; and what log Z is not below with 97.5 % (`lower_bound_of_log_mean` of the groups).
A mean far above the mean logarithm tells of rare sequences that weigh much. With a run, its policy
proposes and its soft values look ahead; with "prior" and --c the prior alone.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from scipy.special import logsumexp

from seqtutor.measures.log_partition import lower_bound_of_log_mean
from seqtutor.measures.particles import draw_by_particles
from seqtutor.runs.policies import PRIOR, find_policy
from seqtutor.runs.steering import proposal_of, task_of_steering
from seqtutor.task_registry import find_spec


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", default=PRIOR)
    parser.add_argument("--task", default="melody")
    parser.add_argument("--c", type=float, help="by default the run's")
    parser.add_argument("--particles", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--total", type=int, default=65_536, help="particles for each row")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    policy = find_policy(find_spec(options.task), options.run)
    c = options.c or policy.config.tutor.c
    proposal, models = proposal_of(policy, c)
    print(f"{options.run} at c = {c:g}, {type(proposal).__name__.lower()}")
    print("| N | model calls a token | E[log Ẑ] | log E[Ẑ] | log Z at least |")
    print("| --: | --: | --: | --: | --: |")
    with task_of_steering(policy) as task:
        for size in options.particles:
            number = max(2, options.total // size)
            drawn = draw_by_particles(
                proposal, task, c, number=number, size=size, seed=options.seed
            )
            log_z = drawn.reward.astype(np.float64) / c - drawn.kl
            mean = logsumexp(log_z) - math.log(number)
            error = log_z.std(ddof=1) / math.sqrt(number)
            own = f"{log_z.mean():.2f} ± {error:.2f} | {mean:.2f}"
            least = lower_bound_of_log_mean(log_z, 0.975)
            print(f"| {size} | {size * models} | {own} | {least:.2f} |", flush=True)


if __name__ == "__main__":
    main()
