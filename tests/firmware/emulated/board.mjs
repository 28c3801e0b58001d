// An RP2040 that runs the built image, turned by whoever talks to it: one JSON object in, one out, a line each.
//
//   node board.mjs IMAGE.bin BOOTROM.bin '{"adc": "rp2040" | "mcp3208", "lines": 8, "channels": [converter channels],
//                                          "select": pin, "ring_pins": [...], "outputs": [pins to be told of]}'
//
//   in    {"run_ms": 10, "counts": [16 bits a line], "edges": [[line, after_ms], ...], "bytes": "hex", "hang": bool}
//   out   {"ms": 1234.5, "bytes": "hex", "pins": [[ms, pin, 0|1], ...], "resets": 0}
//
// `hang` stops the processor and leaves everything else running, as a program that has lost its way would.
// Time is the emulator's own, so the same script gives the same answers on any machine.
import fs from "node:fs";
import readline from "node:readline";
import { ConsoleLogger, GPIOPinState, LogLevel, RP2040, Simulator } from "rp2040js";

const FLASH_START = 0x10000000;
const CYCLE_NS = 1e9 / 125e6;
const UART_TX_INTERRUPT = 1 << 5;
const TIMER_RESET = 1; // in the watchdog's REASON
const [imagePath, bootRomPath, settings] = process.argv.slice(2);
const board = JSON.parse(settings);
const image = fs.readFileSync(imagePath);
const bootRom = new Uint32Array(new Uint8Array(fs.readFileSync(bootRomPath)).buffer);
const { clock } = new Simulator();
const counts = new Array(board.lines).fill(32768);
let sent = [];
let pins = [];
let resets = 0;
let mcu = null;
let bitten = false;
let hung = false;

function start(before) {
  mcu = new RP2040(clock);
  mcu.logger = new ConsoleLogger(LogLevel.Error, false);
  mcu.loadBootrom(bootRom);
  mcu.flash.set(image);
  if (before) { // what a watchdog's reset leaves as it is (RP2040 data sheet, 2.13 and 4.7)
    mcu.sram.set(before.sram);
    watchdog(mcu).scratchData.set(watchdog(before).scratchData);
    watchdog(mcu).reason = TIMER_RESET;
  }
  watchdog(mcu).onWatchdogTrigger = bite;
  mcu.core.PC = FLASH_START;
  joinUart(mcu.uart[0]);
  if (board.adc === "mcp3208") joinConverter();
  for (const number of board.outputs) mcu.gpio[number].addListener((state) => note(number, state));
}

function bite() {
  bitten = true;
  watchdog(mcu).alarm.enable = false; // or the emulator counts zero again, for ever
}

const watchdog = (chip) => chip.peripherals[0x40058];

function joinUart(uart) {
  // The emulator raises the transmit interrupt for ever, and MicroPython waits for its end.
  uart.checkInterrupts = function () {
    this.rp2040.setInterrupt(this.irq, !!(this.interruptStatus & this.interruptMask & ~UART_TX_INTERRUPT));
  };
  uart.onByte = (byte) => sent.push(byte);
}

function joinConverter() {
  // MCP3208 on SPI 1: start bit, single ended and channel in; 12 bits out (data sheet, figure of 8-bit segments).
  let asked = [];
  mcu.gpio[board.select].addListener((state) => state === GPIOPinState.Low && (asked = []));
  mcu.spi[1].onTransmit = (byte) => {
    asked.push(byte);
    const channel = ((asked[0] & 1) << 2) | (asked[1] >> 6);
    const value = (counts[channel] ?? 0) >> 4;
    mcu.spi[1].completeTransmit(asked.length === 2 ? value >> 8 : asked.length === 3 ? value & 0xff : 0);
  };
}

function note(pin, state) {
  if (state !== GPIOPinState.Low && state !== GPIOPinState.High) return;
  const isHigh = state === GPIOPinState.High;
  mcu.gpio[pin].setInputValue(isHigh); // a driven pad reads as what it is driven to; the emulator leaves that out
  pins.push([clock.nanos / 1e6, pin, isHigh ? 1 : 0]);
}

function run(ms) {
  const until = clock.nanos + ms * 1e6;
  while (clock.nanos < until) {
    if (bitten) {
      bitten = false;
      hung = false;
      resets += 1;
      for (let alarm = clock.nextAlarm; alarm; alarm = clock.nextAlarm) alarm.cancel(); // of the chip that was
      start(mcu);
    }
    if (hung) clock.tick(1000);
    else if (mcu.core.waiting) clock.tick(Math.max(CYCLE_NS, Math.min(clock.nanosToNextAlarm, until - clock.nanos)));
    else clock.tick(mcu.core.executeInstruction() * CYCLE_NS);
  }
}

function answer(order) {
  if (order.counts) order.counts.forEach((value, index) => (counts[index] = value));
  if (board.adc === "rp2040")
    board.channels.forEach((channel, index) => (mcu.adc.channelValues[channel] = counts[index] >> 4));
  for (const [line, afterMs] of order.edges ?? []) {
    const pin = mcu.gpio[board.ring_pins[line - 1]];
    clock.createAlarm(() => pin.setInputValue(!pin.inputValue)).schedule(afterMs * 1e6);
  }
  hung ||= Boolean(order.hang);
  feed([...Buffer.from(order.bytes ?? "", "hex")]);
  run(order.run_ms);
  const told = { ms: clock.nanos / 1e6, bytes: Buffer.from(sent).toString("hex"), pins, resets };
  sent = [];
  pins = [];
  return told;
}

function feed(bytes) {
  const BYTE_NS = 1e10 / 460800;
  bytes.forEach((byte, index) => clock.createAlarm(() => mcu.uart[0].feedByte(byte)).schedule((index + 1) * BYTE_NS));
}

start(null);
for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  process.stdout.write(JSON.stringify(answer(order)) + "\n");
}
