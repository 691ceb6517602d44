"""What is printed and drawn of the rows that were timed."""

import statistics
from pathlib import Path

from benchmarks.cuda.forms import OPERATORS, WITH_KERNELS

COLUMNS = f"{'device':>10}{'wall':>10}{'MiB':>9}{'launches':>9}{'share':>8}"
HEAD = f"{'':<26}{'N':>4} {'layout':<6}{'pass':<9}{'provider':<17}{COLUMNS}"


def line(row: dict) -> str:
    """Returns a row as it is printed."""
    where = f"{row['operator']} {row['channels']}@{row['map']}" if "map" in row else row["operator"]
    text = f"{where:<26}{row['batch']:>4} {row['layout']:<6}{row['pass']:<9}{row['provider']:<17}"
    if "device_ms" not in row:
        return f"{text}{'':>10}{row['wall_ms']:>10.3f}"
    text += f"{row['device_ms']:>10.4f}{row['wall_ms']:>10.4f}{row['peak_mib']:>9.1f}{row['launches']:>9}"
    return f"{text}{row['share']:>8.0%}"


def summary(rows: list[dict]) -> list[str]:
    """Returns geometric means over the maps: how much faster the best of ours trains than the others, and its share."""
    head = f"{'over pasted':>12}{'over eager':>12}{'max-autotune':>13}{'share':>7}"
    lines = [f"{'training, N = 32':<28}{'layout':<7}{head}"]
    for name in OPERATORS:
        for layout in ("first", "last"):
            found: dict[str, dict] = {}
            for row in rows:
                key = row["operator"], row["layout"], row["batch"], row["pass"]
                if key == (name, layout, 32, "training"):
                    found.setdefault(row["provider"], {})[row["map"]] = row
            best = "kernels" if name in WITH_KERNELS else "compiled"
            if best not in found:
                continue
            ours = found[best]
            ratios = [
                statistics.geometric_mean(found[other][m]["device_ms"] / ours[m]["device_ms"] for m in ours)
                for other in ("pasted", "eager", "max-autotune")
            ]
            share = statistics.geometric_mean(row["share"] for row in ours.values())
            text = f"{ratios[0]:>11.2f}×{ratios[1]:>11.2f}×{ratios[2]:>12.2f}×{share:>7.0%}"
            lines.append(f"{f'{name}, {best}':<28}{layout:<7}{text}")
    return lines


def draw(rows: list[dict], file: Path) -> None:
    """Draws each provider's training time over that of the ideal passes, one panel an operator."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    kept = [row for row in rows if row["batch"] == 32 and row["layout"] == "last" and row["pass"] == "training"]
    names = [name for name in OPERATORS if any(row["operator"] == name for row in kept)]
    figure, panels = pyplot.subplots(1, len(names), figsize=(3 * len(names), 3.6), layout="constrained", squeeze=False)
    for name, axes in zip(names, panels[0], strict=True):
        mine = [row for row in kept if row["operator"] == name]
        found = list(dict.fromkeys(row["provider"] for row in mine))
        means = [statistics.geometric_mean(1 / row["share"] for row in mine if row["provider"] == p) for p in found]
        axes.barh(found[::-1], means[::-1])
        axes.axvline(1, color="black", lw=0.8)
        axes.set_title(name)
    figure.supxlabel(
        "device time of forward and backward over the ideal passes at a copy's speed, N = 32, channels last"
    )
    figure.savefig(file, dpi=110)
