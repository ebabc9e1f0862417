#!/usr/bin/env python3
"""Converts the recording of a rat on a linear track (nelpy's example data: `spikes.mat` in MATLAB's format 5 and
`trajectory.videoPositionTracking` in Trodes') to two NumPy arrays of named fields, sorted by time:

  spikes.npy    time (s, <f8), unit (from 0 on, <u2): which unit fired when
  position.npy  time (s, <f8), x, y (camera pixels, <f8): where the rat was

Usage: linear_track.py FOLDER_WITH_BOTH FOLDER_FOR_BOTH. Needs Python 3.9 or later and nothing else. Running it again gives the
same bytes. Source of the format: *MAT-File Format*, The MathWorks, version 5.
"""

import re
import struct
import sys
import zlib
from pathlib import Path

# Codes of a data element: how many bytes a number has, and what it is to `struct`.
NUMBERS = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}
MATRIX, COMPRESSED = 14, 15
CELL, STRUCTURE = 1, 2
TRODES = {"uint8": "B", "uint16": "H", "uint32": "I", "int16": "h", "int32": "i", "double": "d"}


def elements(data):
    """The elements of some bytes, each with its code: long ones fill up to 8 bytes, short ones sit in their tag."""
    at = 0
    while at + 8 <= len(data):
        code, length = struct.unpack_from("<II", data, at)
        if code >> 16:
            code, length = code & 0xFFFF, code >> 16
            yield code, data[at + 4 : at + 4 + length]
            at += 8
            continue
        body = data[at + 8 : at + 8 + length]
        if code == COMPRESSED:
            yield from elements(zlib.decompress(body))
            at += 8 + length
        else:
            yield code, body
            at += 8 + (length + 7) // 8 * 8


def numbers(code, data):
    return list(struct.unpack(f"<{len(data) // struct.calcsize(NUMBERS[code])}{NUMBERS[code]}", data))


def matrix(data):
    """A matrix's name and what is in it: a list of cells, a list of structures (dictionaries), or a list of numbers."""
    parts = list(elements(data))
    if not parts:
        return "", []
    kind = numbers(*parts[0])[0] & 0xFF
    name = parts[2][1].decode("ascii")
    if kind == CELL:
        return name, [matrix(body)[1] for _, body in parts[3:]]
    if kind == STRUCTURE:
        width = numbers(*parts[3])[0]
        names = parts[4][1]
        fields = [names[at : at + width].split(b"\0")[0].decode("ascii") for at in range(0, len(names), width)]
        values = [matrix(body)[1] for _, body in parts[5:]]
        rows = range(0, len(values), len(fields))
        return name, [dict(zip(fields, values[row : row + len(fields)])) for row in rows]
    return name, numbers(*parts[3]) if len(parts) > 3 else []


def units(content):
    """The spike times of each unit that fired: tetrodes, and clusters within them, are cells around structures."""
    for part in content:
        if isinstance(part, dict):
            if part["time"]:
                yield part["time"]
        elif isinstance(part, list):
            yield from units(part)


def spikes(path):
    data = path.read_bytes()
    if data[124:128] != b"\x00\x01IM":
        sys.exit(f"{path}: expected a MATLAB file of format 5, little-endian, found {data[:20]!r}")
    found = dict(matrix(body) for code, body in elements(data[128:]) if code == MATRIX)
    rows = [(time, unit) for unit, train in enumerate(units(found.get("spikes", []))) for time in train]
    if not rows:
        sys.exit(f"{path}: expected spike times in the variable `spikes`, found none")
    return sorted(rows)


def position(path):
    header, found, body = path.read_bytes().partition(b"<End settings>\n")
    settings = dict(re.findall(r"^([\w ]+): *(.*)$", header.decode("ascii", "replace"), re.MULTILINE))
    if not found or "clockrate" not in settings or "Fields" not in settings:
        sys.exit(f"{path}: expected a header with `clockrate` and `Fields` up to <End settings>")
    fields = re.findall(r"<(\w+) (\w+)>", settings["Fields"])
    record = struct.Struct("<" + "".join(TRODES[kind] for _, kind in fields))
    time, x, y = ([name for name, _ in fields].index(name) for name in ("time", "xloc", "yloc"))
    clock = float(settings["clockrate"])
    whole = body[: len(body) // record.size * record.size]
    rows = [(frame[time] / clock, float(frame[x]), float(frame[y])) for frame in record.iter_unpack(whole)]
    rows.sort(key=lambda row: row[0])
    # A frame that came twice, or right behind another: the first of both counts.
    return [row for at, row in enumerate(rows) if at == 0 or row[0] - rows[at - 1][0] > 1e-3]


def save(path, fields, rows):
    """Writes named fields as `numpy.save` does."""
    header = f"{{'descr': {fields!r}, 'fortran_order': False, 'shape': ({len(rows)},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    row = struct.Struct("<" + "".join({"<f8": "d", "<u2": "H"}[kind] for _, kind in fields))
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode("ascii"))
        file.writelines(row.pack(*values) for values in rows)
    print(f"{path.name}: {len(rows)} rows, {rows[0][0]:.4f} to {rows[-1][0]:.4f} s")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    files = [source / "spikes.mat", source / "trajectory.videoPositionTracking"]
    for file in files:
        if not file.is_file():
            sys.exit(f"linear_track.py: {file}: expected a file of nelpy's recording, found none; give the folder that has both")
    trains, track = spikes(files[0]), position(files[1])
    target.mkdir(parents=True, exist_ok=True)
    save(target / "spikes.npy", [("time", "<f8"), ("unit", "<u2")], trains)
    save(target / "position.npy", [("time", "<f8"), ("x", "<f8"), ("y", "<f8")], track)


if __name__ == "__main__":
    main()
