"""The `yolo-attn live` command, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from yolo_attn import cli


def start(folder: Path, *arguments, **options) -> subprocess.Popen:
    """Starts `yolo-attn live` in `folder`."""
    command = [sys.executable, "-m", "yolo_attn.cli", "live", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
