"""Comparisons that the plan leaves open: the models by what tells most, the clips by balance."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
from sqlalchemy import Connection, select

from seqtutor.study.adaptive import next_pair
from seqtutor.study.clips import clips_by_model
from seqtutor.study.design import Balance
from seqtutor.study.plan import Comparison, Plan
from seqtutor.study.sessions import Session
from seqtutor.study.tables import answers, sessions, trials
from seqtutor.study.tally import NONE, cells_of
from seqtutor.study.trials import Chooser, is_possible


def chooser_of(plan: Plan) -> Chooser | None:
    """Chooses the comparisons of an adaptive study; `None` where the plan has them all."""
    if not plan.is_adaptive:
        return None

    def choose(connection: Connection, session: Session) -> Comparison:
        return _chosen(connection, session, plan)

    return choose


def _chosen(connection: Connection, session: Session, plan: Plan) -> Comparison:
    """The comparison that tells most after the answers so far; open questions count as ties."""
    asked = connection.execute(
        select(trials.c.session, trials.c.left, trials.c.right, answers.c.rating)
        .join(sessions)
        .outerjoin(answers)
        .where(trials.c.kind == "comparison", sessions.c.is_simulated == session.is_simulated)
        .order_by(trials.c.session, trials.c.place)
    ).all()
    seed = plan.seed, len(asked)
    balance = Balance(clips_by_model(plan.clips), plan.side, random.Random(f"{seed}"))
    heard: Counter[str] = Counter()
    models, cells = plan.model_names, cells_of(len(plan.models))
    counts = np.zeros((len(cells), 3))
    for row in asked:
        if not is_possible(plan, row):
            continue
        order = plan.model_of(row.left), plan.model_of(row.right)
        balance.count(order, row.left, row.right)
        cell = cells.index((models.index(order[0]), models.index(order[1])))
        rating = row.rating or 0
        counts[cell, NONE + (rating > 0) - (rating < 0)] += 1
        if row.session == session.id:
            heard.update((*row.left, *row.right))
    left, right = next_pair(counts, len(models), np.random.default_rng(seed), plan.goal)
    return balance.in_order((models[left], models[right]), heard)
