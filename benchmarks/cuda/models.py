"""Times a real training step of a whole model, as Ultralytics' trainer does it, without and with the kernels."""

import statistics
from collections.abc import Callable

import torch

from benchmarks.cuda.forms import implementation


def model_rows(model: str, device: torch.device, rounds: int = 20) -> list[dict]:
    """Returns the time of a real training step of a model without and with the kernels, taken in turns."""
    twins = {}
    for name in ("eager", "kernels"):
        with implementation(name):
            twins[name] = training_step(model, device, imgsz=640, batch=16)
            for _ in range(5):
                twins[name]()
    seen: dict[str, list[float]] = {name: [] for name in twins}
    for i in range(rounds):
        for name in list(twins)[:: 1 if i % 2 else -1]:
            with implementation(name):
                start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                torch.cuda.synchronize()
                start.record()
                twins[name]()
                end.record()
                torch.cuda.synchronize()
                seen[name].append(start.elapsed_time(end))
    return [
        {"operator": model, "batch": 16, "layout": "last", "pass": "step", "provider": name,
         "wall_ms": round(statistics.median(times), 3)}
        for name, times in seen.items()
    ]  # fmt: skip


def training_step(model: str, device: torch.device, imgsz: int, batch: int) -> Callable[[], float]:
    """Returns a function that trains a model of Ultralytics by one step, as its trainer does, and gives the loss."""
    from ultralytics import YOLO
    from ultralytics.cfg import get_cfg

    torch.manual_seed(0)
    net = YOLO(model).model.to(device, memory_format=torch.channels_last).train()
    net.args = get_cfg()
    for parameter in net.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, nesterov=True)
    on_gpu = device.type == "cuda"
    scaler = torch.amp.GradScaler(device.type, enabled=on_gpu)
    boxes = 8 * batch
    data = {
        "img": torch.rand(batch, 3, imgsz, imgsz, device=device).contiguous(memory_format=torch.channels_last),
        "cls": torch.randint(0, 80, (boxes, 1), device=device).float(),
        "bboxes": torch.rand(boxes, 4, device=device) * 0.3 + 0.3,
        "batch_idx": torch.arange(batch, device=device).repeat_interleave(8).float(),
    }

    def step() -> float:
        with torch.autocast(device.type, enabled=on_gpu):
            loss = net(data)[0].sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step
