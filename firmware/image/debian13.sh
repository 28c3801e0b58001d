#!/bin/sh
# Brings MicroPython from Debian 13 into build/micropython, beside the system's own packages and never into them.
#
#   sh firmware/image/debian13.sh unix      the unix port, with the C library it was built for
#   sh firmware/image/debian13.sh source    sources of MicroPython, the Pico SDK and TinyUSB
#
# Debian 12 has no MicroPython. The mirror, its keys and its proxy are those the system already uses.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="$root/build/micropython"
what=${1:?wanted: unix or source}

[ -r /etc/apt/sources.list.d/debian.sources ] || {
    echo "debian13: wanted /etc/apt/sources.list.d/debian.sources, to know this machine's mirror; it is not there" >&2
    exit 3
}

apt_state() { # an apt of its own: lists, cache and sources below build/
    mkdir -p "$home/apt/lists/partial" "$home/apt/cache/archives/partial"
    awk 'BEGIN { RS = ""; ORS = "\n\n" } NR == 1' /etc/apt/sources.list.d/debian.sources |
        sed 's/bookworm/trixie/g; s/^Types: deb$/Types: deb deb-src/' >"$home/apt/trixie.sources"
    apt="-oDir::Etc::sourcelist=$home/apt/trixie.sources -oDir::Etc::sourceparts=/dev/null
         -oDir::State::Lists=$home/apt/lists -oDir::Cache=$home/apt/cache -oAPT::Sandbox::User=$(id -un) -qq"
    # shellcheck disable=SC2086 # options, one word each
    apt-get $apt update
}

unix() {
    apt_state
    mkdir -p "$home/debs" "$home/bin"
    (cd "$home/debs" && apt-get $apt download micropython libc6 libffi8 libmbedcrypto16 libmbedtls21 libmbedx509-7)
    rm -rf "$home/unix"
    for package in "$home"/debs/*.deb; do dpkg-deb -x "$package" "$home/unix"; done
    libraries=$(dirname "$(ls "$home"/unix/usr/lib/*/libc.so.6)")
    loader=$(ls "$libraries"/ld-linux-*.so.*)
    cat >"$home/bin/micropython" <<RUN
#!/bin/sh
exec "$loader" --library-path "$libraries" "$home/unix/usr/bin/micropython" "\$@"
RUN
    chmod +x "$home/bin/micropython"
    "$home/bin/micropython" -c 'import sys; print("setup: unix port of MicroPython", sys.version.split()[2])'
}

source() {
    apt_state
    rm -rf "$home/source" && mkdir -p "$home/source" "$home/debs-source"
    (cd "$home/source" && apt-get $apt source micropython && mv micropython-*/ micropython)
    (cd "$home/debs-source" && apt-get $apt download pico-sdk-source tinyusb-source)
    for package in "$home"/debs-source/*.deb; do dpkg-deb -x "$package" "$home/source/libraries"; done
}

$what
