"""Puts the start-up files at the root of the wheel, for `pip install .` and `pip install -e .` alike.

Everything else stands in pyproject.toml. A file at the wheel's root lands in site-packages and in RECORD, so that
uninstalling removes it.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

STARTUP_FILES = ("yolo_attn.pth", "yolo_attn.start")


def copy_startup_files(folder: str) -> None:
    """Copies the start-up files into `folder`, the root of what becomes the wheel."""
    for name in STARTUP_FILES:
        (Path(folder) / name).write_bytes(Path(name).read_bytes())


class BuildWithStartup(build_py):
    """The ordinary build, plus the start-up files beside the package."""

    def run(self):
        super().run()
        if not self.editable_mode:
            copy_startup_files(self.build_lib)

    def get_outputs(self, include_bytecode=True):
        outputs = super().get_outputs(include_bytecode)
        if not self.editable_mode:
            outputs += [str(Path(self.build_lib) / name) for name in STARTUP_FILES]
        return outputs


class EditableWithStartup(editable_wheel):
    """The ordinary editable wheel; the step that writes namespace files is where its root folder can be reached."""

    def _install_namespaces(self, installation_dir, pth_prefix):
        super()._install_namespaces(installation_dir, pth_prefix)
        copy_startup_files(installation_dir)


setup(cmdclass={"build_py": BuildWithStartup, "editable_wheel": EditableWithStartup})
