"""What the documents print can be typed, followed and looked at: commands, links, pictures, paths, tables.

Each check returns what is wrong with a text, so that a broken snippet shows that it can fail.
"""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from ultralytics.cfg import MODES, TASKS
from ultralytics.utils import DEFAULT_CFG_DICT

from docs import render
from yolo_attn import cli
from yolo_attn.errors import AttentionError
from yolo_attn.nn import own, sources
from yolo_attn.upstream import compose

ROOT = render.ROOT
SITE = ROOT / "docs"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(SITE.glob("*.md")), ROOT / "benchmarks" / "cuda" / "notes.md"]
PROGRAMS = ("yolo", "yolo-attn", "python", "pip", "pytest")
BLOCK = re.compile(r"^(?:    .*\n|```[^`]*```\n)+", re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^()\s]+)\)")
ANY = ("...", "…")  # what the reader fills in


@pytest.fixture(autouse=True)
def readers_own(monkeypatch):
    """The operator that a page tells the reader to write is there."""
    (cls,) = sources.load(str(ROOT / "tests" / "support" / "own" / "my_attention.py"))
    monkeypatch.setenv(sources.VARIABLE, "")  # put back afterwards, with what registering adds to it
    info = own.register(cls)
    yield
    own.take_out(info)


def commands(text: str) -> Iterator[list[str]]:
    """Yields each command of the code in a document as its words, without variables set in front of it."""
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    lines += [span for span in SPAN.findall(BLOCK.sub("", text)) if " " in span]
    for line in lines:
        if not re.match(rf"\s*(\w+=\w+ )?({'|'.join(PROGRAMS)}) ", line):
            continue
        for command in re.split(r" && ", line):
            words = shlex.split(command, comments=True)
            yield words[1:] if "=" in words[0] else words


def wrong_commands(text: str, file: Path) -> Iterator[str]:
    """Yields what is wrong with the commands: each is read by what would run it, and none is run."""
    checks = {"yolo": wrong_yolo, "yolo-attn": wrong_attn, "python": wrong_python, "pip": wrong_pip}
    for program, *words in commands(text):
        for complaint in checks.get(program, wrong_pytest)([word for word in words if word not in ANY]):
            yield f"{' '.join([program, *words])}: {complaint}"


def wrong_attn(words: list[str]) -> Iterator[str]:
    try:
        cli.read(words if len(words) > 1 else [*words, "--help"])  # a command's name alone may lack its keys
    except AttentionError as error:
        yield str(error)


def wrong_yolo(words: list[str]) -> Iterator[str]:
    for word in words:
        key, equals, value = word.partition("=")
        if not equals and key not in {*TASKS, *MODES}:
            yield f"{key} is no task and no mode"
        elif equals and key not in DEFAULT_CFG_DICT:
            yield f"{key} is no key"


def wrong_python(words: list[str]) -> Iterator[str]:
    module = words[words.index("-m") + 1]
    try:
        spec = importlib.util.find_spec(module)
        if spec and spec.submodule_search_locations:
            spec = importlib.util.find_spec(f"{module}.__main__")
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        yield f"there is no module {module}"


def wrong_pytest(words: list[str]) -> Iterator[str]:
    paths = [word.split("::")[0] for word in words if "/" in word or word.endswith(".py")]
    yield from (f"there is no {path}" for path in paths if not (ROOT / path).exists())


def wrong_pip(words: list[str]) -> Iterator[str]:
    for before, word in zip(["", *words], words, strict=False):
        if before == "-r" and not (ROOT / word).is_file():
            yield f"there is no {word}"
        for extra in re.findall(r"^(?:\.|yolo_attn)\[(\w+)\]", word):
            if extra not in (metadata.metadata("yolo_attn").get_all("Provides-Extra") or []):
                yield f"there is no extra {extra}"


def wrong_names(text: str, file: Path) -> Iterator[str]:
    """Yields the models that cannot be made: each name is a base's, or composed of one, and has the places it names."""
    for name in dict.fromkeys(
        re.findall(r"\byolo[\w-]*(?:\.[a-z]+\d[\w-]*)*(?<!-my)\.yaml", text)
    ):  # -my is the reader's own
        try:
            said = compose.read(name)
            if said:
                compose.compose(said)
            elif not compose.is_base(Path(name).stem):
                yield f"{name} names no model"
        except AttentionError as error:
            yield f"{name}: {error}"


def wrong_links(text: str, file: Path) -> Iterator[str]:
    """Yields links and pictures that lead nowhere; a page of the site links to the site alone."""
    for _, target in LINK.findall(SPAN.sub("", BLOCK.sub("", text))):
        path, _, anchor = target.partition("#")
        if re.match(r"\w+:", path):
            continue
        found = (file.parent / path).resolve() if path else file
        if path and not found.exists():
            yield f"{target}: there is no {path}"
        elif file.parent == SITE and SITE not in found.parents:
            yield f"{target}: the site has no {path}"
        elif anchor and anchor not in anchors(text if found == file else found.read_text(encoding="utf-8")):
            yield f"{target}: there is no heading {anchor}"


def anchors(text: str) -> list[str]:
    """Returns the anchors of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def wrong_paths(text: str, file: Path) -> Iterator[str]:
    """Yields files named in the running text that do not exist, by their path in the repository or the package."""
    for span in SPAN.findall(BLOCK.sub("", text)):
        named = re.fullmatch(r"[\w./-]+/[\w.-]+\.(py|md|csv|txt|yml|toml|html)", span)
        if named and not any((folder / span).exists() for folder in (ROOT, ROOT / "yolo_attn")):
            yield f"there is no {span}"


def wrong_layout(text: str, file: Path) -> Iterator[str]:
    """Yields files of a drawn tree of folders that do not exist."""
    folders = [(0, ROOT)]
    for indent, name in re.findall(r"^( {4,})(?!self\.)([\w.-]+(?:/|\.\w+))(?: |$)", text, re.MULTILINE):
        while len(indent) <= folders[-1][0]:
            folders.pop()
        path = folders[-1][1] / name
        if not path.exists():
            yield f"there is no {path.relative_to(ROOT)}"
        if name.endswith("/"):
            folders.append((len(indent), path))


def wrong_tables(text: str, file: Path) -> Iterator[str]:
    """Yields whether a rendered table is not what would be rendered today."""
    unknown = {name for name in render.MARKS.findall(text) if name not in render.TABLES}
    if unknown:
        yield f"nothing renders {', '.join(unknown)}"
    elif render.rendered(text) != text:
        yield "write it again: python -m docs.render"


CHECKS = (wrong_commands, wrong_names, wrong_links, wrong_paths, wrong_layout, wrong_tables)


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_document_says_nothing_that_is_not_so(file):
    text = file.read_text(encoding="utf-8")
    assert [complaint for check in CHECKS for complaint in check(text, file)] == []


BROKEN = {
    "    yolo-attn exprot model=best.pt\n": "no command 'exprot'",
    "    yolo-attn live model=best.onnx sorce=0\n": "no key 'sorce'",
    "    yolo-attn live model=best.onnx conf=2\n": "conf must be",
    "`yolo-attn shwo` draws it": "no command 'shwo'",
    "    yolo trian model=best.pt\n": "trian is no task and no mode",
    "    yolo train model=best.pt epoch=3  # few\n": "epoch is no key",
    "    pip install -e . && yolo train model=yolo11n-cbma.yaml\n": "'cbma' is no attention",
    "a name, `yolov5s-gam-nek.yaml`": "'nek' is no place",
    "    YOLO_ATTN_IMPL=triton yolo train model=yolov5s-gam-P9.yaml data=…\n": "P9",
    "    yolo-attn show yolo99n.yaml\n": "yolo99n.yaml names no model",
    "    python -m docs.speed\n": "no module docs.speed",
    "`python -m docs.no.such`": "no module docs.no.such",
    "    python -m tests.support\n": "no module tests.support",
    "    pytest -n 2 tests/test_nothing.py::test_it\n": "no tests/test_nothing.py",
    "    pip install -r requirements-edge.text\n": "no requirements-edge.text",
    '    pip install -e ".[devel]"\n': "no extra devel",
    "[the rows](lines.md)": "no lines.md",
    "![a picture](no.png)": "no no.png",
    "# Places\n\n[below](#the-place)": "no heading the-place",
    "[a row\nhigher](placing.md#no-such-heading)": "no heading no-such-heading",
    "[the house](../DESIGN.md)": "the site has no ../DESIGN.md",
    "see `ops/map_triton.py`": "no ops/map_triton.py",
    "    yolo_attn/\n      nn/         operators\n        rows.py   reads rows\n": "no yolo_attn/nn/rows.py",
    "<!-- rendered: int8 -->\n\n| a |\n|---|\n\n<!-- /rendered -->": "write it again",
    "<!-- rendered: everything -->\n<!-- /rendered -->": "nothing renders everything",
}


@pytest.mark.parametrize("snippet", BROKEN)
def test_what_is_broken_is_found(snippet):
    (complaint,) = [complaint for check in CHECKS for complaint in check(snippet, SITE / "snippet.md")]
    assert BROKEN[snippet] in complaint


def test_what_is_sound_is_left_alone():
    snippet = (
        "# A page\n\nSee [it](#a-page), [export](export.md#what-it-is-worth) and <https://example.org>.\n\n"
        "    YOLO_ATTN=0 yolo detect train model=yolov8n-eca-P4.yaml data=...   # [no](link.md)\n"
        "    - [-1, 1, CBAM, [256, 7]](none.md)\n\n`yolo-attn show` and `[18, 1, CBAM](none.md)`\n"
    )
    assert [complaint for check in CHECKS for complaint in check(snippet, SITE / "snippet.md")] == []
    assert len(list(commands(snippet))) == 2


def test_the_site_has_every_page_and_the_readme_the_supported_range():
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    pages = [page if isinstance(page, str) else next(iter(page.values())) for page in navigation]
    assert sorted(pages) == sorted(file.name for file in SITE.glob("*.md"))
    (supported,) = re.findall(r"^ultralytics\S+", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`{supported}`" in readme
    assert len(readme.splitlines()) <= 150
