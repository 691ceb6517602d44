"""The operators as a table: in Markdown, as the documentation prints it, and for a terminal."""

from yolo_attn import registry
from yolo_attn.errors import AttentionError

CHANNELS = 256  # of the parameters' counts


def table() -> str:
    """Returns a row for each operator: name, kind, paper, year, parameters, options."""
    heads = ("row", "kind", "what it does", "paper", f"parameters at {CHANNELS} channels", "options and their defaults")
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for info in registry.OPERATORS:
        link = f"[{info.year}](https://arxiv.org/abs/{info.paper})" if info.paper else str(info.year)
        options = ", ".join(f"`{option}: {_yaml(default)}`" for option, default in info.options.items())
        rows.append(
            f"| `{info.name}` | {info.kind} | {info.title} | {link} | {info.parameters(CHANNELS):,} | {options} |"
        )
    return "\n".join(rows)


def text(kind: str = "") -> str:
    """Returns the operators that there are, own ones too, in columns for a terminal; those of one kind, or all.

    Raises:
        AttentionError: There is no such kind.
    """
    infos = [registry.get(name) for name in registry.names()]
    kinds = list(dict.fromkeys(info.kind for info in infos))
    if kind and kind.lower() not in kinds:
        hint = registry.did_you_mean(registry.nearest(kind, kinds))
        raise AttentionError(f"no operator is of kind '{kind}'{hint}; kinds are {', '.join(kinds)}")
    lines = [("operator", "kind", "year", "parameters", "options")]
    for info in infos:
        if kind.lower() in ("", info.kind):
            options = " ".join(f"{option}={_yaml(default)}" for option, default in info.options.items())
            lines.append((info.name, info.kind, str(info.year or ""), _parameters(info), options))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    a, b, c, d, _ = widths
    rows = [f"{n:<{a}}  {k:<{b}}  {year:<{c}} {p:>{d}}  {o}".rstrip() for n, k, year, p, o in lines]
    return "\n".join([*rows, "", f"{len(rows) - 1} in all; parameters at {CHANNELS} channels"])


def _parameters(info: registry.AttentionInfo) -> str:
    try:
        return f"{info.parameters(CHANNELS):,}"
    except Exception:  # an operator of anybody's may want other channels
        return "–"


def _yaml(default: object) -> str:
    return "by formula" if default is None else str(default).lower()
