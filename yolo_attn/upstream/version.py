"""The supported range of Ultralytics: it stands once, in requirements.txt, and comes here as installed metadata."""

from importlib.metadata import requires
from importlib.metadata import version as installed_version

from packaging.requirements import Requirement

from yolo_attn.errors import AttentionError


def supported() -> str:
    """Returns the supported range of Ultralytics, for instance `<8.5,>=8.4.160`."""
    requirements = [Requirement(line) for line in requires("yolo_attn") or []]
    return str(next(r.specifier for r in requirements if r.name == "ultralytics"))


def check() -> None:
    """Compares the installed Ultralytics to the supported range.

    Raises:
        AttentionError: It is outside.
    """
    import ultralytics

    if not Requirement(f"ultralytics{supported()}").specifier.contains(ultralytics.__version__, prereleases=True):
        raise refusal("is not supported")


def refusal(why: str) -> AttentionError:
    """Returns the error that says why the installed Ultralytics cannot be used, and what to do about it."""
    import ultralytics

    ours = f"yolo_attn {installed_version('yolo_attn')}"
    return AttentionError(
        f"ultralytics {ultralytics.__version__} {why}; install one that {ours} supports: "
        f"pip install 'ultralytics{supported()}'"
    )
