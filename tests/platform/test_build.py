"""Making a module ready to run: what is wrong is told by file and line, and by no path of the server."""

from pathlib import Path

import pytest

from contract.archives import files_of, zipped
from placet.platform.build import compile_module, open_archive
from placet.platform.problems import ModuleProblem, ProblemCode


def test_a_file_that_is_not_python_is_told_with_its_line(tmp_path: Path) -> None:
    files = files_of("shop", 1, **{"shop/other.py": "x = 1\n\ndef broken(:\n    pass\n"})
    unpacked = open_archive(zipped(files), tmp_path / "staging")
    with pytest.raises(ModuleProblem) as caught:
        compile_module(unpacked)
    problem = caught.value
    assert (problem.code, problem.step) == (ProblemCode.BUILD_FAILED, "build")
    assert (problem.file, problem.line) == ("shop/other.py", 3)
    assert str(tmp_path) not in f"{problem.detail}{problem.output}"
