"""The table of messages: packed they give its bytes, and its bytes give them back."""

# ruff: noqa: UP031

import json

from hw import wire
from tests.firmware.mp.check import check, done, refused


def plain(value):
    """As JSON would write it."""
    if isinstance(value, (tuple, list)):
        return [plain(one) for one in value]
    return "".join(["%02x" % one for one in value]) if isinstance(value, (bytes, bytearray)) else value


def unhex(text):
    return bytes([int(text[at : at + 2], 16) for at in range(0, len(text), 2)])


def fields(name, values):
    if name == "HELLO":
        major, minor, lines, cause, boots, board = values
        return [board, lines, cause, boots, major, minor]
    if name in ("COMMAND", "REPLY"):
        return [values[0], values[1], unhex(values[2])]
    if name == "READINGS":
        return [values[0], values[1], [tuple(row) for row in values[2]]]
    return values


with open("tests/data/wire.json") as file:
    table = json.load(file)

stream = b""
for row in table["messages"]:
    name, values, frame = row["message"], row["fields"], unhex(row["bytes"])
    number, pack, unpack = wire.MESSAGES[name]
    packed = wire.pack(number, row["seq"], pack(*fields(name, values)))
    check("%s packs" % name, packed == frame)
    kind, seq, body = wire.unpack(frame[:-1])
    check("%s head" % name, (kind, seq) == (number, row["seq"]))
    check("%s unpacks" % name, plain(unpack(body)) == values)
    stream += frame

deframer = wire.Deframer()
found = []
for byte in stream:
    found += deframer.feed(bytes([byte]))
check("byte by byte", len(found) == len(table["messages"]) and deframer.refused == 0)

for row in table["refused"]:
    refused(row["why"], wire.WireError, wire.MESSAGES[row["message"]][2], unhex(row["body"]))

# every single-bit change of one frame is refused
frame = unhex(table["messages"][-1]["bytes"])
for bit in range(8 * (len(frame) - 1)):
    damaged = bytearray(frame)
    damaged[bit // 8] ^= 1 << bit % 8
    deframer = wire.Deframer()
    check("bit %d" % bit, deframer.feed(bytes(damaged)) == [] and deframer.refused > 0)

done()
