"""A bundle: the files of a package in memory, and the only code that writes or checks one on disk.

``manifest.json`` lists the SHA-256 of every file; with its marker it also says that the folder is
ours to overwrite. A bundle is written beside its place and renamed into it, so that a full disk or
an interrupt leaves the earlier result untouched; after a kill the next write ends what was begun.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hotnas_hls.base.atomic import usual_mode
from hotnas_hls.base.names import file_name_violation
from hotnas_hls.base.records import load_json, read_record
from hotnas_hls.errors import OutputRefused, raise_all
from hotnas_hls.version import __version__

MANIFEST = "manifest.json"
SIGNATURE = f"{MANIFEST}.sig"  # of whoever made the bundle, if signed: no file of its list
MARKER = "hotnas-bundle"
MANIFEST_VERSION = 1
_SHA256 = re.compile("[0-9a-f]{64}")


class Bundle:
    """Files by relative path (with ``/``), iterated in sorted order."""

    def __init__(self, name: str, design_digest: str | None = None) -> None:
        self.name = name
        self.design_digest = design_digest
        self._files: dict[str, bytes] = {}
        self._programs: set[str] = set()

    def add(self, path: str, contents: str | bytes, executable: bool = False) -> None:
        """Add one file; text is written as UTF-8. A path is taken once and stays inside the bundle."""
        if problem := _path_violation(path):
            raise ValueError(problem)
        if path in self._files:
            raise ValueError(f"{path!r}: is in the bundle already")
        for parent in map(str, PurePosixPath(path).parents):
            if parent in self._files:
                raise ValueError(f"{path!r}: {parent!r} is a file of the bundle")
        if any(other.startswith(f"{path}/") for other in self._files):
            raise ValueError(f"{path!r}: is a folder of the bundle")
        self._files[path] = contents.encode() if isinstance(contents, str) else bytes(contents)
        if executable:
            self._programs.add(path)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._files))

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def __getitem__(self, path: str) -> bytes:
        return self._files[path]

    def text(self, path: str) -> str:
        """Contents of a text file."""
        return self._files[path].decode()

    @property
    def lines(self) -> int:
        """Lines of all text files."""
        return sum(data.count(b"\n") for data in self._files.values() if b"\0" not in data)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self._files.values()))

    def digest(self) -> str:
        """SHA-256 over every path and its contents."""
        whole = hashlib.sha256()
        for path in self:
            whole.update(f"{path}\0{_sha256(self._files[path])}\0".encode())
        return whole.hexdigest()

    def manifest(self) -> str:
        """Text of ``manifest.json``."""
        record = {
            "marker": MARKER,
            "manifest_version": MANIFEST_VERSION,
            "tool_version": __version__,
            "name": self.name,
            "design_digest": self.design_digest,
            "bundle_digest": self.digest(),
            "files": {path: _sha256(self._files[path]) for path in self},
        }
        return json.dumps(record, indent=2, ensure_ascii=False) + "\n"

    def write(self, root: Path) -> Path:
        """Write everything to the folder ``root``, replacing an earlier bundle of ours there.

        What others put into that folder, such as a vendor tool's project, stays in it.
        """
        root = Path(root)
        _settle(root)
        refuse_foreign(root)
        self._refuse_to_replace(_added(root))
        new, old = _beside(root)
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            new.mkdir()
            for path in self:
                self._write_file(new / path, self._files[path], path in self._programs)
            self._write_file(new / MANIFEST, self.manifest().encode(), False)
            os.chmod(new, usual_mode(executable=True))
            if root.exists():
                os.rename(root, old)
            os.rename(new, root)
        except OSError as reason:
            raise OutputRefused(
                f"{root}: cannot be written: {reason.strerror or reason}; "
                "free space or choose another folder (what was there before is untouched)"
            ) from reason
        finally:
            _settle(root)
        return root

    def _refuse_to_replace(self, added: list[Path]) -> None:
        taken = [str(path) for path in added if path.as_posix() in self._files]
        raise_all(OutputRefused, "these files are not of the earlier package; move them away:", taken)

    @staticmethod
    def _write_file(path: Path, contents: bytes, executable: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        if executable:
            os.chmod(path, usual_mode(executable=True))


def _beside(root: Path) -> tuple[Path, Path]:
    """Where a bundle waits until it is whole, and where the earlier one waits meanwhile."""
    return root.with_name(f".{root.name}.new"), root.with_name(f".{root.name}.old")


def _settle(root: Path) -> None:
    """End a replacement, also one that was killed: what others added comes along, the rest is removed."""
    new, old = _beside(root)
    if old.exists() and not root.exists():
        os.rename(old, root)
    for path in _added(old):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        os.rename(old / path, root / path)
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)


def _added(root: Path) -> list[Path]:
    """What lies in a bundle's folder and is not of the bundle: files, and folders that hold nothing of it."""
    listed = {PurePosixPath(path) for path in (read_manifest(root) or {"files": ()})["files"]}
    parents = (str(parent) for path in listed for parent in path.parents)
    own = {MANIFEST, SIGNATURE, *map(str, listed), *parents}

    def within(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            relative = path.relative_to(root)
            if relative.as_posix() not in own:
                yield relative
            elif path.is_dir() and not path.is_symlink():
                yield from within(path)

    return list(within(root)) if root.is_dir() else []


def refuse_foreign(root: Path) -> None:
    """Raise unless ``root`` is free, an empty folder, or an earlier bundle of ours."""
    if root.is_symlink():
        raise OutputRefused(f"{root}: is a link; give the folder it points to, or another one")
    if not root.exists():
        return
    if not root.is_dir():
        raise OutputRefused(f"{root}: is a file; choose another folder")
    if any(root.iterdir()) and read_manifest(root) is None:
        raise OutputRefused(
            f"{root}: is not ours to overwrite (it has no {MANIFEST} of hotnas); "
            "choose another folder or empty this one"
        )


@dataclass(frozen=True)
class _Manifest:
    """What a manifest holds."""

    marker: str
    manifest_version: int
    tool_version: str
    name: str
    design_digest: str | None
    bundle_digest: str
    files: dict[str, str]  # path -> SHA-256


def read_manifest(root: Path) -> dict[str, Any] | None:
    """The manifest of a bundle, ``None`` where there is none of ours.

    Raises OutputRefused for one that says it is ours and is not sound: a bundle may come from anywhere.
    """
    path = root / MANIFEST
    try:
        record = load_json(path, OutputRefused)
    except OutputRefused:
        return None
    if not isinstance(record, dict) or record.get("marker") != MARKER:
        return None
    problems: list[str] = []
    manifest = read_record(_Manifest, record, "", problems)
    if manifest is not None:
        problems += _manifest_violations(manifest)
    raise_all(OutputRefused, f"{path}: not the manifest of a package; get the package anew:", problems)
    return record


def _manifest_violations(manifest: _Manifest) -> list[str]:
    found = []
    if manifest.manifest_version != MANIFEST_VERSION:
        found.append(f"manifest_version: must be {MANIFEST_VERSION}, not {manifest.manifest_version}")
    if problem := file_name_violation(manifest.name):
        found.append(f"name: {problem}")
    found += [f"files: {problem}" for path in manifest.files if (problem := _path_violation(path))]
    digests = {"bundle_digest": manifest.bundle_digest, **manifest.files}
    found += [f"{what}: not a SHA-256" for what, digest in digests.items() if not _SHA256.fullmatch(digest)]
    return found


def _path_violation(path: str) -> str | None:
    """Why ``path`` cannot be a file's of a bundle; None when it can."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or str(pure) != path or path == ".":
        return f"{path!r}: a bundle's paths are plain, relative and stay inside it"
    if path in (MANIFEST, SIGNATURE):
        return f"{path!r}: the bundle writes its own manifest"
    return None


def links(root: Path) -> list[str]:
    """Links among the files and folders of a bundle, by path there: a bundle has none."""
    listed = (read_manifest(root) or {"files": ()})["files"]
    own = {MANIFEST, SIGNATURE, *(path.split("/")[0] for path in listed)}
    found = []
    for top in sorted(own):
        within = [root / top, *(root / top).rglob("*")] if not (root / top).is_symlink() else [root / top]
        found += [path.relative_to(root).as_posix() for path in within if path.is_symlink()]
    return found


def with_files(manifest: dict[str, Any], files: Mapping[str, bytes]) -> str | None:
    """Text of a manifest that lists more files; None for one whose list is not as it was written.

    What it says of the other files stays: where they were changed, :func:`verify` still finds it.
    """
    if manifest.get("bundle_digest") != _digest_of(manifest["files"]):
        return None
    listed = manifest["files"] | {path: _sha256(contents) for path, contents in files.items()}
    listed = dict(sorted(listed.items()))
    record = manifest | {"bundle_digest": _digest_of(listed), "files": listed}
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def verify(root: Path) -> list[str]:
    """What was changed, is missing or was added since the bundle was written; empty when untouched."""
    root = Path(root)
    manifest = read_manifest(root)
    if manifest is None:
        return [f"{MANIFEST}: missing or not one of hotnas"]
    found = []
    listed, linked = manifest["files"], links(root)
    found += [f"{path}: is a link, which leads outside what was generated" for path in linked]
    if manifest.get("bundle_digest") != _digest_of(listed):
        found.append(f"{MANIFEST}: changed (its list of files does not give its bundle_digest)")
    for path, expected in sorted(listed.items()):
        file = root / path
        if any(str(part) in linked for part in (path, *PurePosixPath(path).parents)):
            continue
        if not file.is_file():
            found.append(f"{path}: missing")
        elif _sha256(file.read_bytes()) != expected:
            found.append(f"{path}: changed")
    present = {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}
    added = present - set(listed) - set(linked) - {MANIFEST, SIGNATURE}
    found += [f"{path}: added" for path in sorted(added)]
    return found


def _digest_of(listed: dict[str, str]) -> str:
    whole = hashlib.sha256()
    for path, digest in sorted(listed.items()):
        whole.update(f"{path}\0{digest}\0".encode())
    return whole.hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
