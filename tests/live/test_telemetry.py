"""A run on a file reports to nobody: ONNX Runtime's own telemetry is off, unless the user wants it."""

import os
import subprocess
import sys

import pytest

from tests.support.live_models import PICTURES


def left_behind(home, live_model, **wanted) -> list[str]:
    """Runs a picture with an empty home folder; returns what ONNX Runtime wrote there, a device's number and more."""
    home.mkdir()
    kept = {
        k: v for k, v in os.environ.items() if k not in ("CI", "ORT_DISABLE_TELEMETRY") and not k.startswith("GITHUB")
    }
    code = f"import yolo_attn\nprint(sum(1 for _ in yolo_attn.live({str(live_model)!r}, source={str(PICTURES[0])!r})))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**kept, "HOME": str(home), **wanted}, capture_output=True, text=True,
        timeout=120, cwd=home,
    )  # fmt: skip
    assert done.stdout.strip() == "1", done.stderr
    return [str(path) for path in home.rglob("*") if "onnxruntime" in str(path)]


def test_nothing_is_reported_unless_the_user_says_so(live_model, tmp_path):
    assert left_behind(tmp_path / "home", live_model) == []
    if not left_behind(tmp_path / "other", live_model, ORT_DISABLE_TELEMETRY="0"):
        pytest.skip("this build of ONNX Runtime reports nothing by itself")
