"""Files from elsewhere: whatever is in them, an error that names the file, or values that can be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotnas_hls.base.records import load_json, load_yaml, read_value
from hotnas_hls.errors import ConfigError

DEEP = "tables and lists are nested more than 50 deep; flatten it"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{at + 1}: &a{at + 1} [{', '.join([f'*a{at}'] * 10)}]\n" for at in range(8)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: " + "[" * 60 + "]" * 60, f": not valid YAML: {DEEP}"),
        ("a: " + "[" * 10_000 + "]" * 10_000, f": not valid YAML: {DEEP}"),
        ("a: " + "{b: " * 10_000 + "}" * 10_000, f": not valid YAML: {DEEP}"),
        (
            BOMB,
            ": not valid YAML: it holds more than 1,000,000 values, anchors written out; shorten it",
        ),
        ("a: &a [*a]", ": line 1: not valid YAML: found unconstructable recursive node"),
        ("a: 2020-99-99", ": not valid YAML: month must be in 1..12"),
        ("a: !!python/object/apply:os.system [id]", ": line 1: not valid YAML: could not determine a "
         "constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
        ('a: "\\ud800"', ": not valid YAML: '\\ud800' is half a character; write the whole one"),
    ],
)  # fmt: skip
def test_yaml_that_nobody_means(tmp_path: Path, text: str, reason: str):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_yaml(path)
    assert str(caught.value) == f"{path}{reason}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 60 + "]" * 60, DEEP),
        ("[" * 1_000_000, DEEP),
        ('{"a": "\\ud800"}', "'\\ud800' is half a character; write the whole one"),
        ('{"\\udfff": 1}', "'\\udfff' is half a character; write the whole one"),
    ],
)
def test_json_that_nobody_means(tmp_path: Path, text: str, reason: str):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_json(path)
    assert str(caught.value) == f"{path}: not valid JSON: {reason}"


@pytest.mark.parametrize("text", ["[" + "9" * 6000 + "]"])
def test_numbers_of_thousands_of_digits(tmp_path: Path, text: str):
    for load, name in ((load_json, "x.json"), (load_yaml, "x.yaml")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError, match="not valid (JSON|YAML): Exceeds the limit "):
            load(tmp_path / name)


def test_a_byte_order_mark_is_no_text(tmp_path: Path):
    for load, name in ((load_json, "x.json"), (load_yaml, "x.yaml")):
        (tmp_path / name).write_bytes(b'\xef\xbb\xbf{"a": 1}')
        assert load(tmp_path / name) == {"a": 1}


def test_values_that_cannot_be_used():
    problems: list[str] = []
    for kind, value in ((float, 10**400), (int, 2**63), (str, "a\x1b[31m"), (dict[str, int], {"a\n": 1})):
        read_value(kind, value, "x", problems)
    assert problems[0].startswith("x: expected a number, not 1000")
    assert problems[1:] == [
        "x: 9.22e+18 is more than 64 bits hold; give less",
        "x: 'a\\x1b[31m' holds '\\x1b', which does not print; leave it out",
        "x: 'a\\n' holds '\\n', which does not print; leave it out",
    ]
    assert read_value(int, 2**63 - 1, "x", []) == 2**63 - 1 and read_value(str, "Größe", "x", []) == "Größe"
