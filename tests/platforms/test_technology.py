"""Technology files of every platform that is a model: what cannot be is told at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hotnas_hls.errors import ConfigError
from hotnas_hls.platforms.nacim import constants as nacim
from hotnas_hls.platforms.nasaic import constants as nasaic
from hotnas_hls.platforms.nass import constants as nass
from hotnas_hls.platforms.noc import constants as noc

SHIPPED = {module.__name__.split(".")[-2]: module for module in (nacim, nasaic, nass, noc)}
Load = Callable[[Path], Any]


def refused(load: Load, path: Path, record: object) -> list[str]:
    path.write_text(yaml.safe_dump(record))
    with pytest.raises(ConfigError) as error:
        load(path)
    first, *found = str(error.value).splitlines()
    assert first == f"{path}: not a valid technology:"
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_every_constant_is_needed_and_above_zero(name: str, tmp_path: Path) -> None:
    module, path = SHIPPED[name], tmp_path / "mine.yaml"
    record = yaml.safe_load(module.CONSTANTS_FILE.read_text())[0]
    path.write_text(yaml.safe_dump(record))
    assert module.load_constants(path) == module.load_constants(record["name"])
    numbers = [key for key in record if key != "name"]
    for key in numbers:
        rest = {other: value for other, value in record.items() if other != key}
        (missing,) = refused(module.load_constants, path, rest)
        assert missing.startswith(f"  - {key}: missing key; give a ")
    wrong = refused(module.load_constants, path, record | dict.fromkeys(numbers, -1))
    assert {f"  - {key}: must be more than 0, not -1" for key in numbers} <= set(wrong)
    (unknown,) = refused(module.load_constants, path, record | {"colour": 1})
    assert unknown.startswith("  - colour: unknown key; ")


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("noc", {"clock_mhz": float("inf")}, "clock_mhz: expected a number, not Infinity"),
        ("nass", {"slots": 2000}, "slots: must be a power of 2, not 2000"),
        ("nacim", {"cell_deviation": 1.5}, "cell_deviation: must be a share below 1, not 1.5"),
        ("nacim", {"cell_bits": 20}, "cell_bits: must be at most 16 (widest_bits), not 20"),
        ("nasaic", {"pes": 32}, "cluster: must be at most 32 (pes), not 64"),
    ],
)
def test_constants_outside_what_a_model_is_made_for(
    name: str, changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    module = SHIPPED[name]
    record = yaml.safe_load(module.CONSTANTS_FILE.read_text())[0] | changes
    assert refused(module.load_constants, tmp_path / "mine.yaml", record) == [f"  - {told}"]


def test_a_file_may_be_a_list_as_the_shipped_one_is_but_of_one(tmp_path: Path) -> None:
    path, records = tmp_path / "mine.yaml", yaml.safe_load(noc.CONSTANTS_FILE.read_text())
    path.write_text(yaml.safe_dump(records))
    assert noc.load_constants(path) == noc.load_constants(records[0]["name"])
    for several in ([], records * 2):
        path.write_text(yaml.safe_dump(several))
        with pytest.raises(ConfigError) as error:
            noc.load_constants(path)
        assert str(error.value) == f"{path}: holds {len(several)} technologies; give a file of one"
    keys = "name, rows, columns, macs_per_cycle, link_bits, clock_mhz"
    assert refused(noc.load_constants, path, None) == [f"  - expected a table of {keys}, not null"]
