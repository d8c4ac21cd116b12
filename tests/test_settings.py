"""The checks of settings: types, finiteness and ranges, from a field's annotation."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.settings import (
    Count,
    NotNegative,
    Positive,
    Range,
    Share,
    check_settings,
    require_seed,
)


@dataclass(frozen=True)
class Settings:
    rate: Positive = 1.0
    share: Share = 0.5
    weight: NotNegative = 0.0
    number: Count = 3
    limit: Positive | None = None
    part: Annotated[float, Range(at_least=0, below=1)] = 0.0
    large: Annotated[int, Range(above=0, at_most=10**10)] = 1
    is_on: bool = False
    kind: Literal["one", "two"] = "one"
    sizes: tuple[int, ...] = (1, 2)

    def __post_init__(self):
        check_settings(self)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rate": 0.0}, "rate must be above 0, not 0.0"),
        ({"rate": math.nan}, "rate must be a finite number, not nan"),
        ({"rate": math.inf}, "rate must be a finite number, not inf"),
        ({"rate": "1"}, "rate must be a number, not '1'"),
        ({"rate": True}, "rate must be a number, not True"),
        ({"share": 1.5}, "share must be between 0 and 1, not 1.5"),
        ({"share": -0.5}, "share must be between 0 and 1, not -0.5"),
        ({"weight": -1}, "weight must be at least 0, not -1"),
        ({"number": 0}, "number must be above 0, not 0"),
        ({"number": 2.0}, "number must be a whole number, not 2.0"),
        ({"limit": 0.0}, "limit must be above 0, not 0.0"),
        ({"limit": "1"}, "limit must be a number or None, not '1'"),
        ({"part": 1.0}, "part must be at least 0 and below 1, not 1.0"),
        ({"large": 10**11}, "large must be above 0 and at most 10,000,000,000, not"),
        ({"is_on": 1}, "is_on must be True or False, not 1"),
        ({"kind": "three"}, "kind must be one or two, not 'three'"),
        ({"sizes": 3}, "sizes must be a tuple of which each is a whole number, not 3"),
        ({"sizes": (1.5,)}, "sizes must be a tuple of which each is a whole number, not (1.5,)"),
    ],
    ids=str,
)
def test_a_value_that_is_not_accepted_is_named_with_what_is(wrong, said):
    with pytest.raises(UserError, match=re.escape(said)):
        Settings(**wrong)


def test_the_ends_of_a_range_and_numbers_of_numpy_are_accepted():
    settings = Settings(
        rate=np.float32(0.5), share=1, weight=0.0, number=np.int64(7), limit=None, large=10**10
    )
    assert (settings.rate, settings.share, settings.number) == (0.5, 1, 7)
    assert Settings(share=0.0, limit=2).limit == 2


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_generator_accepts(seed):
    with pytest.raises(UserError, match="--seed must lie between 0 and 2\\^63 − 1"):
        require_seed("--seed", seed)
    require_seed("--seed", 2**63 - 1)
