"""How often the search of `yolo-attn place` finds the place that counts, where it is known.

    python -m benchmarks.evidence.place          # ten minutes on one core

A small network lacks at one place what a gate there gives back, and has attention at all of its places, of which the
rest is no use (tests/support/planted_place.py). Nothing is trained; every network is exported and timed. Writes
benchmarks/evidence/place.csv, a row for each seed: what was planted, what is left, how many useless places went, what
the planted place is worth at the end, and what the least useful one that went seemed to be worth.
"""

import tempfile
import time
from pathlib import Path

from ultralytics import YOLO

from benchmarks.arguments import parser
from benchmarks.machine import machine, write_rows
from tests.support.planted_place import ARGUMENTS, OPERATOR, SIZE, make
from yolo_attn.evidence import layers
from yolo_attn.placement import clock, search

FILE = Path(__file__).with_name("place.csv")


def searched(seed: int, images: int, share: float) -> dict:
    """Returns the row of a seed.

    Args:
        seed: Of what is planted, and where.
        images: The images that are searched on.
        share: The budget, as a share of the base's time.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make(folder, seed, images)
        tells = clock.Here(YOLO(made.base), made.places, SIZE, folder / "base.json")
        began = time.perf_counter()
        arguments = {"data": str(made.data), **ARGUMENTS}
        trained = layers.load(made.trained)
        budget = share * tells.base
        steps = search.Search(
            OPERATOR, trained, made.places, tells, budget, folder / "steps.json", arguments
        ).run()  # fmt: skip
        seconds = time.perf_counter() - began
    left, gone = list(steps[-1].worth), [step.removed for step in steps if step.removed]
    lost, low, high = steps[-1].worth.get(made.word, (0.0, 0.0, 0.0))
    return {
        "seed": seed, "planted": made.word, "left": " ".join(left), "found": made.word in left,
        "useless": len(made.places.places) - 1, "dropped": sum(word != made.word for word in gone),
        "worth": round(lost, 1), "low": round(low, 1), "high": round(high, 1),
        "useless_at_most": round(max(s.worth[s.removed][0] for s in steps if s.removed and s.removed != made.word), 2),
        "ms": round(steps[-1].total, 3), "budget_ms": round(budget, 3), "images": images, "seconds": round(seconds, 1),
    }  # fmt: skip


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--seeds", type=int, default=10)
    command.add_argument("--images", type=int, default=32)
    command.add_argument("--budget", type=float, default=0.2, help="of the base's time")
    options = command.parse_args()

    rows, where = [], machine("ultralytics", "torch")
    for seed in range(options.seeds):
        rows.append(searched(seed, options.images, options.budget))
        print(rows[-1], flush=True)
        write_rows(FILE, rows, where)
    print(f"found: {sum(row['found'] for row in rows)} of {len(rows)}; useless places dropped: "
          f"{sum(row['dropped'] for row in rows)} of {sum(row['useless'] for row in rows)}")  # fmt: skip


if __name__ == "__main__":
    main()
