"""A fused model in eight threads, and for long; two trainings of one seed; two exports of one file at a time."""

import gc
import subprocess
from concurrent.futures import ThreadPoolExecutor

import onnx
import psutil
import pytest
import torch
from ultralytics import YOLO

from tests.conftest import YOLO as COMMAND
from tests.support.sensitive import sensitive
from tests.support.tiny import TINY, build, detector, image, written
from yolo_attn import registry

LONG, SHORT = 10_000, 600  # inferences, `pytest --all` and otherwise
MEGABYTE = 2**20


def rows() -> dict:
    """The rows of a detector with every operator."""
    names = registry.names()
    return detector(*((k % 3, name) for k, name in enumerate(names)), widths=(32, 32, 32))


@pytest.fixture(scope="module")
def fused():
    return sensitive(build(rows())).eval().fuse(verbose=False)


def test_eight_threads_get_what_one_gets(fused):
    pictures = [
        image(seed) for seed in range(16)
    ]  # of one size: the head keeps the anchors of the last one, in stock too

    def run(x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return fused(x)[0].clone()

    alone = [run(x) for x in pictures]
    with ThreadPoolExecutor(8) as threads:
        for together in (list(threads.map(run, pictures)) for _ in range(3)):
            assert all(map(torch.equal, together, alone))


def test_memory_is_flat(fused, request):
    """What is lost with each picture is lost in every round; what the rest of the process takes meanwhile is not."""
    count = LONG if request.config.getoption("--all") else SHORT
    x, process = image(0, 32), psutil.Process()
    grown = []
    with torch.inference_mode():
        for _ in range(count // 4):
            fused(x)
        for _ in range(3):
            gc.collect()
            before, tensors = process.memory_info().rss, living_tensors()
            for _ in range(count):
                fused(x)
            gc.collect()
            assert living_tensors() == tensors
            grown.append(process.memory_info().rss - before)
    assert min(grown) < 8 * MEGABYTE  # 10,000 times the smallest map here would be 160


def living_tensors() -> int:
    return sum(isinstance(one, torch.Tensor) for one in gc.get_objects())


def test_two_trainings_are_equal_bit_by_bit(datasets, tmp_path):
    file = written(rows(), tmp_path / "all.yaml")
    found = []
    for name in ("first", "second"):
        yolo = YOLO(file)
        yolo.train(**TINY, epochs=1, seed=1, project=str(tmp_path), name=name)
        found.append(yolo.trainer.model.state_dict())
    assert len(found[0]) > 200 and all(torch.equal(tensor, found[1][key]) for key, tensor in found[0].items())


def test_two_exports_of_one_file_at_a_time(tmp_path):
    YOLO(written(detector((1, "CBAM")), tmp_path / "m.yaml")).save(tmp_path / "best.pt")
    command = [COMMAND, "export", "model=best.pt", "format=onnx", "imgsz=64", "device=cpu"]
    running = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=300)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert all("ONNX agrees with PyTorch ✅" in one for one in said)
    onnx.checker.check_model(onnx.load(tmp_path / "best.onnx"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["best.onnx", "best.pt", "m.yaml"]
