"""HAT L2: two lines on any Pi with 40 pins, as constants that firmware, overlay and EEPROM share.

One stereo codec; the RP2040's own ADC reads both lines.
"""

VENDOR = "Branchline"
NAME = "Phone line HAT 2"
ID = "linehat-l2"  # in HELLO, and the overlay's name
PRODUCT_ID = 0x0102
LINES = 2
HOSTS = ("brcm,bcm2835",)

# tip-to-ring volts through the monitor's divider, centred in the ADC's range
OFFSET_COUNTS = 32768
GAIN_UV = 2550

# GPIO numbers of the Pi's header
PI_PINS = {
    "uart tx": 14, "uart rx": 15, "board reset": 4, "boot select": 17,
    "board interrupt": 16, "time pulse": 12,
    "swd clock": 6, "swd data": 13, "i2c data": 2, "i2c clock": 3,
    "i2s clock": 18, "i2s frame": 19, "i2s in": 20, "i2s out": 21,
}  # fmt: skip

# GPIO numbers of the RP2040
MCU_PINS = {
    "uart tx": 0, "uart rx": 1, "one-shot": 2, "lamps": 3, "interrupt": 10, "time pulse": 11,
    "line 1": 26, "line 2": 27,
}  # fmt: skip
ADC = "rp2040"
RING_PINS = (4, 5)
HOOK_PINS = (6, 7)
JOURNAL_ADDRESS = 0x20040000  # SRAM4, which outlives a reset by the watchdog; None: no such memory

# name: (tolerance, where it is from). Nothing here was measured on a board.
SOURCES = {
    "PRODUCT_ID": ("exact", "chosen"),
    "LINES": ("exact", "chosen"),
    "HOSTS": ("exact", "two I2S channels each way: every Pi (bcm2835-i2s in mainline Linux)"),
    "OFFSET_COUNTS": ("5 %, calibrated per line", "half of the ADC's range; proposed circuit"),
    "GAIN_UV": ("3 %, calibrated per line", "3.3 V / 65536 / 0.01975, the divider of 40 Mohm and 806 kohm in "
                "the line monitor's data sheet (CPC5712, page 8)"),
    "PI_PINS": ("exact", "proposed; UART, I2S and ID pins are the Pi's own"),
    "MCU_PINS": ("exact", "proposed; ADC and UART functions as in the RP2040 data sheet, to be checked"),
    "ADC": ("12 bits", "RP2040 data sheet"),
    "RING_PINS": ("exact", "proposed"),
    "HOOK_PINS": ("exact", "proposed"),
    "JOURNAL_ADDRESS": ("exact", "RP2040 data sheet: SRAM4; the image puts nothing there (see its map); "
                        "that a reset leaves it alone was seen in an emulator only, to be checked"),
}  # fmt: skip
