"""Scenario: the server is killed in the middle of publishing a later version of a module, whose schema has grown."""

import pytest

from contract.driver import on_each_database
from contract.killed import Killed, spread_over, until

pytestmark = [pytest.mark.server, on_each_database]


def test_killed_at_any_time_of_a_later_publish(killed: Killed) -> None:
    killed.publish()
    for moment in spread_over(killed.publish()):
        killed.publish_and_kill(moment)


def test_killed_at_each_step_of_a_later_publish(killed: Killed) -> None:
    data = killed.server.data
    killed.publish()
    for moment in (
        until(data / "journals", "*.json"),
        until(data / "versions", "shop/*", more_than=1),
    ):
        killed.publish_and_kill(moment)
