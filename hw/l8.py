"""HAT L8: eight lines on a Pi 5, as constants that firmware, overlay and EEPROM share.

Four stereo lanes each way of converters set by straps; an MCP3208 reads the lines.
"""

VENDOR = "Branchline"
NAME = "Phone line HAT 8"
ID = "linehat-l8"  # in HELLO, and the overlay's name
PRODUCT_ID = 0x0108
LINES = 8
HOSTS = ("brcm,bcm2712",)

# tip-to-ring volts through the monitor's divider, centred in the ADC's range
OFFSET_COUNTS = 32768
GAIN_UV = 2550

# GPIO numbers of the Pi's header
PI_PINS = {
    "uart tx": 14, "uart rx": 15, "board reset": 4, "boot select": 17,
    "board interrupt": 16, "time pulse": 12,
    "swd clock": 6, "swd data": 13, "i2s clock": 18, "i2s frame": 19, "i2s in 0": 20, "i2s in 1": 22,
    "i2s in 2": 24, "i2s in 3": 26, "i2s out 0": 21, "i2s out 1": 23, "i2s out 2": 25, "i2s out 3": 27,
}  # fmt: skip

# GPIO numbers of the RP2040
MCU_PINS = {
    "uart tx": 0, "uart rx": 1, "one-shot": 2, "lamps": 3, "interrupt": 6, "time pulse": 7,
    "adc in": 8, "adc select": 9, "adc clock": 10, "adc out": 11,
}  # fmt: skip
ADC = "mcp3208"
RING_PINS = (12, 13, 14, 15, 16, 17, 18, 19)
HOOK_PINS = (20, 21, 22, 23, 24, 25, 26, 27)
JOURNAL_ADDRESS = 0x20040000  # SRAM4, which outlives a reset by the watchdog; None: no such memory

# name: (tolerance, where it is from). Nothing here was measured on a board.
SOURCES = {
    "PRODUCT_ID": ("exact", "chosen"),
    "LINES": ("exact", "chosen"),
    "HOSTS": ("exact", "more than two I2S channels each way: Pi 5 (raspberrypi/linux PRs 5993, 6353, 6662)"),
    "OFFSET_COUNTS": ("5 %, calibrated per line", "half of the ADC's range; proposed circuit"),
    "GAIN_UV": ("3 %, calibrated per line", "3.3 V / 65536 / 0.01975, the divider of 40 Mohm and 806 kohm in "
                "the line monitor's data sheet (CPC5712, page 8)"),
    "PI_PINS": ("exact", "proposed; UART, I2S and ID pins are the Pi's own"),
    "MCU_PINS": ("exact", "proposed; ADC and UART functions as in the RP2040 data sheet, to be checked"),
    "ADC": ("12 bits", "MCP3208 data sheet, to be checked"),
    "RING_PINS": ("exact", "proposed"),
    "HOOK_PINS": ("exact", "proposed"),
    "JOURNAL_ADDRESS": ("exact", "RP2040 data sheet: SRAM4; the image puts nothing there (see its map); "
                        "that a reset leaves it alone was seen in an emulator only, to be checked"),
}  # fmt: skip
