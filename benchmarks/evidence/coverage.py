"""How often the 95 % intervals of `yolo-attn ablate` hold what was planted, on simulated detections.

    python -m benchmarks.evidence.coverage          # half an hour on two cores

Two networks find objects in the same images; between them lies nothing, or a known difference
(tests/support/planted.py). Writes benchmarks/evidence/coverage.csv, a row for each number of images and each
planted difference.
"""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.arguments import parser
from benchmarks.machine import machine, write_rows
from tests.support.planted import pair, truth
from yolo_attn.evidence.bootstrap import drawn, interval

FILE = Path(__file__).with_name("coverage.csv")
IMAGES, EFFECTS = (30, 100, 300), (0.0, 0.25)


def covered(images: int, effect: float, planted: float, draws: int, seed: int) -> tuple[bool, float, float]:
    """Returns whether one pair's interval holds the planted difference, its half width, and the difference measured."""
    one, other = pair(np.random.default_rng([seed, images]), images, effect)
    whole = np.ones((1, images), int)
    difference = float((one.accuracy(whole)[0] - other.accuracy(whole)[0])[0])
    low, high = interval(difference, drawn(one, draws, seed)[0] - drawn(other, draws, seed)[0], images)
    return low <= planted <= high, (high - low) / 2, difference


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--repetitions", type=int, default=1000, help="pairs of networks a row")
    command.add_argument("--draws", type=int, default=200, help="draws of the images a pair")
    options = command.parse_args()

    rows, where = [], machine("numpy", "ultralytics")
    with ProcessPoolExecutor(2) as pool:
        for images in IMAGES:
            for effect in EFFECTS:
                planted, many = truth(effect), options.repetitions
                same = ([value] * many for value in (images, effect, planted, options.draws))
                found = np.array(list(pool.map(covered, *same, range(many), chunksize=20)), float)
                holds, half, measured = (100 * found.mean(0)).tolist()
                rows.append({
                    "images": images, "planted": round(100 * planted, 2), "measured": round(measured, 2),
                    "half_width": round(half, 2), "covered": round(holds, 1),
                    "repetitions": many, "draws": options.draws,
                })  # fmt: skip
                print(rows[-1], flush=True)
                write_rows(FILE, rows, where)


if __name__ == "__main__":
    main()
