"""The settings, written out: the sample file, the manual, one description."""

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from textwrap import wrap
from typing import Any

import attrs
from attrs import frozen

from smfd.config.schema import Config
from smfd.config.setting import Declared, Setting, declared

#: What a document says: tables of keys, as tomllib gives them.
Document = Mapping[str, Any]

_HEAD = """
The settings of smfd, TOML 1.0.

Every setting is here at its default, behind a #. Take the # away from a
table's header and from a line to change it. A path that does not begin with /
is relative to this file's folder. "smfdctl check" says whether all is well.
"""


@frozen
class _Page:
    """
    One table, as it is shown.

    @ivar name: dotted.
    @ivar key: what the table above declares.
    @ivar keys: the settings in it; of C{[scores]}, which has free keys, none.
    """

    name: str
    key: Declared
    keys: tuple[Declared, ...]

    @property
    def text(self) -> str:
        """What the table is for, on one line or more."""
        if self.key.setting is not None:
            return self.key.setting.text
        text = inspect.cleandoc(self.key.kind.__doc__ or "")
        return re.sub(r"C\{(.*?)\}", r"\1", text)

    @property
    def header(self) -> str:
        """As TOML has it."""
        return f"[[{self.name}]]" if self.key.many else f"[{self.name}]"


def pages() -> Iterator[_Page]:
    """Every table, one above before those in it."""
    for key in declared(Config):
        if key.name != "path":
            yield from _pages(key, key.name)


def _pages(key: Declared, name: str) -> Iterator[_Page]:
    keys = declared(key.kind) if attrs.has(key.kind) else ()
    yield _Page(name, key, tuple(k for k in keys if k.setting is not None))
    for below in keys:
        if below.setting is None:
            yield from _pages(below, f"{name}.{below.name}")


def sample(document: Document | None = None) -> str:
    """
    A settings file.

    @param document: what it sets; the rest stands there commented out, the
        headers of tables too.
    """
    lines = [*_prose(_HEAD)]
    for page in pages():
        lines += ["", "", *_table(page, _look(document or {}, page.name))]
    return "\n".join(lines) + "\n"


def _look(document: Document, name: str) -> Any:
    node: Any = document
    for part in name.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _table(page: _Page, active: Any) -> Iterator[str]:
    yield from _prose(page.text)
    if page.key.many:
        yield from _array(page, active or ())
        return
    yield page.header if active is not None else "#" + page.header
    if page.key.setting is not None:
        yield from _free(page.key.setting, active or {})
    for key in page.keys:
        assert key.setting is not None
        yield ""
        yield from _prose(_sentence(key.setting))
        mark = "" if active and key.name in active else "#"
        value = (active or {}).get(key.name, key.default)
        yield f"{mark}{key.name} = {toml(value)}"


def _array(page: _Page, active: Sequence[Document]) -> Iterator[str]:
    """An array of tables has no default: show how one would look."""
    yield f"#     {page.header}"
    for key in page.keys:
        assert key.setting is not None
        yield f"#     {key.name} = {key.setting.example}  # {key.setting.text}"
    for item in active:
        yield page.header
        yield from (f"{name} = {toml(value)}" for name, value in item.items())


def _free(known: Setting, active: Document) -> Iterator[str]:
    yield f"#     {known.example}"
    yield from (f"{name} = {toml(value)}" for name, value in active.items())


def _prose(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield "#"
        yield from wrap(
            " ".join(paragraph.split()),
            width=80,
            initial_indent="# ",
            subsequent_indent="# ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _sentence(known: Setting) -> str:
    """Text, unit, limits and an example, in words."""
    parts = [known.text]
    if limits := _limits(known):
        parts.append(limits + ".")
    if known.choices:
        parts.append(f"To choose from: {', '.join(known.choices)}.")
    if known.example and len(parts) == 1:
        parts.append(f"For example {known.example}.")
    return " ".join(parts)


def _limits(known: Setting) -> str:
    """The unit and the limits: C{"seconds, 1 to 3600"}."""
    limits = ""
    if known.low is not None and known.high is not None:
        limits = f"{_number(known.low)} to {_number(known.high)}"
    return ", ".join(part for part in (known.unit, limits) if part).capitalize()


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


def toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return repr(value)


def manual() -> str:
    """C{docs/settings.md}."""
    lines = [
        "# Settings",
        "",
        "One TOML file, given by `--config`. Made from `smfd/config/schema.py`; `make",
        "generate` writes this page and `etc/smfd.toml` anew. A path that does not",
        "begin with `/` is relative to the home. `smfdctl config describe KEY` prints",
        "the same at the prompt.",
    ]
    for page in pages():
        lines += ["", f"## `{page.header}`", "", page.text]
        if page.keys:
            lines += ["", "| setting | default | unit, limits | what |"]
            lines += ["| --- | --- | --- | --- |"]
        lines += [_row(key) for key in page.keys]
    return "\n".join(lines) + "\n"


def _row(key: Declared) -> str:
    assert key.setting is not None
    default = "must be given" if key.required else f"`{toml(key.default)}`"
    limits = _limits(key.setting) or " ".join(key.setting.choices)
    cells = (f"`{key.name}`", default, limits, key.setting.text)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def describe(name: str) -> list[str]:
    """
    A table or a setting, in lines; all of them for the empty name.

    @return: empty when there is no such thing.
    """
    lines: list[str] = []
    for page in pages():
        whole = name in ("", page.name)
        if whole:
            lines += [page.header, *_indented(page.text), ""]
        for key in page.keys:
            if whole or name == f"{page.name}.{key.name}":
                assert key.setting is not None
                default = "" if key.required else f" = {toml(key.default)}"
                lines += [f"{page.name}.{key.name}{default}"]
                lines += [*_indented(_sentence(key.setting)), ""]
    return lines[:-1]


def unknown(name: str) -> str:
    """A sentence about a table or setting that there is not."""
    names = [page.name for page in pages()]
    names += [f"{page.name}.{key.name}" for page in pages() for key in page.keys]
    close = get_close_matches(name.lower(), names, 1, 0.6)
    # Who knows the key and not its table is helped too.
    close += [known for known in names if known.endswith(f".{name.lower()}")]
    said = f" Did you mean {' or '.join(dict.fromkeys(close))}?" if close else ""
    return f'There is no setting "{name}".{said}'


def _indented(text: str) -> list[str]:
    return [("    " + line.removeprefix("#")[1:]).rstrip() for line in _prose(text)]
