"""Seam: the built-in sets. A damaged one is made again, and the classification one, which has no YAML, is made at all."""

import functools
from pathlib import Path

from ultralytics.data import utils

from yolo_attn.data.shapes import SETS, generate, is_complete
from yolo_attn.errors import AttentionError
from yolo_attn.upstream.rebind import rebind

_check_det_dataset, _check_cls_dataset = utils.check_det_dataset, utils.check_cls_dataset


@functools.wraps(_check_det_dataset)
def check_det_dataset(dataset, *args, **kwargs):
    name = Path(str(dataset)).stem
    if name in SETS and (root := _root(name)).exists() and not is_complete(root, SETS[name]):
        generate(root, SETS[name])  # a missing set is made by the `download:` field of its YAML
    return _check_det_dataset(dataset, *args, **kwargs)


@functools.wraps(_check_cls_dataset)
def check_cls_dataset(dataset, *args, **kwargs):
    name = Path(str(dataset)).stem
    if SETS.get(name) == "classify" and not Path(str(dataset)).is_dir():
        dataset = generate(_root(name), "classify")
    return _check_cls_dataset(dataset, *args, **kwargs)


def install() -> None:
    """Lets Ultralytics' dataset checks see to the built-in sets."""
    rebind(_check_det_dataset, check_det_dataset)
    rebind(_check_cls_dataset, check_cls_dataset)


def uninstall() -> None:
    """Puts both checks back."""
    rebind(check_det_dataset, _check_det_dataset)
    rebind(check_cls_dataset, _check_cls_dataset)


def canary() -> None:
    """Compares what Ultralytics' modules hold with what was put there.

    Raises:
        AttentionError: A check of Ultralytics is not reached.
    """
    if utils.check_det_dataset is not check_det_dataset or not isinstance(utils.DATASETS_DIR, Path):
        raise AttentionError("the dataset checks of this ultralytics cannot be reached")


def _root(name: str) -> Path:
    return utils.DATASETS_DIR / name
