"""The bench of the RTL as files: what lies in ``sim/``, its top wired from the table of ports."""

from __future__ import annotations

from hotnas_hls.base.shipped import shipped_folder
from hotnas_hls.codegen.ports import CONTROL, MASTERS
from hotnas_hls.codegen.render import SUFFIX, environment


def bench_files() -> dict[str, str]:
    """Every file of the bench by name; the same for all designs."""
    files = {}
    for path in sorted(shipped_folder("sim").iterdir()):
        if path.name.endswith(SUFFIX):
            template = environment(path.parent).get_template(path.name)
            files[path.name.removesuffix(SUFFIX)] = template.render(control=CONTROL, masters=MASTERS)
        elif path.is_file():
            files[path.name] = path.read_text(encoding="utf-8")
    return files
