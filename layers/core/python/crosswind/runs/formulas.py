"""Formulas in a suite: `${{ parameters.full == true && parameters.region != 'eu' }}`, `${{ split(parameters.browsers) }}`.

They decide a stage's condition and give a matrix its values. The language is small on purpose: literals, references to
parameters, comparisons, `!`, `&&`, `||`, parentheses and three functions that give lists. Parsing is recursive descent over
at most 1,000 characters and 40 levels, so a hostile formula costs nothing.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from crosswind.contracts.suites import Scalar

MOST_CHARACTERS: Final = 1_000
MOST_VALUES: Final = 1_000
_DEEPEST = 40
_WHOLE = re.compile(r"\s*\$\{\{(.*)\}\}\s*", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z](?:[-A-Za-z0-9_.]*[A-Za-z0-9_])?)"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[<>!(),]))"
)
_PREFIX = "parameters."

Value = Scalar | tuple[Scalar, ...]
_Reader = Callable[[str], Scalar]


class FormulaError(Exception):
    """What is wrong with a formula, as the end of a sentence about it."""


def is_formula(text: str) -> bool:
    """Whether the whole text is one formula."""
    match = _WHOLE.fullmatch(text)
    return match is not None and "${{" not in match[1]


def faults(text: str, parameters: Collection[str]) -> list[str]:
    """What is wrong with a formula before any value is known; empty when nothing is. Types show only with values."""
    unknown = [name for name in _references(text) if name not in parameters]
    if unknown:
        return [f"there is no parameter `{name}`" for name in dict.fromkeys(unknown)]
    try:
        _parse(text)
    except FormulaError as fault:
        return [str(fault)]
    return []


def condition(text: str, parameters: Mapping[str, Scalar]) -> bool:
    """Whether a condition holds. Raises FormulaError, also where it gives something else than true or false."""
    found = _parse(text)(parameters)
    if not isinstance(found, bool):
        raise FormulaError(f"it gives {found!r}, not true or false")
    return found


def values(text: str, parameters: Mapping[str, Scalar]) -> tuple[Scalar, ...]:
    """The values that a formula gives a matrix, each once. Raises FormulaError."""
    found = _parse(text)(parameters)
    listed = found if isinstance(found, tuple) else (found,)
    if not 1 <= len(listed) <= MOST_VALUES:
        raise FormulaError(f"it gives {len(listed)} values; 1 to {MOST_VALUES} can be a matrix")
    if len({str(value) for value in listed}) < len(listed):
        raise FormulaError("it gives a value twice")
    return listed


_Node = Callable[[Mapping[str, Scalar]], Value]


@dataclass(slots=True)
class _Tokens:
    """The words of a formula, read from left to right."""

    words: list[tuple[str, str]]
    place: int = 0
    depth: int = 0

    def peek(self) -> str | None:
        """The next word."""
        return self.words[self.place][1] if self.place < len(self.words) else None

    def take(self) -> tuple[str, str]:
        """The next word with its kind. Raises FormulaError at the end."""
        if self.place >= len(self.words):
            raise FormulaError("it ends too early")
        self.place += 1
        return self.words[self.place - 1]

    def skip(self, word: str) -> bool:
        """Pass over a word if it is the next."""
        if self.peek() != word:
            return False
        self.place += 1
        return True


def _references(text: str) -> Iterator[str]:
    match = _WHOLE.fullmatch(text)
    for word in _TOKEN.finditer(match[1] if match else ""):
        if (word["name"] or "").startswith(_PREFIX):
            yield word["name"].removeprefix(_PREFIX)


def _parse(text: str) -> _Node:
    match = _WHOLE.fullmatch(text)
    if match is None or len(text) > MOST_CHARACTERS:
        raise FormulaError(f"it is not one `${{{{ … }}}}` of at most {MOST_CHARACTERS} characters")
    tokens = _Tokens(list(_words(match[1])))
    node = _either(tokens)
    if tokens.peek() is not None:
        raise FormulaError(f"`{tokens.peek()}` stands where it should end")
    return node


def _words(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise FormulaError(f"`{text[place:].strip()[:20]}` cannot be read")
        yield str(match.lastgroup), match[str(match.lastgroup)]
        place = match.end()


def _either(tokens: _Tokens) -> _Node:
    tokens.depth += 1
    if tokens.depth > _DEEPEST:
        raise FormulaError("it is nested too deeply")
    parts = [_both(tokens)]
    while tokens.skip("||"):
        parts.append(_both(tokens))
    tokens.depth -= 1
    return parts[0] if len(parts) == 1 else lambda given: any(_truth(part(given)) for part in parts)


def _both(tokens: _Tokens) -> _Node:
    parts = [_negated(tokens)]
    while tokens.skip("&&"):
        parts.append(_negated(tokens))
    return parts[0] if len(parts) == 1 else lambda given: all(_truth(part(given)) for part in parts)


def _negated(tokens: _Tokens) -> _Node:
    turns = 0
    while tokens.skip("!"):
        turns += 1
    part = _compared(tokens)
    return part if not turns else lambda given: _truth(part(given)) ^ bool(turns % 2)


def _compared(tokens: _Tokens) -> _Node:
    left = _single(tokens)
    sign = tokens.peek()
    if sign not in _COMPARE:
        return left
    tokens.take()
    right = _single(tokens)
    return lambda given: _COMPARE[sign](left(given), right(given))


def _single(tokens: _Tokens) -> _Node:
    if tokens.skip("("):
        inner = _either(tokens)
        _expect(tokens, ")")
        return inner
    kind, word = tokens.take()
    if kind == "text":
        return lambda _: word[1:-1]
    if kind == "number":
        return lambda _: float(word) if "." in word else int(word)
    if word in {"true", "false"}:
        return lambda _: word == "true"
    if word.startswith(_PREFIX):
        return lambda given: _parameter(given, word.removeprefix(_PREFIX))
    if word in _FUNCTIONS:
        return _call(word, tokens)
    raise FormulaError(f"`{word}` is neither `parameters.NAME`, a literal nor one of {', '.join(_FUNCTIONS)}")


def _call(name: str, tokens: _Tokens) -> _Node:
    _expect(tokens, "(")
    arguments: list[_Node] = []
    while not tokens.skip(")"):
        if arguments:
            _expect(tokens, ",")
        arguments.append(_single(tokens))
    function, fewest, most = _FUNCTIONS[name]
    if not fewest <= len(arguments) <= most:
        raise FormulaError(f"`{name}` takes {fewest} to {most} values")
    return lambda given: function(*(argument(given) for argument in arguments))


def _expect(tokens: _Tokens, sign: str) -> None:
    if not tokens.skip(sign):
        raise FormulaError(f"`{sign}` is missing before `{tokens.peek() or 'its end'}`")


def _parameter(given: Mapping[str, Scalar], name: str) -> Scalar:
    if name not in given:
        raise FormulaError(f"parameter `{name}` has no value")
    return given[name]


def _truth(value: Value) -> bool:
    if not isinstance(value, bool):
        raise FormulaError(f"{value!r} is not true or false")
    return value


def _equal(one: Value, other: Value) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _number(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormulaError(f"{value!r} is no number")
    return value


_COMPARE: Final[Mapping[str | None, Callable[[Value, Value], bool]]] = {
    "==": _equal,
    "!=": lambda one, other: not _equal(one, other),
    "<": lambda one, other: _number(one) < _number(other),
    "<=": lambda one, other: _number(one) <= _number(other),
    ">": lambda one, other: _number(one) > _number(other),
    ">=": lambda one, other: _number(one) >= _number(other),
}


def _split(text: Value, separator: Value = ",") -> Value:
    if not isinstance(text, str) or not isinstance(separator, str) or not separator:
        raise FormulaError("`split` takes a text and a separator")
    return tuple(part.strip() for part in text.split(separator) if part.strip())


def _range(first: Value, end: Value | None = None) -> Value:
    low, high = (0, _number(first)) if end is None else (_number(first), _number(end))
    if low != int(low) or high != int(high) or high - low > MOST_VALUES:
        raise FormulaError(f"`range` takes whole numbers and gives at most {MOST_VALUES}")
    return tuple(range(int(low), int(high)))


def _json(text: Value) -> Value:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(each, str | int | float) for each in found):
        raise FormulaError("`json` takes a JSON list of texts, numbers, true and false")
    return tuple(found)


_FUNCTIONS: Final[Mapping[str, tuple[Callable[..., Value], int, int]]] = {
    "split": (_split, 1, 2),
    "range": (_range, 1, 2),
    "json": (_json, 1, 1),
}
