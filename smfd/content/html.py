"""
What a page of HTML shows, what it hides, and where it leads.

Not a parser of HTML but a reader of tags: one pass, linear, with ends to
everything.  Entities are decoded, scripts and styles are not text.

Standards: the HTML Living Standard, as far as mail uses it.
"""

import html
import re
from collections import Counter

from attrs import Factory, define

#: Text, and the comment or tag behind it; what is never closed goes to the end.
#: It matches wherever it is tried, so that nothing is looked at twice.
_MARKUP = re.compile(
    r"([^<]*+(?>(?:<(?![/!?a-zA-Z])[^<]*+)*))"
    r"(?:<!--(.*?)(?:--!?>|\Z)"
    r"|<((/?)([a-zA-Z][a-zA-Z0-9:]{0,30})[^>]*+)>?"
    r"|<[^>]*+>?|\Z)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(
    r"([a-zA-Z][a-zA-Z-]*+)\s*+=\s*+(?:\"([^\"]*+)\"?|'([^']*+)'?|([^\s>\"']++))"
)

#: Numbers of characters that nobody has; decoding them would cost much.
_LONG_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{8,};?")

_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*[01](?:px|pt|em|%)?"
    r"\s*(?:;|$|!)|(?:max-)?height\s*:\s*0(?:px)?\s*(?:;|$)|opacity\s*:\s*0\s*(?:;|$)"
    r"|mso-hide\s*:\s*all",
    re.IGNORECASE,
)

_BLOCKS = (
    *("p", "div", "table", "tr", "ul", "ol", "li", "blockquote", "pre", "hr"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "center", "form", "section"),
)

#: The space that a tag stands for.
_SPACE = {**dict.fromkeys(_BLOCKS, "\n\n"), "br": "\n", "td": " "}

_VOID = frozenset(("br", "img", "hr", "meta", "link", "input", "base", "area"))
_LOOKED_AT = frozenset(("a", "img", "form", "iframe", "base", "area", "meta", "font"))

#: Elements whose content is no text, and where it ends.
_SILENT = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("script", "style", "title", "object", "noframes", "textarea")
}

#: Links and addresses that are kept.
_MOST = 500


@define
class Page:
    """
    What was seen in one or more pages.

    @ivar shown: pieces of visible text.
    @ivar links: where anchors lead, and what they say.
    @ivar sources: addresses that are fetched: images, frames, forms.
    @ivar tags: how often each tag begins.
    @ivar hidden: characters of text that are not shown.
    @ivar comment: characters in comments.
    @ivar pixels: images of a size of 0 or 1.
    @ivar broken: words with a tag or comment inside them.
    """

    shown: list[str] = Factory(list)
    links: list[tuple[str, str]] = Factory(list)
    sources: list[str] = Factory(list)
    tags: Counter[str] = Factory(Counter)
    hidden: int = 0
    comment: int = 0
    pixels: int = 0
    broken: int = 0

    @property
    def text(self) -> str:
        """All that is shown."""
        return "".join(self.shown)


def read_page(source: str, page: Page) -> None:
    """Read a page of HTML, and add it to what was seen."""
    _Reading(source, page).run()


def _unescaped(text: str) -> str:
    """Entities decoded."""
    return html.unescape(_LONG_NUMBER.sub("", text)) if "&" in text else text


@define
class _Reading:
    """One pass over one page."""

    source: str
    page: Page
    veil: str = ""
    depth: int = 0
    anchor: str = ""
    said: int = -1

    def run(self) -> None:
        """Read it all."""
        at = 0
        while at < len(self.source):
            at = self._read(at)
        self._leave_anchor()

    def _read(self, at: int) -> int:
        """Read on until a silent element; returns where that ends."""
        for match in _MARKUP.finditer(self.source, at):
            text, comment, tag, closes, name = match.groups()
            if text:
                self._text(text)
            if name:
                name = name.lower()
                self._tag(tag, name, closes)
                if name in _SILENT and not closes:
                    end = _SILENT[name].search(self.source, match.end())
                    return len(self.source) if end is None else end.start()
            elif comment:
                self.page.comment += len(comment)
                self._inside_word(match.end(1), match.end())
        return len(self.source)

    def _inside_word(self, start: int, end: int) -> None:
        """Count what was put into a word to cut it."""
        around = self.source[start - 1 : start] + self.source[end : end + 1]
        if start and len(around) == 2 and around.isalpha():
            self.page.broken += 1

    def _text(self, text: str) -> None:
        """Text, shown or hidden."""
        text = _unescaped(text)
        if self.veil:
            self.page.hidden += len(text.strip())
        else:
            self.page.shown.append(text)

    def _tag(self, tag: str, name: str, closes: str) -> None:
        """A tag begins or ends something."""
        space = _SPACE.get(name)
        if space is not None:
            self.page.shown.append(space)
        if not closes:
            self.page.tags[name] += 1
            if self.veil or len(tag) > len(name):
                self._begins(name, tag)
        elif self.veil or name == "a":
            self._ends(name)

    def _ends(self, name: str) -> None:
        if name == "a":
            self._leave_anchor()
        if name == self.veil:
            self.depth -= 1
            if not self.depth:
                self.veil = ""

    def _begins(self, name: str, tag: str) -> None:
        if name == self.veil:
            self.depth += 1
        styled = "style" in tag or "STYLE" in tag or "hidden" in tag
        if not (styled or name in _LOOKED_AT):
            return
        values = {
            m[1].lower(): m[2] or m[3] or m[4] or ""
            for m in _ATTRIBUTE.finditer(tag[:8192])
        }
        hides = styled and _HIDING.search(values.get("style", "")[:2000])
        if hides and not self.veil and name not in _VOID:
            self.veil, self.depth = name, 1
        if name in _LOOKED_AT:
            self._leads(name, values)

    def _leads(self, name: str, values: dict[str, str]) -> None:
        """Note where a tag leads."""
        target = values.get("href") or values.get("src") or values.get("action")
        if name == "img" and {"0", "1"} >= {
            values.get("width", ""),
            values.get("height", ""),
        }:
            self.page.pixels += 1
        if not target:
            return
        target = "".join(_unescaped(target[:4096]).split())
        if name in ("a", "area"):
            self._leave_anchor()
            self.anchor, self.said = target, len(self.page.shown)
        elif len(self.page.sources) < _MOST:
            self.page.sources.append(target)

    def _leave_anchor(self) -> None:
        """The text of an anchor is complete."""
        if self.anchor and len(self.page.links) < _MOST:
            said = "".join(self.page.shown[self.said : self.said + 50])[:500]
            self.page.links.append((self.anchor, " ".join(said.split())))
        self.anchor = ""
