"""Compiles the codec with mypyc when `KITWIRE_COMPILE=1` is set; hatchling asks for every wheel.

The sources are the same either way, and stay in the wheel: Python prefers the compiled modules that
lie beside them. Without the variable the wheel is pure.
"""

import os
import shutil
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILED = ("_decoders", "_encoders", "binary", "frames", "reading", "wire", "writing")
"""Modules of `kitwire.codec`: what runs for every byte, and calls itself only."""
TOOLS = ["mypy[mypyc]>=2.4,<3", "betterproto2>=0.10,<0.11"]
"""What compiling needs; betterproto2 for the types of the messages."""


class CompileHook(BuildHookInterface):  # type: ignore[type-arg] # its parameter is of no use here
    """What hatchling calls."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What must be installed to build."""
        return TOOLS if _wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the wheel is put together."""
        if not _wanted():
            return
        if version == "editable":
            self.app.display_warning("KITWIRE_COMPILE is ignored: an editable kitwire is pure")
            return
        # Kept until the wheel is written, and gone with this hook should the compiler fail.
        self._folder = tempfile.TemporaryDirectory(prefix="kitwire-compile-")
        work = Path(self._folder.name)
        shutil.copytree(Path(self.root) / "src" / "kitwire", work / "kitwire")
        with chdir(work):  # where mypy finds the sources
            _compile(work / "built")
        for path in sorted((work / "built").rglob("*")):
            if path.is_file():
                build_data["force_include"][str(path)] = str(path.relative_to(work / "built"))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def _wanted() -> bool:
    value = os.environ.get("KITWIRE_COMPILE", "0")
    if value not in ("0", "1"):
        raise ValueError(f"KITWIRE_COMPILE must be 0 or 1, not {value!r}")
    return value == "1"


def _compile(target: Path) -> None:
    from mypyc.build import mypycify
    from setuptools import Distribution  # type: ignore[import-untyped] # it ships no types
    from setuptools.command.build_ext import build_ext  # type: ignore[import-untyped] # see above

    options = ["--namespace-packages", "--explicit-package-bases", "--ignore-missing-imports"]
    paths = [f"kitwire/codec/{name}.py" for name in COMPILED]
    # Warnings about C that nobody wrote take a third of the compiler's time.
    extensions = mypycify([*options, *paths], opt_level="2", debug_level="0", separate=True)
    for extension in extensions:
        extension.extra_compile_args.append("-w")
    command = build_ext(Distribution({"name": "kitwire", "ext_modules": extensions}))
    command.build_lib = str(target)
    command.build_temp = str(target.parent / "objects")
    command.parallel = os.cpu_count()
    command.ensure_finalized()
    command.run()
