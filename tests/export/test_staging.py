"""What an export leaves behind when it is killed, when the disk is full, and when the folder cannot be written."""

import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest
from ultralytics import YOLO
from ultralytics.utils import LOGGER

from tests.conftest import YOLO as COMMAND
from yolo_attn.errors import AttentionError
from yolo_attn.export.staging import beside

# A process that makes its folder, says so, and moves its file out when it is told to.
PROCESS = """
import sys
from pathlib import Path
from yolo_attn.export.staging import beside
with beside(Path(sys.argv[1])) as folder:
    (folder / "made").write_text("made")
    print(folder, flush=True)
    sys.stdin.readline()
    (folder / "made").replace(sys.argv[2])
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("staging") / "best.pt"
    YOLO("yolov5n-se.yaml").save(file)
    return file


@pytest.fixture
def copied(checkpoint, tmp_path) -> Path:
    file = tmp_path / "best.pt"
    file.write_bytes(checkpoint.read_bytes())
    return file


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def start(file: Path, goal: Path) -> tuple[subprocess.Popen, Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, file, goal], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, Path(process.stdout.readline().strip())


def test_a_killed_processs_folder_goes_and_a_living_ones_stays(tmp_path):
    file = tmp_path / "best.pt"
    (killed, dead), (running, alive) = (start(file, tmp_path / name) for name in ("a", "b"))
    killed.kill()
    killed.wait()
    own = tmp_path / ".best.exports"  # the user's, of nearly the same name
    own.mkdir()
    assert dead.is_dir() and alive.is_dir() and dead != alive
    with beside(tmp_path / "other.pt") as folder:
        assert names(tmp_path) == {alive.name, folder.name, own.name}
    running.communicate("go\n", timeout=30)
    assert running.returncode == 0 and (tmp_path / "b").read_text() == "made"
    assert names(tmp_path) == {"b", own.name}


def test_after_kill_9_the_next_export_clears_up(copied, yolo):
    command = subprocess.Popen(
        [COMMAND, "export", "model=best.pt", "format=onnx", "imgsz=320"], cwd=copied.parent, stdout=subprocess.DEVNULL
    )
    while len(names(copied.parent)) == 1 and command.poll() is None:
        time.sleep(0.01)
    command.kill()
    command.wait()
    assert len(names(copied.parent)) == 2
    out = yolo("export", "model=best.pt", "format=onnx", "imgsz=64", cwd=copied.parent)
    assert names(copied.parent) == {"best.pt", "best.onnx"}
    assert "saved as 'best.onnx'" in out and "exporting-" not in out
    onnx.checker.check_model(copied.with_suffix(".onnx"))


def limited(*args: str, cwd: Path) -> str:
    """Runs the stock command where no file can be larger than a megabyte, and returns what it said."""
    done = subprocess.run(
        [COMMAND, *args], cwd=cwd, capture_output=True, text=True, timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)),
    )  # fmt: skip
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_a_file_that_cannot_be_written_in_full_is_one_line_and_leaves_nothing(copied):
    copied.with_suffix(".onnx").write_text("the user's earlier export")
    out = limited("export", "model=best.pt", "format=onnx", "imgsz=64", cwd=copied.parent)
    assert "Traceback" not in out and "exporting-" not in out
    assert re.search(rf"ERROR ❌️ cannot write to {copied.parent}: File too large; make room", out.splitlines()[-1])
    assert names(copied.parent) == {"best.pt", "best.onnx"}
    assert copied.with_suffix(".onnx").read_text() == "the user's earlier export"


@pytest.fixture
def disk(tmp_path):
    """Mounts a small disk, which only root may; returns its folder and a function that makes it read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=7m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder, lambda: subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    subprocess.run(["umount", folder], check=True)


def test_a_full_and_a_read_only_disk(checkpoint, disk):
    folder, make_read_only = disk
    file = folder / "best.pt"
    file.write_bytes(checkpoint.read_bytes())
    with pytest.raises(AttentionError, match=f"cannot write to {folder}: No space left on device; make room") as full:
        YOLO(file).export(format="onnx", imgsz=64)
    assert "\n" not in str(full.value) and names(folder) == {"best.pt"}
    make_read_only()
    with pytest.raises(AttentionError, match=f"cannot write to {folder}: Read-only file system; name another"):
        YOLO(file).export(format="onnx", imgsz=64)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to every folder")
def test_a_folder_without_the_right_to_write(copied):
    copied.parent.chmod(0o555)
    with pytest.raises(AttentionError, match="cannot write to .*: Permission denied; name another folder"):
        YOLO(copied).export(format="onnx", imgsz=64)
    copied.parent.chmod(0o755)


COMMANDS = """
import resource
from yolo_attn.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))
for command in ("add yolov8n.yaml cbam -o m.yaml", "remove yolov8n-cbam.yaml -o m.yaml",
                "fix yolov8n-cbam.yaml -o m.yaml", "show yolov8n-cbam.yaml -o m.svg"):
    print(main([*command.split(), "exist_ok=True"]))
"""


def test_every_command_that_writes_leaves_what_was_there(tmp_path):
    before = {name: f"the user's {name}" for name in ("m.yaml", "m.svg")}
    for name, text in before.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run([sys.executable, "-c", COMMANDS], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert [line for line in done.stdout.splitlines() if len(line) == 1] == ["1"] * 4, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert len(said) == 4 and all(f"cannot write to {tmp_path}: File too large; make room" in line for line in said)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == before


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), beside(tmp_path / "best.pt") as folder:
        (tmp_path / "nowhere" / "data.yaml").read_text()
    assert not folder.exists()


def test_no_line_names_the_folder(copied, monkeypatch, log):
    monkeypatch.chdir(copied.parent)
    with beside(Path("best.pt")) as folder:
        LOGGER.info(f"saved as '{folder / 'best.onnx'}'")
        LOGGER.warning(f"cannot read {folder.resolve() / 'best.onnx'}")
        LOGGER.info("nothing special")
    assert [message.rpartition("️ ")[2] for message in log.messages] == ["cannot read ./best.onnx", "nothing special"]
    YOLO("best.pt").export(format="onnx", imgsz=64)
    assert "saved as 'best.onnx'" in log.text and "exporting-" not in log.text
