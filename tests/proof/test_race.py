"""Eight processes of four threads each fight for the last units: no limit is passed, and every sum is its total."""

from pathlib import Path

import pytest

from proof_support.battle import Battle
from proof_support.nursery import Nursery
from proof_support.product import CALLS, DESKS, SLOTS, UNITS

MOST = {UNITS: 40, SLOTS: 25, CALLS: 60, DESKS: 12}


def test_a_limit_is_never_passed(
    database_url: str, tmp_path: Path, nursery: Nursery, capsys: pytest.CaptureFixture[str]
) -> None:
    """Days go by meanwhile, one a second: the units of each are fought for, across midnight too."""
    with Battle(database_url, tmp_path, MOST, days_per_second=1.0) as battle:
        battle.run(nursery)
        accounts = battle.judge()
        for move in ("hold", "consume", "take", "sit"):
            assert accounts.outcomes[move, "refused"] > 0
            assert accounts.outcomes[move, "done"] > 0
        assert all(outcome != "unknown" for _, outcome in accounts.outcomes)
        assert accounts.bounds() == {name: (counted, counted) for name, counted in battle.stored().counted().items()}
        assert battle.peak == MOST
        with capsys.disabled():
            print(f"\n{battle.told(f'race on {battle.kind}', accounts)}")  # noqa: T201
