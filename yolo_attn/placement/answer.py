"""The answer as model files, and what it is compared with: random places of the same time, the usual ones, the base."""

import random
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from yolo_attn import insertion
from yolo_attn.errors import AttentionError
from yolo_attn.evidence import checkpoint
from yolo_attn.evidence.cells import LETTERS
from yolo_attn.placement.everywhere import Everywhere
from yolo_attn.surgery import names, recipe
from yolo_attn.surgery.names import DEFAULT_PLACE
from yolo_attn.surgery.places import find_steps
from yolo_attn.upstream import compose, layout

PLACED, RANDOM, USUAL = "placed", "random", "usual"
DRAWS, SLACK = 100, 0.05  # random orders that are tried, and how far their time may be from the answer's
SEED = 0


def usual(places: Everywhere) -> list[str]:
    """Returns the usual places: behind the backbone's stages from P3 on."""
    steps = find_steps(places.base, DEFAULT_PLACE, layout.layers(places.base))
    return [word for word, step in places.places.items() if step in steps]


def at_random(times: Mapping[str, float], chosen: Collection[str], seed: int = SEED) -> list[str]:
    """Returns random places that take about as long as those that were chosen, and are others; nothing if none are.

    Places are taken in a random order as long as they fit. The first such draw that comes within SLACK of the time is
    it; where none does, the nearest.

    Args:
        times: The milliseconds of each place.
        chosen: The places that were chosen.
        seed: Of the draws.
    """
    goal, draw = sum(times[word] for word in chosen), random.Random(seed)
    found: list[tuple[float, list[str]]] = []
    for _ in range(DRAWS):
        taken: list[str] = []
        total = 0.0
        for word in draw.sample(sorted(times), len(times)):
            if total + times[word] <= (1 + SLACK) * goal:
                taken.append(word)
                total += times[word]
        if taken and set(taken) != set(chosen):
            found.append((abs(total - goal), taken))
        if found and found[-1][0] <= SLACK * goal:
            break
    if not found:  # the answer is the fastest place of all
        found = [(abs(time - goal), [word]) for word, time in times.items() if [word] != list(chosen)]
    nearest = min(found, key=lambda one: one[0], default=(0.0, []))[1]
    return [word for word in times if word in nearest]


def name(stem: str, places: Everywhere, operator: str, chosen: Iterable[str]) -> str:
    """Returns the model's name that needs no file, `yolo11n-eca-after-4.yaml`; nothing where no name means this."""
    wanted = places.model(operator, list(chosen))
    try:
        found = names.read(names.write(stem, operator, list(chosen)), compose.is_base)
        made = compose.compose(found) if found else {}
    except AttentionError:  # the base is a file of the user's, or an option cannot stand in a name
        return ""
    same = made and recipe.all_rows(made) == recipe.all_rows(wanted) and made.get("scale") == wanted.get("scale")
    return f"{found.stem}.yaml" if found and same else ""


def write(model: dict, file: Path, source: str) -> Path:
    """Writes a model dict as the file `file` and returns it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    insertion.save(checkpoint.clean(model), str(file), source, exist_ok=True)
    return file


def write_bases(base: dict, stem: str, folder: Path, source: str) -> Path:
    """Writes the base's YAML, and that of its next scale beside it, where it has one; returns the base's."""
    scales, found = base.get("scales") or {}, re.match(rf"(yolo[a-z]*-?v?\d+|rtdetr-)([{LETTERS}])(?![a-z])", stem)
    if found and base.get("scale") == found[2]:
        larger = [letter for letter in LETTERS[LETTERS.index(found[2]) + 1 :] if letter in scales]
        if larger:
            next_stem = f"{found[1]}{larger[0]}{stem[found.end() :]}"
            write({**base, "scale": larger[0]}, folder / f"{next_stem}.yaml", f"{source}, one scale larger")
    return write(base, folder / f"{stem}.yaml", source)
