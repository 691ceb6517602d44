"""Distributed training on the CPU: the file that Ultralytics generates for it, run by two processes over gloo."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import distributed, nn
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import RANK
from ultralytics.utils.dist import find_free_network_port, generate_ddp_file

PROCESSES = 2


class CpuTrainer(DetectionTrainer):
    """Ultralytics' trainer with the three lines that ask for GPUs changed: the group is gloo's, the device the CPU."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.world_size = PROCESSES if RANK != -1 else 1

    def _setup_ddp(self):
        self.device = torch.device("cpu")
        distributed.init_process_group("gloo", rank=RANK, world_size=PROCESSES)

    def _setup_train(self, *args):
        parallel = nn.parallel.DistributedDataParallel
        nn.parallel.DistributedDataParallel = lambda model, device_ids, **options: parallel(model, **options)
        try:
            return super()._setup_train(*args)
        finally:
            nn.parallel.DistributedDataParallel = parallel

    def final_eval(self):
        """Writes what this process has, in place of the validation."""
        model = self.model.module
        tensors = {name: tensor.detach().double().numpy().tobytes() for name, tensor in model.named_parameters()}
        said = {
            "parameters": {name: hashlib.sha256(data).hexdigest() for name, data in tensors.items()},
            "frozen": [name for name, parameter in model.named_parameters() if not parameter.requires_grad],
            "loss": list(self.loss_names),
            "classes": sorted({type(m).__name__ for m in model.modules()}),
        }
        Path(os.environ["DDP_REPORTS"], f"{RANK}.json").write_text(json.dumps(said))
        distributed.barrier()


def train(folder: Path, **arguments) -> list[dict]:
    """Trains in two processes, in `folder`, and returns what each of them had in the end.

    The parent makes the trainer and lets Ultralytics write the file, as `device=0,1` does.
    """
    overrides = {"workers": 0, "device": "cpu", "plots": False, "val": False, "amp": False, "project": str(folder)}
    trainer = CpuTrainer(overrides={**overrides, **arguments})
    file = generate_ddp_file(trainer)
    port = str(find_free_network_port())
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(PROCESSES), "--master_port", port]
    environment = {**os.environ, "DDP_REPORTS": str(folder)}
    with (folder / "log.txt").open("w") as log:
        done = subprocess.run([*launch, file], cwd=folder, env=environment, stdout=log, stderr=log, timeout=200)
    assert done.returncode == 0, (folder / "log.txt").read_text()[-4000:]
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(PROCESSES)]
