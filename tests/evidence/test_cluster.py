"""The runs of a comparison on a Ray cluster of two nodes, one of whose workers is killed in the middle of a run."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.evidence.test_compare import EPOCHS, alive, gone
from yolo_attn.errors import AttentionError
from yolo_attn.evidence.cells import ATTENTION, BASE, Cell
from yolo_attn.evidence.comparison import Comparison
from yolo_attn.evidence.ledger import State

ray = pytest.importorskip("ray", reason="pip install 'yolo_attn[ray]'")

from yolo_attn.evidence import cluster  # noqa: E402


@pytest.fixture
def nodes():
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    made.add_node(num_cpus=1)
    yield made
    made.shutdown()


def comparison(folder: Path, data: str) -> Comparison:
    cells = (Cell("yolov5n", "yolov5n.yaml", BASE), Cell("yolov5n-eca-P5", "yolov5n-eca-P5.yaml", ATTENTION))
    arguments = {"imgsz": 32, "batch": 4, "workers": 0, "pretrained": False}
    return Comparison(folder, cells, seeds=1, epochs=EPOCHS, margin=0.5, data=data, arguments=arguments)


def test_a_worker_that_dies_is_replaced_and_nothing_is_lost(tmp_path, few_pictures, nodes):
    made = comparison(tmp_path / "c", few_pictures)
    died: list[bool] = []

    def kill_one() -> None:
        while not (running := alive("yolo_attn.evidence.training")):
            time.sleep(0.1)
        time.sleep(2)
        worker = int(Path(f"/proc/{running[0]}/stat").read_text().rsplit(")")[-1].split()[1])
        os.kill(worker, signal.SIGKILL)
        died.append(gone(running[0]))

    killer = threading.Thread(target=kill_one)
    killer.start()
    cluster.run_all(made, nodes.address, gpus=1)
    killer.join()
    assert died == [True]  # with its worker
    assert [run.state(EPOCHS) for run in made.runs()] == [State.DONE, State.DONE]
    assert all(len(run.rows()) == EPOCHS and run.last.is_file() for run in made.runs())
    kept = {run: run.last.stat().st_mtime_ns for run in made.runs()}
    cluster.run_all(made, nodes.address, gpus=1)
    assert {run: run.last.stat().st_mtime_ns for run in made.runs()} == kept


def test_no_cluster_is_said(tmp_path, few_pictures):
    with pytest.raises(AttentionError, match="nothing answers at ray=127.0.0.1:1"):
        cluster.run_all(comparison(tmp_path, few_pictures), "127.0.0.1:1", gpus=1)
