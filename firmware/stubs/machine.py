"""MicroPython's `machine` as fakes that can be driven: for running the chip's port without a chip.

An ADC plays counts, a pin records each change with its time, a UART is a byte pipe, an SPI bus has an MCP3208
on it. Put this folder first on the path, and turn `clock.ms`.
"""


class Clock:
    """The time all fakes go by."""

    ms = 0


clock = Clock()
pins = {}
adcs = {}
uarts = {}
watchdogs = []
spi_counts = [32768] * 8


class Pin:
    """A pin by number; `changes` = [(ms, value), ...]."""

    IN, OUT = 0, 1
    IRQ_RISING, IRQ_FALLING = 4, 8

    def __init__(self, number, mode=IN, value=None):
        self.number, self._value, self.changes, self._handler = number, 0, [], None
        pins[number] = self
        if value is not None:
            self.value(value)

    def value(self, value=None):
        if value is None:
            return self._value
        value = 1 if value else 0
        if value != self._value or not self.changes:
            self.changes.append((clock.ms, value))
        self._value = value

    def irq(self, handler, trigger, hard=False):
        self._handler = handler

    def edge(self):
        """An edge comes in from outside."""
        if self._handler:
            self._handler(self)


class ADC:
    """Plays `counts`: a number, or a list of which one is taken each time."""

    def __init__(self, pin):
        self.counts = 32768
        adcs[pin] = self

    def read_u16(self):
        if isinstance(self.counts, list):
            return self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        return self.counts


class UART:
    """Two byte pipes: `fed` goes to the firmware, `sent` came from it."""

    def __init__(self, number, **settings):
        self.settings, self.fed, self.sent = settings, bytearray(), bytearray()
        uarts[number] = self

    def any(self):
        return len(self.fed)

    def read(self):
        data, self.fed = bytes(self.fed), bytearray()
        return data or None

    def write(self, data):
        self.sent += data
        return len(data)


class SPI:
    """A bus with an MCP3208: 12 bits of `spi_counts` of the channel that is asked for."""

    def __init__(self, number, **settings):
        self.settings = settings

    def write_readinto(self, ask, answer):
        channel = (ask[0] & 1) << 2 | ask[1] >> 6
        counts = spi_counts[channel] >> 4
        answer[1], answer[2] = counts >> 8, counts & 0xFF


class WDT:
    """Counts how often it was fed, and when last."""

    def __init__(self, timeout):
        self.timeout, self.fed_ms, self.feeds = timeout, clock.ms, 0
        watchdogs.append(self)

    def feed(self):
        self.fed_ms = clock.ms
        self.feeds += 1


PWRON_RESET, WDT_RESET = 1, 3
lamps = []


def reset_cause():
    return PWRON_RESET


def bitstream(pin, encoding, timing, data):
    """What would go to the chain of lamps."""
    lamps.append(bytes(data))
