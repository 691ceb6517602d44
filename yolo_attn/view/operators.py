"""The operators as a Markdown table, as the documentation prints it."""

from yolo_attn import registry

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


def _yaml(default: object) -> str:
    return "by formula" if default is None else str(default).lower()
