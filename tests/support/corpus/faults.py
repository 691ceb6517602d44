"""Files that can be no model, each with one fault: stock Ultralytics answers most of them with a traceback."""

from collections.abc import Callable
from typing import Any

from tests.support.corpus.writing import Case, base, dumped, with_rows
from yolo_attn.surgery import recipe


def faulty(change: Callable[[dict], Any] = lambda model: None, **keys: Any) -> str:
    """Returns YOLOv8 with CBAM and what `change` does to it; `keys` are written, or left out where they are `...`."""
    model = {**with_rows(base("v8/yolov8"), ["CBAM", []]), **keys}
    change(model)
    return dumped({key: value for key, value in model.items() if value is not ...})


def fault_in(row: int, column: int, value: Any) -> str:
    """Returns YOLOv8 with CBAM in rows 5, 8 and 11, and `value` in one place of a row."""
    return faulty(lambda model: recipe.all_rows(model)[row].__setitem__(column, value))


FAULTS = {
    "nc a word": Case(faulty(nc="eighty"), "nc, the number of classes, must be a whole number from 1 on, got 'eighty'"),
    "no nc": Case(faulty(nc=...), "nc, the number of classes, must be a whole number from 1 on, got None"),
    "nc 0": Case(faulty(nc=0), "must be a whole number from 1 on, got 0"),
    "scales of two": Case(faulty(scales={"n": [0.33, 0.25]}), "scale n must be three numbers"),
    "scales a list": Case(faulty(scales=[0.33, 0.25, 1024]), "scales must be letters"),
    "scales of words": Case(faulty(scales={"n": [0.33, "a", 1024]}), "scale n must be three numbers"),
    "another scale": Case(faulty(scales={"s": [0.33, 0.5, 1024]}), "it has no scale 'n'"),
    "a width of 0": Case(faulty(scales=None, width_multiple=0), "width_multiple must be a number above 0"),
    "no head": Case(faulty(head=...), "has no head"),
    "no backbone": Case(faulty(lambda model: model.update(head=model["backbone"], backbone=...)), "has no backbone"),
    "an empty backbone": Case(
        faulty(lambda model: model.update(head=model["backbone"], backbone=[])), "has no backbone"
    ),
    "a row that is none": Case(faulty(lambda model: model["head"].insert(0, "CBAM")), "row 13 CBAM: a row is [from,"),
    "a short row": Case(faulty(lambda model: model["backbone"][3].pop()), "row 3 [-1, 1, Conv]: a row is [from,"),
    "a module that is a number": Case(fault_in(3, 2, 7), "a module is a name, got 7"),
    "a module that is None": Case(fault_in(3, 2, None), "a module is a name, got None"),
    "a module that torch has not": Case(fault_in(3, 2, "nn.Convolution"), "row 3 [-1, 1, nn.Convolution, "),
    "from beyond": Case(fault_in(3, 0, 9), "input 9 is no earlier row"),
    "from beyond, counted back": Case(fault_in(14, 0, [-1, -99]), "input -99 is no earlier row"),
    "from a word": Case(fault_in(3, 0, "last"), "from must be -1, a row's number"),
    "from true": Case(fault_in(5, 0, True), "from must be -1, a row's number"),
    "from two": Case(fault_in(5, 0, [-1, 3]), "CBAM takes one input, not a list"),
    "from none": Case(fault_in(25, 0, []), "from must be -1, a row's number"),
    "repeats a word": Case(fault_in(4, 1, "six"), "repeats must be a whole number"),
    "repeats -1": Case(fault_in(4, 1, -1), "repeats must be a whole number"),
    "repeats 0": Case(fault_in(5, 1, 0), "repeats must be a whole number"),
    "arguments of stock rows": Case(fault_in(3, 3, ["wide"]), "row 3 [-1, 1, Conv, [wide]]: ultralytics "),
    "a stock row without brackets": Case(fault_in(3, 3, 256), "write [256]"),
    "a Concat of one": Case(fault_in(14, 0, -1), "row 14 [-1, 1, Concat, [1]]: "),
    "a Concat of two sizes": Case(fault_in(14, 0, [-1, 3]), "row 14 Concat cannot run on what it reads, [-1, 3]"),
    "an activation that is none": Case(faulty(activation="nn.Swoosh()"), "ultralytics cannot build it"),
}
