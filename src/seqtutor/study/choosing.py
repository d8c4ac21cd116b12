"""Comparisons that the plan leaves open: the models by what tells most, the clips by balance."""

from __future__ import annotations

import random
from collections import Counter

from sqlalchemy import Connection, select

from seqtutor.study.clips import clips_by_model
from seqtutor.study.design import Balance
from seqtutor.study.plan import Comparison, Plan
from seqtutor.study.sessions import Session
from seqtutor.study.tables import sessions, trials
from seqtutor.study.trials import Chooser


def chooser_of(plan: Plan) -> Chooser | None:
    """Chooses the comparisons of an adaptive study; `None` where the plan has them all."""
    if not plan.is_adaptive:
        return None

    def choose(connection: Connection, session: Session) -> Comparison:
        return _chosen(connection, session, plan)

    return choose


def _chosen(connection: Connection, session: Session, plan: Plan) -> Comparison:
    asked = connection.execute(
        select(trials.c.session, trials.c.left, trials.c.right)
        .join(sessions)
        .where(trials.c.kind == "comparison", sessions.c.is_simulated == session.is_simulated)
        .order_by(trials.c.session, trials.c.place)
    ).all()
    chance = random.Random(f"{plan.seed} {len(asked)}")
    balance = Balance(clips_by_model(plan.clips), plan.side, chance)
    heard: Counter[str] = Counter()
    for row in asked:
        left, right = tuple(row.left), tuple(row.right)
        balance.count((plan.model_of(left), plan.model_of(right)), left, right)
        if row.session == session.id:
            heard.update((*left, *right))
    pair = balance.next_pair(Counter())
    return balance.comparison(pair, heard)
