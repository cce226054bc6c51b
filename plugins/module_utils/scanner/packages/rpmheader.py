# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One rpm header as the databases hold it: index entries and a store (RPM's own "RPM v4 header format")."""

from __future__ import annotations

import struct
import typing as t

from ...model import Package

Why = t.Callable[[str], Exception]

MAX_HEADER = 64 * 1024 * 1024
MAX_ENTRIES = 65536

_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_INSTALLTIME, _VENDOR, _ARCH, _SOURCERPM = 1008, 1011, 1022, 1044
_SHA1HEADER, _SHA256HEADER = 269, 273
_SIGNATURES = (268, 267, 259, 262)  # RSAHEADER, DSAHEADER, SIGPGP, SIGGPG
_INT32, _STRING, _BIN, _STRING_ARRAY, _I18N = 4, 6, 7, 8, 9
_WANTED = frozenset(
    (
        _NAME,
        _VERSION,
        _RELEASE,
        _EPOCH,
        _INSTALLTIME,
        _VENDOR,
        _ARCH,
        _SOURCERPM,
        _SHA1HEADER,
        _SHA256HEADER,
        *_SIGNATURES,
    )
)


def parse_header(blob: bytes, why: Why) -> Package:
    """The package of one header blob; raises what `why` makes of a sentence where it is not one."""
    values = dict(_entries(blob, why))

    def text(tag: int) -> str:
        value = values.get(tag, "")
        return value if isinstance(value, str) else ""

    def number(tag: int) -> int:
        value = values.get(tag, 0)
        return value if isinstance(value, int) else 0

    if not text(_NAME) or not text(_VERSION) or not text(_RELEASE):
        raise why("a header has no name, version or release")
    return Package(
        name=text(_NAME),
        version=text(_VERSION),
        release=text(_RELEASE),
        epoch=number(_EPOCH),
        arch=text(_ARCH),
        manager="rpm",
        source=text(_SOURCERPM),
        vendor=text(_VENDOR)[:200],
        key_id=_key_id(values),
        installed_at=number(_INSTALLTIME),
        digest=text(_SHA256HEADER) or text(_SHA1HEADER),
    )


def _entries(blob: bytes, why: Why) -> t.Iterator[tuple[int, t.Union[str, int, bytes]]]:
    if len(blob) < 8 or len(blob) > MAX_HEADER:
        raise why(f"a header of {len(blob)} bytes")
    count, length = struct.unpack_from(">II", blob)
    store = 8 + 16 * count
    if not 0 < count <= MAX_ENTRIES or store + length > len(blob):
        raise why(f"a header that claims {count} entries and {length} bytes, in {len(blob)}")
    for place in range(8, store, 16):
        tag, kind, offset, items = struct.unpack_from(">IIiI", blob, place)
        if tag not in _WANTED or not items:
            continue
        if not 0 <= offset < length:
            raise why(f"the entry {tag} of a header points outside of it")
        start = store + offset
        if kind in (_STRING, _STRING_ARRAY, _I18N):
            end = blob.find(b"\0", start, store + length)
            if end < 0:
                raise why(f"the entry {tag} of a header has no end")
            yield tag, blob[start:end].decode("utf-8", "replace")
        elif kind == _INT32 and start + 4 <= len(blob):
            yield tag, struct.unpack_from(">I", blob, start)[0]
        elif kind == _BIN:
            if offset + items > length:
                raise why(f"the entry {tag} of a header is longer than it")
            yield tag, blob[start : start + items]


def _key_id(values: t.Mapping[int, t.Union[str, int, bytes]]) -> str:
    for tag in _SIGNATURES:
        value = values.get(tag)
        if isinstance(value, bytes):
            found = signature_key_id(value)
            if found:
                return found
    return ""


def signature_key_id(packet: bytes) -> str:
    """16 hex digits of the key of an OpenPGP signature packet (RFC 4880, 5.2); empty where it names none."""
    try:
        body = _packet_body(packet)
        if body[0] == 3:
            return body[7:15].hex() if body[1] == 5 and len(body) >= 15 else ""
        if body[0] != 4:
            return ""
        place = 4
        for _unused in range(2):
            (length,) = struct.unpack_from(">H", body, place)
            found = _issuer(body[place + 2 : place + 2 + length])
            if found:
                return found
            place += 2 + length
    except (IndexError, struct.error):
        return ""
    return ""


def _packet_body(packet: bytes) -> bytes:
    first = packet[0]
    if first & 0x40:
        if first & 0x3F != 2:
            return b"\0"
        size = packet[1]
        if size < 192:
            return packet[2 : 2 + size]
        if size < 224:
            return packet[3 : 3 + ((size - 192) << 8) + packet[2] + 192]
        return packet[6 : 6 + struct.unpack_from(">I", packet, 2)[0]]
    if (first >> 2) & 0xF != 2:
        return b"\0"
    width = 1 << (first & 3)
    return packet[1 + width : 1 + width + int.from_bytes(packet[1 : 1 + width], "big")]


def _issuer(subpackets: bytes) -> str:
    place, fingerprint = 0, ""
    while place < len(subpackets):
        size = subpackets[place]
        place += 1
        if size >= 192:
            size = ((size - 192) << 8) + subpackets[place] + 192
            place += 1
        kind, data = subpackets[place] & 0x7F, subpackets[place + 1 : place + size]
        if kind == 16 and len(data) == 8:
            return data.hex()
        if kind == 33 and len(data) == 21:
            fingerprint = data[-8:].hex()
        place += max(size, 1)
    return fingerprint
