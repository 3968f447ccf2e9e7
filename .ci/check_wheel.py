"""Checks what is in the wheel, and what is not: `check_wheel.py WHEEL`."""

from __future__ import annotations

import configparser
import sys
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"neuroact": ROOT / "neuroact", "neuroact_adapters": ROOT / "adapters/neuroact_adapters"}


def main(path: str) -> None:
    """Exits with what is wrong, or says that nothing is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wheel = zipfile.ZipFile(path)
    wrong = [*wrong_files(wheel), *wrong_metadata(wheel, project), *wrong_entries(wheel, project)]
    if wrong:
        sys.exit("\n".join(f"{path}: {line}" for line in wrong))
    print(f"{Path(path).name}: {len(wheel.namelist())} files, as they should be")


def wrong_files(wheel: zipfile.ZipFile) -> list[str]:
    """Files that are in the sources but not in the wheel, or the other way round."""
    info = dist_info(wheel)
    found = {name for name in wheel.namelist() if not name.startswith(f"{info}/")}
    expected = {
        f"{package}/{file.relative_to(root).as_posix()}"
        for package, root in PACKAGES.items()
        for file in root.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    expected |= {f"{package}/py.typed" for package in PACKAGES}
    expected.add("neuroact/kernel/steps.cpp")  # compiled where it is installed
    licence = f"{info}/licenses/LICENSE"
    return [
        *(f"lacks {name}" for name in sorted(expected - found)),
        *(f"holds {name}, which is not the packages'" for name in sorted(found - expected)),
        *([] if licence in wheel.namelist() else [f"lacks {licence}"]),
    ]


def wrong_metadata(wheel: zipfile.ZipFile, project: dict[str, object]) -> list[str]:
    """Fields of METADATA that do not say what pyproject.toml says."""
    metadata = message_from_string(read(wheel, "METADATA"))
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    expected = {
        "Name": [project["name"]],
        "Version": [project["version"]],
        "Requires-Python": [project["requires-python"]],
        "License-Expression": [project["license"]],
        "License-File": ["LICENSE"],
        "Provides-Extra": sorted(extras),
    }
    return [
        f"METADATA: expected {field}: {wanted}, found {values(metadata, field)}"
        for field, wanted in expected.items()
        if values(metadata, field) != wanted
    ]


def wrong_entries(wheel: zipfile.ZipFile, project: dict[str, object]) -> list[str]:
    """Entry points that differ from pyproject.toml's, or whose module the wheel does not hold."""
    parser = configparser.ConfigParser(delimiters="=")
    parser.read_string(read(wheel, "entry_points.txt"))
    found = {group: dict(parser[group]) for group in parser.sections()}
    expected = {"console_scripts": project["scripts"], **as_dict(project["entry-points"])}
    wrong = [] if found == expected else [f"entry points: expected {expected}, found {found}"]
    targets = {target for group in found.values() for target in group.values()}
    modules = {target.partition(":")[0].replace(".", "/") for target in targets}
    held = set(wheel.namelist())
    return wrong + [
        f"an entry point names {module}, which is not in the wheel"
        for module in sorted(modules)
        if not held & {f"{module}.py", f"{module}/__init__.py"}
    ]


def dist_info(wheel: zipfile.ZipFile) -> str:
    """Name of the wheel's folder of metadata."""
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    return next(top for top in tops if top.endswith(".dist-info"))


def read(wheel: zipfile.ZipFile, name: str) -> str:
    """Text of a file of the wheel's metadata."""
    return wheel.read(f"{dist_info(wheel)}/{name}").decode()


def values(metadata: Message, field: str) -> list[str]:
    """All values of a field, sorted."""
    return sorted(metadata.get_all(field, []))


def as_dict(table: object) -> dict[str, object]:
    """A table of pyproject.toml."""
    assert isinstance(table, dict)
    return table


if __name__ == "__main__":
    main(sys.argv[1])
