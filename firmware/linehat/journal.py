"""The last 128 events, numbered, in memory that may outlive a reset.

    head   | magic "BLJ2" | u32 journal | u16 boots | u16 hasty boots | CRC-32 |                    16 bytes
    slots  | u32 number | u32 mcu ms | u8 line | u8 kind | u16 data | CRC-32 seeded with journal |   128 x 16

Number n lies in slot n % 128. A slot whose CRC does not hold was half written when the board went
down: it was never sent, so its number is given again. Memory that forgot everything becomes a new journal.
"""

import struct
from binascii import crc32

SLOTS = 128
HEAD = struct.calcsize("<4sIHHI")
SLOT = struct.calcsize("<IIBBHI")
SIZE = HEAD + SLOTS * SLOT
MAGIC = b"BLJ2"


class Journal:
    """Events in `memory` (SIZE writable bytes); `new_id` names the journal if the memory holds none."""

    def __init__(self, memory, new_id: int) -> None:
        self._memory = memory
        self.last = 0
        self.first = 1
        head = bytes(memory[:HEAD])
        magic, self.id, self.boots, self.hasty, crc = struct.unpack("<4sIHHI", head)
        if magic != MAGIC or crc != crc32(head[:-4]):
            self.id, self.boots, self.hasty = new_id, 0, 0
            memory[HEAD:SIZE] = bytes(SIZE - HEAD)
        else:
            self._find()
        self._write_head(self.boots + 1, self.hasty + 1)

    def ran_well(self) -> None:
        """The board has run for a while: earlier resets do not count any more."""
        self._write_head(self.boots, 0)

    def add(self, mcu_ms: int, line: int, kind: int, data: int) -> int:
        """Keep one more event, over the oldest if need be; return its number."""
        number = self.last + 1
        record = struct.pack("<IIBBH", number, mcu_ms, line, kind, min(data, 65535))
        at = HEAD + number % SLOTS * SLOT
        self._memory[at : at + SLOT] = record + struct.pack("<I", crc32(record, self.id))
        self.last = number
        self.first = max(self.first, number - SLOTS + 1)
        return number

    def record(self, number: int):
        """(number, mcu_ms, line, kind, data), or None where the memory is damaged."""
        return self._slot(number % SLOTS)

    def _slot(self, slot: int):
        at = HEAD + slot * SLOT
        record = bytes(self._memory[at : at + SLOT])
        if crc32(record[:-4], self.id) != struct.unpack("<I", record[-4:])[0]:
            return None
        found = struct.unpack("<IIBBH", record[:-4])
        return found if found[0] and found[0] % SLOTS == slot else None

    def _find(self) -> None:
        numbers = [found[0] for found in map(self._slot, range(SLOTS)) if found]
        self.last = max(numbers) if numbers else 0
        self.first = self.last + 1
        while self.first - 1 in numbers:
            self.first -= 1

    def _write_head(self, boots: int, hasty: int) -> None:
        self.boots, self.hasty = boots & 0xFFFF, min(hasty, 0xFFFF)
        head = struct.pack("<4sIHH", MAGIC, self.id, self.boots, self.hasty)
        self._memory[:HEAD] = head + struct.pack("<I", crc32(head))
