"""YAML with the line of every key and value, so that an error in a file names ``file:line``."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml

from service.errors import Misconfigured

Path = tuple[str | int, ...]
"""Where a value is: the keys and positions from the top of the document to it."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """The kind of a file, for error messages."""

    name: str
    remedy: str
    """What to do when its content is wrong."""
    begin: str
    """What to do when it is empty."""


MAPPING_FILE = FileKind(
    "mapping", "correct the mapping file (docs/MAPPING.md explains it)", "begin with a copy of the packaged crm.yaml"
)


@dataclass(frozen=True, slots=True)
class Document:
    """Parsed YAML."""

    source: str
    """The file's name, for messages."""
    content: Any
    """Plain Python values."""
    lines: dict[Path, int]
    """The line, from 1, where each path begins."""
    kind: FileKind = MAPPING_FILE
    wrong_keys: list[tuple[int, str]] = field(default_factory=list)
    """Line and message of each key that ``content`` lacks: it is given twice (the first counts), or is no text."""

    def wrong(self, path: Path, message: str) -> Misconfigured:
        """The error ``message`` at the line of ``path``."""
        return self.wrong_at(self.line_of(path), message)

    def wrong_at(self, line: int, message: str) -> Misconfigured:
        """The error ``message`` at ``line``."""
        return Misconfigured(f"{self.source}:{line}: {message}", remedy=self.kind.remedy)

    def line_of(self, path: Path) -> int:
        """The line of ``path``; if the file has no such path, that of the nearest enclosing one."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def read_yaml(text: str, *, source: str, kind: FileKind = MAPPING_FILE) -> Document:
    """Parse one YAML document. Raises Misconfigured for a syntax error, a wrong key, or an empty file."""
    document = parse_yaml(text, source=source, kind=kind)
    for line, message in document.wrong_keys:
        raise document.wrong_at(line, message)
    return document


def parse_yaml(text: str, *, source: str, kind: FileKind = MAPPING_FILE) -> Document:
    """Parse one YAML document, also when keys are wrong. Raises Misconfigured for a syntax error or an empty file."""
    lines: dict[Path, int] = {(): 1}
    wrong_keys: list[tuple[int, str]] = []
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            raise Misconfigured(f"{source}:1: the {kind.name} is empty", remedy=kind.begin)
        content = _Reader(source, lines, loader, wrong_keys).plain(root, ())
        return Document(source, content, lines, kind, wrong_keys)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _syntax_error(source, mark.line + 1 if mark else 1, error.problem or "cannot be read") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _syntax_error(source, line, f"character {chr(error.character)!a} is not allowed") from error
    except RecursionError as error:
        raise _syntax_error(source, 1, "it nests too deeply, or an anchor contains itself") from error


def _syntax_error(source: str, line: int, problem: str) -> Misconfigured:
    return Misconfigured(f"{source}:{line}: not YAML: {problem}", remedy="correct the syntax at this line")


@dataclass(frozen=True, slots=True)
class _Reader:
    source: str
    lines: dict[Path, int]
    loader: yaml.SafeLoader
    wrong_keys: list[tuple[int, str]]

    def plain(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._plain_map(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(element, (*path, index)) for index, element in enumerate(node.value)]
        return self._scalar(node)

    def _plain_map(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = self._key(key_node), key_node.start_mark.line + 1
            if key is None:
                self.wrong_keys.append((line, "a key must be text; put it in quotes"))
            elif key in content:
                first = self.lines[(*path, key)]
                message = f"key {key!r} is given twice, first at line {first}; remove one of them"
                self.wrong_keys.append((line, message))
            else:
                self.lines[(*path, key)] = line
                content[key] = self.plain(value_node, (*path, key))
        return content

    def _key(self, node: yaml.Node) -> str | None:
        key = self._scalar(node) if isinstance(node, yaml.ScalarNode) else None
        return key if isinstance(key, str) else None

    def _scalar(self, node: yaml.Node) -> Hashable:
        try:
            return self.loader.construct_object(node)  # type: ignore[no-any-return]
        except ValueError as error:  # a date such as 2024-13-45 without quotes
            raise _syntax_error(self.source, node.start_mark.line + 1, f"{node.value!r}: {error}") from error
