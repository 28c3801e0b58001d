#!/bin/sh
# Builds the images of the microcontroller out of Debian 13's sources: build/firmware/linehat-<board>.uf2 and .sha256.
#
#   sh firmware/image/build.sh            all boards; what has not changed is not built again
#
# The image is MicroPython for the RP2040 with our program frozen in. TLS is left out: Debian ships MicroPython
# without the sources of its TLS library, and a board that speaks over one wire to one Pi has no use for it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
source="$root/build/micropython/source"
tree="$source/micropython"
out="$root/build/firmware"
boards="l2 l4 l8"
export BRANCHLINE_ROOT="$root" BRANCHLINE_BOARD=l2

hash_of() { # of everything that goes into an image
    (cd "$root" && cat hw/__init__.py hw/wire.py hw/uf2.py hw/l?.py firmware/__init__.py firmware/linehat/*.py \
        firmware/ports/__init__.py firmware/ports/rp2/*.py firmware/image/*.py firmware/image/*.sh \
        firmware/image/boot/*.py | sha256sum | cut -d' ' -f1)
}

prepare() { # Debian's tree, made to build without what Debian took out
    [ -e "$source/prepared" ] && return
    sh "$root/firmware/image/debian13.sh" source
    for library in tinyusb pico-sdk; do
        rm -rf "$tree/lib/$library" && ln -s "$source/libraries/usr/src/$library" "$tree/lib/$library"
    done
    mkdir -p "$tree/lib/micropython-lib" && touch "$tree/lib/micropython-lib/README.md"
    sed -i 's/^set(MICROPY_SSL_MBEDTLS ON)/set(MICROPY_SSL_MBEDTLS OFF)/; /mbedtls_port\.c/d;
            /target_link_libraries.*micropy_lib_mbedtls/d' "$tree/ports/rp2/CMakeLists.txt"
    for name in MICROPY_SSL_MBEDTLS MICROPY_PY_SSL MICROPY_PY_CRYPTOLIB MICROPY_PY_HASHLIB_SHA1; do
        sed -i "s/^\(#define $name  *\)(1)/\1(0)/" "$tree/ports/rp2/mpconfigport.h"
    done
    make -C "$tree/mpy-cross" -j2 >"$source/mpy-cross.log" 2>&1 || { tail -20 "$source/mpy-cross.log" >&2; exit 1; }
    touch "$source/prepared"
}

image() { # one board's
    export BRANCHLINE_BOARD=$1
    mkdir -p "$out/$1"
    printf 'from firmware.ports.rp2.boot import run\nfrom hw import %s\n\nrun(%s)\n' "$1" "$1" >"$out/$1/main.py"
    touch "$root/firmware/image/manifest.py" # another board is another content of the same file
    cmake -S "$tree/ports/rp2" -B "$out/cmake" -G Ninja -DMICROPY_BOARD=RPI_PICO \
        -DMICROPY_BOARD_DIR="$tree/ports/rp2/boards/RPI_PICO" -DPICO_NO_PICOTOOL=1 -DPICO_BUILD_DOCS=0 \
        -DMICROPY_FROZEN_MANIFEST="$root/firmware/image/manifest.py" >"$out/build.log" 2>&1 &&
        ninja -C "$out/cmake" >>"$out/build.log" 2>&1 || { tail -30 "$out/build.log" >&2; exit 1; }
    (cd "$root" && "${PYTHON:-python3}" -m firmware.image.release "$1" "$out/cmake/firmware.bin" "$out/linehat-$1.uf2")
    cp "$out/cmake/firmware.elf.map" "$out/linehat-$1.map"
    (cd "$out" && sha256sum "linehat-$1.uf2" | tee "linehat-$1.uf2.sha256")
}

mkdir -p "$out"
[ "$(cat "$out/built" 2>/dev/null)" = "$(hash_of)" ] && { cat "$out"/*.sha256; exit 0; }
prepare
for board in $boards; do image "$board"; done
hash_of >"$out/built"
