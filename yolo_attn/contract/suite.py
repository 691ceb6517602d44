"""Every check in the order in which it is told of, and the lines of a run."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from yolo_attn.contract import (
    copies,
    cost,
    deploy,
    devices,
    evaluation,
    gradients,
    inplace,
    layout,
    onnx,
    parameters,
    precision,
    shapes,
    start,
    tracing,
)
from yolo_attn.contract.broken import Broken, Skipped, shortened
from yolo_attn.contract.case import Case

Checks = dict[str, Callable[[Case], None]]
FOUNDATIONS: Checks = {  # where one of these fails, the others would only tell of it once more
    "constructor": shapes.check_builds,
    "description": deploy.check_description,
    "map": shapes.check_map,
    "odd map": shapes.check_odd_map,
    "input": inplace.check_input,
    "repeatable": evaluation.check_repeats,
}
CHECKS: Checks = {
    **FOUNDATIONS,
    "strips": shapes.check_strips,
    "one pixel": shapes.check_one_pixel,
    "batch of one": shapes.check_batch_of_one,
    "channels": shapes.check_channels,
    "channels' type": shapes.check_channels_are_a_number,
    "channels last": layout.check_channels_last,
    "per image": evaluation.check_per_image,
    "precision": precision.check_dtypes,
    "mixed precision": precision.check_autocast,
    "large numbers": precision.check_large_numbers,
    "gradients arrive": gradients.check_gradients_arrive,
    "gradients": gradients.check_gradients,
    "training": start.check_training,
    "devices": devices.check_moves,
    "gate": deploy.check_gate,
    "deploy form": deploy.check_deploy_equals,
    "deploy folds": deploy.check_deploy_is_folded,
    "deploy copies": deploy.check_deploy_leaves_the_operator,
    "in place": inplace.check_inplace,
    "own output": inplace.check_output_is_its_own,
    "copies": copies.check_copies,
    "pickle": copies.check_pickle,
    "state dict": copies.check_state_dict,
    "identity": start.check_identity,
    "identity trains": start.check_training_from_identity,
    "identity to paper": start.check_share_of_one,
    "identity deploys": start.check_identity_deploys,
    "torch.export": tracing.check_export,
    "ONNX": onnx.check_onnx,
    "ONNX dynamic": onnx.check_onnx_dynamic,
    "ONNX, identity": onnx.check_onnx_from_identity,
}
# What makes training slower or less repeatable, and stops nothing: said, and no failure of the command.
ADVICE: Checks = {
    "compile=True": tracing.check_compile,
    "deterministic": devices.check_deterministic_on_cuda,
    "optimizer": parameters.check_optimizer,
}
KEPT, BROKEN, NOTE, SKIPPED = "✅", "❌", "⚠️", "–"


class Line(NamedTuple):
    """One line: what was looked at, how it came out, and what was seen."""

    name: str
    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.name:<20}{self.mark} {self.text}"


def tell(case: Case) -> int:
    """Prints the lines of an operator's run, and returns how many of its checks failed."""
    print(f"{case.info.name} on maps of {case.channels} channels{_options(case)}", flush=True)
    broken = 0
    for line in run(case):
        print(line, flush=True)
        broken += line.mark == BROKEN
    failed = f"{broken} of {len(CHECKS)} checks failed {BROKEN} Each line above says what to do."
    print(f"\n{failed if broken else f'All checks passed {KEPT}'}\n", flush=True)
    return broken


def run(case: Case) -> Iterator[Line]:
    """Yields a line for every check of an operator, and one for its cost."""
    first = ""
    for name, check in {**CHECKS, **ADVICE}.items():
        if first:
            yield Line(name, SKIPPED, f"not looked at before '{first}' is mended")
            continue
        with _quiet():
            line = _line(name, check, case, NOTE if name in ADVICE else BROKEN)
        yield line
        if line.mark == BROKEN and name in FOUNDATIONS:
            first = name
    if not first:
        with _quiet():
            line = _cost(case)
        yield line


def _line(name: str, check: Callable[[Case], None], case: Case, mark: str) -> Line:
    try:
        check(case)
    except Broken as broken:
        return Line(name, mark, str(broken))
    except Skipped as why:
        return Line(name, SKIPPED, f"not looked at: {why}")
    except Exception as error:  # an operator of anybody's may raise anything, anywhere
        return Line(name, mark, f"fails with {shortened(error)}: mend what is broken above first")
    return Line(name, KEPT, title(check))


def title(check: Callable[[Case], None]) -> str:
    """Returns what a check looks at: the first line of its docstring."""
    return (check.__doc__ or "").partition("\n")[0].rstrip(".")


def _cost(case: Case) -> Line:
    try:
        return Line("cost", KEPT, cost.cost(case))
    except Exception as error:
        return Line("cost", SKIPPED, f"not measured: {shortened(error)}")


def _options(case: Case) -> str:
    return "".join(f", {option}={value}" for option, value in case.options.items())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leaves out what torch, its exporters and ONNX Runtime tell of their own work, and the random state as it is."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), _unprinted():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _unprinted() -> Iterator[None]:
    """Prints nothing, of what is written in C++ neither."""
    streams = (sys.stdout, sys.stderr)
    kept = {number: os.dup(number) for number in (1, 2)}
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        for stream in streams:
            stream.flush()
        for number in kept:
            os.dup2(nowhere.fileno(), number)
        try:
            yield
        finally:
            for number, own in kept.items():
                os.dup2(own, number)
                os.close(own)
