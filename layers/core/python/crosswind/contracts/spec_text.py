"""Reads YAML or JSON text as plain values with line numbers, within limits.

Values are built straight from YAML's events, never by constructing objects: scalars follow YAML 1.2's core schema (`on`
and `yes` are text), only its tags are known, keys are text and stand once in a mapping. Aliases are followed, but what
they expand to counts against the same limit of nodes as what is written out, so that a bomb does not go off.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from crosswind.contracts.suites import MAX_SPEC_BYTES
from crosswind.kernel.errors import FieldError, InvalidInputError, TooLargeError

MAX_DEPTH = 40
MAX_NODES = 50_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,2})?")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed text: mappings, lists and scalars, and the line at which each path starts, where known."""

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """The line of a path, or of the nearest place around it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


@dataclass(slots=True)
class _Node:
    value: Any
    nodes: int  # with everything below it, aliases expanded
    depth: int
    lines: dict[Path, int]


def read_text(text: str | bytes) -> Document:
    """Parse YAML or JSON.

    Raises:
        TooLargeError: The text is over 1 MiB.
        InvalidInputError: It is no YAML, or goes beyond what is allowed; the fault names its line.
    """
    plain = _decoded(text)
    if plain.lstrip()[:1] == "{":
        document = _read_json(plain)
        if document is not None:
            return document
    return _read_yaml(plain)


def check_value(value: Any) -> None:
    """The same limits for a value that was parsed elsewhere. Raises InvalidInputError."""
    todo: list[tuple[Any, int]] = [(value, 1)]
    nodes = 0
    while todo:
        item, depth = todo.pop()
        nodes += 1
        if depth > MAX_DEPTH:
            raise _fault(f"is nested deeper than {MAX_DEPTH} levels", None)
        if nodes > MAX_NODES:
            raise _fault(f"has more than {MAX_NODES} values", None)
        _check_scalar(item)
        if isinstance(item, dict):
            for key in item:
                _check_scalar(key)
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        todo.extend((child, depth + 1) for child in children)


def _check_scalar(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise _fault("has a number that is not finite", None)
    if isinstance(value, str) and ("\0" in value or any("\ud800" <= each <= "\udfff" for each in value)):
        raise _fault("has a text with a character that no text may hold", None)


def _decoded(text: str | bytes) -> str:
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", errors="surrogatepass"))
    if size > MAX_SPEC_BYTES:
        raise TooLargeError(f"the suite has {size} bytes; at most {MAX_SPEC_BYTES} are taken")
    try:
        plain = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        plain.encode()
    except UnicodeError:
        raise _fault("is not UTF-8 text", None) from None
    return plain


def _read_json(text: str) -> Document | None:
    """The document, or None when it is not JSON: it may still be YAML in flow style."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer)
    except RecursionError:
        raise _fault(f"is nested deeper than {MAX_DEPTH} levels", None) from None
    except ValueError:
        return None
    check_value(value)
    try:
        lines = _read_yaml(text).lines
    except InvalidInputError:
        lines = {}
    return Document(value, lines)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")  # read again as YAML, which names it and its line
    return made


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _integer(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text


def _read_yaml(text: str) -> Document:
    try:
        events = yaml.parse(text, Loader=_LOADER)
        root = _Builder(iter(events)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _fault(
            f"is not valid YAML: {error.problem or error.context}", mark.line + 1 if mark else None
        ) from None
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise _fault(f"is not valid YAML: {str(error).splitlines()[0]}", None) from None
    check_value(root.value)
    return Document(root.value, root.lines)


class _Builder:
    """Builds values from events; its own recursion ends at MAX_DEPTH."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, _Node] = {}
        self._nodes = 0

    def document(self) -> _Node:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                break
        else:
            raise _fault("is empty", None)
        root = self._node(next(self._events), depth=1)
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                raise _fault("holds more than one document", _line(event))
        return root

    def _node(self, event: Any, *, depth: int) -> _Node:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), line, depth)
        if depth > MAX_DEPTH:
            raise _fault(f"is nested deeper than {MAX_DEPTH} levels", line)
        if event.tag not in {None, "!"} and event.tag not in _CORE_TAGS:
            raise _fault(f"uses the tag {event.tag[:60]!r}, which is not known here", line)
        self._count(1, line)
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(_scalar(event), 1, 1, {(): line})
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(line, depth)
        else:
            node = self._mapping(line, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, anchor: str, line: int, depth: int) -> _Node:
        node = self._anchors.get(anchor)
        if node is None:
            raise _fault(f"refers to the anchor {anchor[:60]!r}, which is not known (yet)", line)
        if depth + node.depth - 1 > MAX_DEPTH:
            raise _fault(f"is nested deeper than {MAX_DEPTH} levels", line)
        self._count(node.nodes, line)
        return node

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _fault(f"has more than {MAX_NODES} values, aliases expanded", line)

    def _sequence(self, line: int, depth: int) -> _Node:
        made = _Node([], 1, 1, {(): line})
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._add(made, len(made.value), self._node(event, depth=depth + 1), _line(event))
        return made

    def _mapping(self, line: int, depth: int) -> _Node:
        made = _Node({}, 1, 1, {(): line})
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            at = _line(event)
            key = self._key(event, at)
            if key in made.value:
                raise _fault(f"has the key {key[:60]!r} twice in one mapping", at)
            self._add(made, key, self._node(next(self._events), depth=depth + 1), at)
        return made

    def _key(self, event: Any, line: int) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise _fault("has a key that is not plain text", line)
        key = str(event.value)
        if key == "<<" and event.implicit[0]:
            raise _fault("uses the merge key `<<`, which is not known here; write the fields out", line)
        return key

    def _add(self, parent: _Node, key: str | int, child: _Node, line: int) -> None:
        if isinstance(key, int):
            parent.value.append(child.value)
        else:
            parent.value[key] = child.value
        parent.nodes += child.nodes
        parent.depth = max(parent.depth, child.depth + 1)
        self._merge_lines(parent, key, child, line)

    @staticmethod
    def _merge_lines(parent: _Node, key: str | int, child: _Node, line: int) -> None:
        for path, at in child.lines.items():
            parent.lines[key, *path] = at
        parent.lines[key,] = line


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _scalar(event: Any) -> Any:
    """The value of a scalar: quoted or tagged `!!str` it is text, else what YAML 1.2's core schema says."""
    text = str(event.value)
    if event.tag == "tag:yaml.org,2002:str" or not event.implicit[0]:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _fault(message: str, line: int | None) -> InvalidInputError:
    where = f" (line {line})" if line else ""
    return InvalidInputError(f"the text {message}{where}", [FieldError(path="", message=message, line=line)])
