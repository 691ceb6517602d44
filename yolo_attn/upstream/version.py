"""The supported range of Ultralytics: it stands once, in requirements.txt, and comes here as installed metadata."""

from importlib.metadata import requires
from importlib.metadata import version as installed_version

from packaging.requirements import Requirement

from yolo_attn.errors import AttentionError


def supported() -> str:
    """Returns the supported range of Ultralytics, for instance `>=8.4.160,<8.5`."""
    requirements = [Requirement(line) for line in requires("yolo_attn") or []]
    return str(next(r.specifier for r in requirements if r.name == "ultralytics"))


def check() -> None:
    """Compares the installed Ultralytics to the supported range.

    Raises:
        AttentionError: It is outside.
    """
    import ultralytics

    if not Requirement(f"ultralytics{supported()}").specifier.contains(ultralytics.__version__, prereleases=True):
        raise AttentionError(f"ultralytics {ultralytics.__version__} is not supported; {mend()}")


def mend() -> str:
    """Returns what to do about an unsupported Ultralytics."""
    return f"yolo_attn {installed_version('yolo_attn')} works with it: pip install 'ultralytics{supported()}'"
