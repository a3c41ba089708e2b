"""Cuts a page that the JSON decoder refused into pieces, by matching brackets and quotes only.

Iterative, so that 100,000-deep nesting is just a long piece; linear in the length of the page. What the pieces are
worth is for the caller to find out: each is decoded by itself afterwards.
"""

import re

import msgspec

MAX_DEPTH = 200

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{}]', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BLANK = re.compile(rb"[ \t\r\n]*+")
_BARE = re.compile(rb'[^\s,\[\]{}":]*+')
_NEXT_ENTRY = re.compile(rb',\s*+(\{\s*+"(?:fullUrl|resource|link|search|request|response)"\s*+:)')
_OPEN = {ord("["): ord("]"), ord("{"): ord("}")}


class Piece(msgspec.Struct, frozen=True):
    """A stretch of bytes that should be one value; `balanced` is False when its brackets or quotes do not match."""

    start: int
    end: int
    balanced: bool = True


class Broken(Exception):
    """Brackets or quotes do not match, or the bytes end too early; `position` says how far the walk came."""

    def __init__(self, position: int = 0) -> None:
        super().__init__("brackets or quotes do not match")
        self.position = position


def too_deep(body: bytes) -> bool:
    """Whether a value nests deeper than 200. Counting brackets first keeps this free for ordinary records."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKEN.finditer(body):
        mark = body[token.start()]
        if mark in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif mark in b"]}":
            depth -= 1
    return False


def value_end(data: bytes, start: int) -> int:
    """Where the value that begins at `start` ends (exclusive).

    Raises:
        Broken: it does not end, or a bracket closes what was not opened.
    """
    mark = data[start : start + 1]
    if mark == b'"':
        string = _STRING.match(data, start)
        if string is None:
            raise Broken
        return string.end()
    if mark not in (b"{", b"["):
        bare = _BARE.match(data, start)
        if bare is None or bare.end() == start:
            raise Broken
        return bare.end()
    expected = bytearray()
    for token in _TOKEN.finditer(data, start):
        byte = data[token.start()]
        if byte in _OPEN:
            expected.append(_OPEN[byte])
        elif byte in b"]}":
            if expected.pop() != byte:
                raise Broken(token.start())
            if not expected:
                return token.end()
        elif token.end() == token.start() + 1:  # a quote that never closes
            raise Broken(token.start())
    raise Broken(len(data))


class Cut(msgspec.Struct):
    """An object cut apart: its members by key, the elements of its `entry` array, whether and where it closed."""

    members: dict[str, Piece]
    elements: list[Piece]
    complete: bool = True
    end: int = 0


def cut(data: bytes, start: int = 0) -> Cut:
    """Cuts the object at `start` into its members, and every `entry` array in it into its elements.

    Never raises: what cannot be followed, or stands behind the object's end, ends the walk with `complete` False, and
    what looks like Bundle entries behind that place is added to the elements.
    """
    found = Cut({}, [])
    try:
        _walk(data, start, found)
        found.complete = _skip(data, found.end) == len(data)
    except Broken:
        found.complete = False
    if not found.complete and (found.elements or found.members):
        _gather(data, found.end, found.elements)
    return found


def _walk(data: bytes, start: int, found: Cut) -> None:
    position = _skip(data, start)
    if data[position : position + 1] != b"{":
        raise Broken
    position = _skip(data, position + 1)
    while data[position : position + 1] != b"}":
        if data[position : position + 1] != b'"':
            raise Broken
        key_end = value_end(data, position)
        colon = _skip(data, key_end)
        if data[colon : colon + 1] != b":":
            raise Broken
        key = data[position + 1 : key_end - 1].decode("utf-8", "replace")
        begin = _skip(data, colon + 1)
        if key == "entry" and data[begin : begin + 1] == b"[":
            found.end = len(data)
            end = _elements(data, begin, found.elements)
        else:
            end = value_end(data, begin)
            found.members[key] = Piece(begin, end)
        found.end = end
        position = _after_comma(data, end, b"}")
    found.end = position + 1


def _gather(data: bytes, position: int, pieces: list[Piece]) -> None:
    patience = 4 * len(data) + 100_000
    following = _NEXT_ENTRY.search(data, position)
    while following is not None and patience > 0:
        start = following.start(1)
        try:
            end = value_end(data, start)
            pieces.append(Piece(start, end))
        except Broken as broken:
            patience -= max(0, broken.position - start)
            end = start + 1
        following = _NEXT_ENTRY.search(data, end - 1)


def _elements(data: bytes, start: int, pieces: list[Piece]) -> int:
    """Appends the array's elements and returns where the array ends.

    Where brackets stop matching, the walk goes on at the next thing that looks like the beginning of a Bundle entry,
    as long as that does not mean to read the page more than a few times over.
    """
    patience = 4 * len(data) + 100_000
    position = _skip(data, start + 1)
    while data[position : position + 1] != b"]":
        try:
            end = value_end(data, position)
            after = _after_comma(data, end, b"]")
        except Broken as broken:
            patience -= max(0, broken.position - position)
            following = _NEXT_ENTRY.search(data, position + 1) if patience > 0 else None
            if following is None:
                if position < len(data):
                    pieces.append(Piece(position, len(data), balanced=False))
                raise
            pieces.append(Piece(position, following.start(), balanced=False))
            position = following.start(1)
            continue
        pieces.append(Piece(position, end))
        position = after
    return position + 1


def split_again(data: bytes, piece: Piece) -> list[Piece]:
    """A piece that did not decode, cut wherever something looks like the beginning of another Bundle entry.

    A quote too many in one entry can make it swallow its neighbours; this gives them back.
    """
    pieces = []
    start = piece.start
    for following in _NEXT_ENTRY.finditer(data, piece.start, piece.end):
        pieces.append(Piece(start, following.start(), balanced=False))
        start = following.start(1)
    return [*pieces, Piece(start, piece.end, piece.balanced)] if pieces else [piece]


def _skip(data: bytes, position: int) -> int:
    blank = _BLANK.match(data, position)
    return blank.end() if blank is not None else position


def _after_comma(data: bytes, position: int, closing: bytes) -> int:
    position = _skip(data, position)
    mark = data[position : position + 1]
    if mark == b",":
        return _skip(data, position + 1)
    if mark != closing:
        raise Broken
    return position
