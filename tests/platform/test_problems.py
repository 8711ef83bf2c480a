from pathlib import Path

from placet.platform.failures import Failure
from placet.platform.problems import PROBLEM_KINDS, ModuleProblem, ProblemCode, last_bytes


def test_every_code_has_a_title_and_a_status_that_is_no_license_refusal() -> None:
    assert set(PROBLEM_KINDS) == set(ProblemCode)
    assert all(kind.title and 400 <= kind.status < 600 and kind.status != 403 for kind in PROBLEM_KINDS.values())


def test_output_is_cut_to_its_last_whole_lines() -> None:
    problem = ModuleProblem(ProblemCode.BUILD_FAILED, "It failed.", output="line é\n" * 10_000)
    assert problem.output is not None
    assert len(problem.output.encode()) <= 8 * 1024
    assert problem.output.startswith("line é\n")
    assert last_bytes("é" * 10, 5) == "éé"
    assert last_bytes("short") == "short"
    assert str(problem) == problem.detail == "It failed."


def test_a_failure_without_a_place_in_the_module(tmp_path: Path) -> None:
    failure = Failure.of(ProblemCode.START_FAILED, RuntimeError("no port."), tmp_path)
    problem = failure.as_problem("orders.app:app", step="start", output="printed\n")
    assert problem.detail.startswith("orders.app:app does not start. RuntimeError: no port. Correct")
    assert (problem.file, problem.line) == (None, None)
    assert (problem.output or "").startswith("printed\nRuntimeError: no port.")
