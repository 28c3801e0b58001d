"""The pins of a board on the RP2040: what firmware/linehat asks of a `hal`, with MicroPython's `machine`.

Not yet run on a chip. An MCP3208 is asked in three bytes (its data sheet, figure of 8-bit segments, to be
checked on a board); lamps are a WS2812 chain, three bytes each in the order green, red, blue.
"""

from machine import ADC, SPI, UART, WDT, Pin, bitstream

BAUD = 460800
WATCHDOG_MS = 2000
SPI_HZ = 1000000
BUFFER_BYTES = 1024
BRIGHT = 32
COLOURS = ((0, 0, 0), (BRIGHT, 0, 0), (BRIGHT // 2, BRIGHT, 0), (0, BRIGHT, 0))
WS2812_NS = (400, 850, 800, 450)


class Adc:
    """What reads the lines."""

    def __init__(self, board):
        raise NotImplementedError

    def counts(self, line):
        """0-65535 of a line, from 1."""
        raise NotImplementedError


class OwnAdc(Adc):
    """Lines on the RP2040's own converter."""

    def __init__(self, board):
        self._adcs = [ADC(board.MCU_PINS["line %d" % line]) for line in range(1, board.LINES + 1)]

    def counts(self, line):
        return self._adcs[line - 1].read_u16()


class Mcp3208(Adc):
    """Lines on an MCP3208; 12 bits become the upper ones of 16."""

    def __init__(self, board):
        pins = board.MCU_PINS
        clock, out, into = Pin(pins["adc clock"]), Pin(pins["adc out"]), Pin(pins["adc in"])
        self._spi = SPI(1, baudrate=SPI_HZ, sck=clock, mosi=out, miso=into)
        self._select = Pin(pins["adc select"], Pin.OUT, value=1)
        self._ask, self._answer = bytearray(3), bytearray(3)

    def counts(self, line):
        ask, answer = self._ask, self._answer
        ask[0] = 0x06 | (line - 1) >> 2
        ask[1] = ((line - 1) & 3) << 6
        self._select.value(0)
        self._spi.write_readinto(ask, answer)
        self._select.value(1)
        return ((answer[1] & 0x0F) << 8 | answer[2]) << 4


ADCS = {"rp2040": OwnAdc, "mcp3208": Mcp3208}


class Hal:
    """One board with the pins of its constants; every output is at rest once this is made."""

    def __init__(self, board, ticks):
        pins = board.MCU_PINS
        self._hooks = [Pin(pin, Pin.OUT, value=0) for pin in board.HOOK_PINS]
        self._one_shot = Pin(pins["one-shot"], Pin.OUT, value=0)
        self._lamps, self._lamp_pin = bytearray(3 * board.LINES), Pin(pins["lamps"], Pin.OUT)
        self._waves = [0] * board.LINES
        for index, pin in enumerate(board.RING_PINS):
            Pin(pin, Pin.IN).irq(self._counter(index), Pin.IRQ_RISING | Pin.IRQ_FALLING)
        self.counts = ADCS[board.ADC](board).counts
        self._uart = UART(
            0, baudrate=BAUD, tx=Pin(pins["uart tx"]), rx=Pin(pins["uart rx"]),
            rxbuf=BUFFER_BYTES, txbuf=BUFFER_BYTES,
        )  # fmt: skip
        self._watchdog = WDT(timeout=WATCHDOG_MS)
        self.ticks = ticks
        self.write = self._uart.write

    def _counter(self, index):
        waves = self._waves

        def count(pin):
            waves[index] += 1

        return count

    def half_waves(self, line):
        seen = self._waves[line - 1]
        self._waves[line - 1] -= seen  # edges that came in between stay
        return seen

    def switch(self, line, on):
        self._hooks[line - 1].value(on)

    def switch_is(self, line):
        return self._hooks[line - 1].value()

    def led(self, line, colour):
        self._lamps[3 * line - 3 : 3 * line] = bytes(COLOURS[colour])
        bitstream(self._lamp_pin, 0, WS2812_NS, self._lamps)

    def kick(self):
        self._one_shot.value(1)
        self._one_shot.value(0)

    def feed(self):
        self._watchdog.feed()

    def read(self):
        return self._uart.read() if self._uart.any() else b""
