"""Checks what is in the wheel, and what is not: `check_wheel.py WHEEL`.

A wheel that was built without the compiled core is right, and is said to be so; unless
NEUROACT_BUILD_NATIVE=1 asks for the core, as it does for those that are given to others.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NATIVE = "neuroact/native"
PACKAGES = {"neuroact": ROOT / "neuroact", "neuroact_adapters": ROOT / "adapters/neuroact_adapters"}


def main(path: str) -> None:
    """Exits with what is wrong, or says that nothing is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wheel = zipfile.ZipFile(path)
    wrong = [
        *wrong_files(wheel),
        *wrong_core(wheel, Path(path).name),
        *wrong_metadata(wheel, project),
        *wrong_entries(wheel, project),
    ]
    if wrong:
        sys.exit("\n".join(f"{path}: {line}" for line in wrong))
    print(f"{Path(path).name}: {len(wheel.namelist())} files, as they should be")
    if f"{NATIVE}/_missing.txt" in wheel.namelist():
        print(f"The compiled core is missing: {wheel.read(f'{NATIVE}/_missing.txt').decode()}")


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
    # What is compiled here, and what of, is another question; see `wrong_core`.
    compiled = (".cpp", ".h", ".so", ".pyd", ".txt")
    expected = {name for name in expected if not is_native(name, *compiled)}
    found = {name for name in found if not is_native(name, *compiled)}
    expected |= {f"{package}/py.typed" for package in PACKAGES}
    licence = f"{info}/licenses/LICENSE"
    return [
        *(f"lacks {name}" for name in sorted(expected - found)),
        *(f"holds {name}, which is not the packages'" for name in sorted(found - expected)),
        *([] if licence in wheel.namelist() else [f"lacks {licence}"]),
    ]


def wrong_core(wheel: zipfile.ZipFile, name: str) -> list[str]:
    """What is wrong with the compiled core, or with what the wheel's name says of it."""
    compiled = [each for each in wheel.namelist() if is_native(each, ".cpp", ".h", ".so", ".pyd")]
    if not compiled and f"{NATIVE}/_missing.txt" in wheel.namelist():
        wrong = [] if name.endswith("-py3-none-any.whl") else ["its name is not of Python alone"]
        demanded = os.environ.get("NEUROACT_BUILD_NATIVE") == "1"
        return [*wrong, *(["lacks the compiled core"] if demanded else [])]
    library, tag = rf"{NATIVE}/_core(\.[\w-]+)?\.(so|pyd)", r"-cp312-abi3-|-cp(3\d+)-cp\1t?-"
    right = len(compiled) == 1 and re.fullmatch(library, compiled[0]) and re.search(tag, name)
    return [] if right else [f"expected one compiled core, named for one Python, found {compiled}"]


def is_native(name: str, *suffixes: str) -> bool:
    """Whether a file lies beside the core and ends so."""
    return name.startswith(f"{NATIVE}/") and name.endswith(suffixes)


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
