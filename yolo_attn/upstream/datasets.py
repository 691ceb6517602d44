"""Seam: the built-in sets. A damaged one is made again; the one for classification, which has no YAML, is made here."""

import functools
from pathlib import Path

from ultralytics.data import utils

from yolo_attn.data.shapes import MANIFEST, SETS, generate, is_complete
from yolo_attn.errors import AttentionError
from yolo_attn.upstream.lookup import is_packaged_data
from yolo_attn.upstream.rebind import rebind

_check_det_dataset, _check_cls_dataset = utils.check_det_dataset, utils.check_cls_dataset


@functools.wraps(_check_det_dataset)
def check_det_dataset(dataset, *args, **kwargs):
    name = Path(str(dataset)).stem
    # A missing set is made by the `download:` field of its YAML; a damaged one is what Ultralytics does not notice.
    if name in SETS and is_packaged_data(dataset) and _root(name).exists() and not is_complete(_root(name), SETS[name]):
        generate(_root(name), SETS[name])
    return _check_det_dataset(dataset, *args, **kwargs)


@functools.wraps(_check_cls_dataset)
def check_cls_dataset(dataset, *args, **kwargs):
    name = Path(str(dataset)).stem
    if SETS.get(name) == "classify" and not Path(str(dataset)).is_dir():
        root = _root(name)
        if not root.is_dir() or (root / MANIFEST).is_file():  # somebody's own folder of that name is theirs
            dataset = generate(root, "classify")
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
