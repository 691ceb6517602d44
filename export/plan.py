"""What a TensorRT-RTX plan says of itself: its kernels, and the ONNX nodes that each computes.

An engine can be asked for its kernels on a GPU alone. But the plan holds the compiled program as text, one line for a
launch. That is documented nowhere and read here as TensorRT-RTX 1.7 writes it; of another release nothing is said.
"""

import re
from typing import NamedTuple

RELEASE = "1.7."
PROGRAM = re.compile(rb"header \{\n(.*?)\n\}.*?\nmain \{\n(.*?)\n\}", re.DOTALL)
FUSION = b"accelerators={*}"  # in the header of what is the body of one kernel, and no program of its own
START = re.compile(r"^  (?=\w+=\{ name=)", re.MULTILINE)
NAMED = re.compile(r'(\w+)=\{ name="?([^\s"]+)')
NODE = re.compile(r"\[ONNX Layer: ([^\]]+)\]")


class Kernel(NamedTuple):
    """One launch: what TensorRT calls it, and the names of the ONNX nodes in it (none where it only moves data)."""

    name: str
    nodes: tuple[str, ...]


def kernels(plan: bytes) -> list[Kernel]:
    """Returns the kernels of a plan in their order; none where it is not written as release 1.7 writes it.

    Several targets share one program. Instructions of the host, such as sizes computed for a dynamic engine and waits
    of one stream for another, are no kernels.
    """
    programs = [body.decode("latin1") for head, body in PROGRAM.findall(plan) if FUSION not in head]
    found = []
    for instruction in [part for program in programs for part in START.split(program)]:
        named = NAMED.match(instruction)
        if named and (named[1] in ("function", "runtime_function", "runtime_fusion") or " kernel=" in instruction):
            found.append(Kernel(named[2].removeprefix("__myl_"), tuple(NODE.findall(instruction))))
    return found
