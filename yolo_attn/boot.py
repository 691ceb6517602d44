"""The start-up hook: runs in every Python start of the environment, so it uses the standard library's core alone.

`arm()` watches for four imports and hands each finished module to the patch layer. Until Ultralytics is imported,
nothing of yolo_attn beyond this file is loaded.
"""

import os
import sys

WATCHED = (  # what the seams hang on: `yolo_attn.upstream.SEAMS`
    "ultralytics.nn.tasks",
    "ultralytics.data.utils",
    "ultralytics.engine.exporter",
    "ultralytics.engine.trainer",
)


def arm() -> None:
    """Arms the hook for this interpreter, unless `YOLO_ATTN=0` or it is armed already."""
    if os.environ.get("YOLO_ATTN") == "0" or armed():
        return
    sys.meta_path.insert(0, _Watch())
    for name in WATCHED:
        if name in sys.modules:
            _imported(name)


def armed() -> bool:
    """Tells whether the hook waits in this interpreter."""
    return any(isinstance(finder, _Watch) for finder in sys.meta_path)


def disarm() -> None:
    """Takes the hook out of the import system; patches that are installed stay until `upstream.uninstall()`."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Watch)]


class _Watch:
    """A meta path finder that finds nothing itself: it lets the other finders work and wraps the loader they name."""

    def find_spec(self, name, path=None, target=None):
        if name not in WATCHED:
            return None
        for finder in sys.meta_path:
            find_spec = None if isinstance(finder, _Watch) else getattr(finder, "find_spec", None)
            spec = find_spec(name, path, target) if find_spec else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader:
    """Runs the real loader, puts it back where tools look for it, then tells the patch layer."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        _imported(module.__name__, executed=True)


def _imported(name: str, executed: bool = False) -> None:
    """Installs what hangs on the module `name`. Whatever goes wrong, the user's import goes on: one warning says it."""
    try:
        from yolo_attn import upstream

        upstream.on_import(name, executed)
    except Exception as error:
        import warnings

        said = f"yolo_attn is off: {error}"
        try:
            warnings.warn(said, RuntimeWarning, stacklevel=2)
        except RuntimeWarning:  # `python -W error`
            print(f"RuntimeWarning: {said}", file=sys.stderr)
