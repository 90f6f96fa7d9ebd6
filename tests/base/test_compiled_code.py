"""What numba keeps is thrown away when what it calls has changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from hotnas_hls.base import compiled_code
from hotnas_hls.base.compiled_code import PACKAGE, imported

CALLED = "from hotnas_hls.base.compiled_code import compiled\n\nVALUE = {value}\n"
CALLS = """from hotnas_hls.base.compiled_code import compiled
from hotnas_hls.{between} import VALUE


@compiled
def told() -> int:
    return VALUE
"""


def test_a_constant_of_another_file_that_changed_is_seen(tmp_path: Path) -> None:
    package = tmp_path / "hotnas_hls"
    (package / "base").mkdir(parents=True)
    for name in ("__init__.py", "base/__init__.py", "between.py"):
        (package / name).write_text("from hotnas_hls.called import VALUE\n" if name == "between.py" else "")
    shutil.copy(compiled_code.__file__, package / "base" / "compiled_code.py")
    (package / "calls.py").write_text(CALLS.format(between="between"))
    for value in (1, 2, 2):
        (package / "called.py").write_text(CALLED.format(value=value))
        time.sleep(0.01)  # so that files have their own times
        said = subprocess.run(
            [sys.executable, "-c", "from hotnas_hls.calls import told; print(told())"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert said.stdout == f"{value}\n", said.stderr


def test_imports_are_followed_to_files() -> None:
    stepper = imported(PACKAGE / "accel" / "memory" / "stepper.py")
    for name in ("memory/masters.py", "memory/dram.py", "timing/pipeline.py", "plan.py"):
        assert PACKAGE / "accel" / name in stepper
    counts = imported(PACKAGE / "accel" / "block_counts.py")
    assert PACKAGE / "accel" / "fpga_memories.py" in counts
