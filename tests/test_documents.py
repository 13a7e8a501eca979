"""Links lead somewhere, and diagrams are drawn."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support.baking import PAIRED, TEMPLATE, combinations
from tests.support.documents import Document, documents, template_documents

DRAW = TEMPLATE / "tests/support/mermaid.mjs"
PICTURES = TEMPLATE / ".build/diagrams"
"""The diagrams as pictures, for people to look at."""

WIDEST = 1000  # pixels. GitHub shrinks what is wider, down to text that is hard to read.


@pytest.mark.parametrize("document", template_documents(), ids=lambda it: it.name)
def test_links_of_the_template(document: Document) -> None:
    assert document.broken_links == []


@pytest.mark.parametrize("answers", [*combinations(), *combinations("ci", "iac"), *PAIRED])
def test_links_of_the_projects(answers: dict[str, str], baked: Baker) -> None:
    for document in documents(baked(**answers).path):
        assert document.broken_links == [], document.name


def test_the_index_lists_every_decision() -> None:
    folder = TEMPLATE / "docs/decisions"
    index = Document(folder, folder / "README.md")
    assert list(index.links) == sorted(it.name for it in folder.glob("[0-9]*.md"))


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A *heading*, `code` & more\n\n# Again\n\n# Again\n")
    good = ["there.md", "there.md#a-heading-code--more", "there.md#again-1", "#own"]
    bad = ["no.md", "there.md#other", "../out.md", "#no", "http://example.com", "/there.md"]
    page = tmp_path / "page.md"
    page.write_text("# Own\n" + "".join(f"[x]({link})\n" for link in good + bad))
    assert Document(tmp_path, page).broken_links == bad


@pytest.mark.slow
def test_every_diagram_is_drawn(baked: Baker) -> None:
    """By Mermaid in a browser, and not wider than a page; .build/diagrams has the pictures."""
    everything = template_documents()
    for combination in combinations("iac", "auth", "network"):
        everything += documents(baked(**combination.values[0]).path)
    diagrams: dict[str, str] = {}
    for document in everything:
        for source in document.blocks("mermaid"):
            name = hashlib.sha256(source.encode()).hexdigest()[:8]
            diagrams[str(PICTURES / f"{document.path.stem.lower()}-{name}.png")] = source
    assert len(diagrams) > 8
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()

    done = subprocess.run(
        [str(Path(sys.executable).with_name("node")), str(DRAW), str(TEMPLATE / ".tools/mermaid")],
        input=json.dumps(diagrams),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr

    shown = json.loads(done.stdout)
    for picture, source in diagrams.items():
        drawn = shown[picture]
        assert "error" not in drawn, f"{drawn}\n{source}"
        assert drawn["width"] <= WIDEST, f"{drawn['width']:.0f} pixels wide\n{source}"
        words = set(re.findall(r"\w+", " ".join(drawn["texts"])))
        assert labels(source) <= words, source
        assert Path(picture).stat().st_size > 1000


def labels(source: str) -> set[str]:
    """Return the words that a diagram must show: in brackets, in quotes and on arrows."""
    texts = re.findall(r'"(.+?)"|\[([^"\[\]()]+?)\]|-- (?!")(.+?) -->', source)
    words = re.sub(r"<br/>", " ", " ".join("".join(text) for text in texts))
    return set(re.findall(r"\w+", words))
