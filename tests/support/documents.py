"""What people read: the Markdown of the template, and of projects."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.baking import TEMPLATE

_MARKDOWN = MarkdownIt().enable("table")


@dataclass(frozen=True)
class Document:
    """A Markdown file below a root, which its links may not leave."""

    root: Path
    path: Path

    @property
    def name(self) -> str:
        """The path, as it is read."""
        return self.path.relative_to(self.root).as_posix()

    @cached_property
    def tokens(self) -> list[Token]:
        return _MARKDOWN.parse(self.path.read_text("utf-8"))

    def blocks(self, *languages: str) -> list[str]:
        """The code blocks in those languages, in order, without their indentation."""
        return [
            token.content
            for token in self.tokens
            if token.type == "fence" and token.info.partition(" ")[0] in languages
        ]

    @cached_property
    def anchors(self) -> frozenset[str]:
        """Where links may lead to in this document: its headings, as GitHub names them."""
        found: set[str] = set()
        for opening, heading in zip(self.tokens, self.tokens[1:], strict=False):
            if opening.type == "heading_open":
                texts = [
                    it.content for it in heading.children or [] if not it.type.endswith("html")
                ]
                anchor = _anchor("".join(texts))
                others = [f"{anchor}-{number}" for number in range(1, 100)]
                found.add(next(it for it in [anchor, *others] if it not in found))
        return frozenset(found)

    @property
    def links(self) -> Iterator[str]:
        """The targets of its links and pictures."""
        for token in self.tokens:
            for part in token.children or []:
                if part.type in ("link_open", "image"):
                    yield str(part.attrs.get("href") or part.attrs.get("src"))

    @property
    def broken_links(self) -> list[str]:
        """Links within the root that lead to no file or no heading."""
        return [link for link in self.links if not self._leads_somewhere(link)]

    def _leads_somewhere(self, link: str) -> bool:
        if re.match(r"https://[\w.-]+(/|$)", link):
            return True
        name, _, anchor = link.partition("#")
        target = (self.path.parent / name).resolve() if name else self.path
        if not (target.is_relative_to(self.root) and target.exists()):
            return False
        return not anchor or anchor in Document(self.root, target).anchors


def documents(root: Path) -> list[Document]:
    """Return the Markdown files of a project."""
    return [Document(root, path) for path in sorted(root.rglob("*.md"))]


def template_documents() -> list[Document]:
    """Return the Markdown files of the template, which are those with no Jinja."""
    folders = ("", ".github", "docs", "benchmarks", "tests")
    return [
        Document(TEMPLATE, path)
        for folder in folders
        for path in sorted((TEMPLATE / folder).glob("**/*.md" if folder else "*.md"))
    ]


def _anchor(heading: str) -> str:
    """Name a heading as GitHub does: lower case, hyphens for spaces, no punctuation."""
    kept = (
        character
        for character in heading.lower()
        if character in " -_" or unicodedata.category(character)[0] in "LNM"
    )
    return "".join(kept).replace(" ", "-")
