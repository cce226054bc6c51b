#!/bin/sh
# A customize hook of mmdebstrap: takes the packages $LEGACY out of a copy of the root $1, as `RUN apt-get purge` would, and
# leaves in the root what a layer for that needs: scap-repair.tar (what changed) and scap-repair.gone (what is gone).
set -eu
root=$1
copy=$root/scap-copy

list() {
    (cd "$1" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./scap-copy \) -prune -o -print | sort)
}

mkdir "$copy"
tar -C "$root" --one-file-system --exclude=./proc --exclude=./sys --exclude=./dev --exclude=./scap-copy -cf - . | tar -C "$copy" -xpf -
mkdir "$copy/proc" "$copy/sys" "$copy/dev"
: >"$copy/dev/null"
list "$copy" >"$root/scap-before"
touch "$root/scap-stamp"
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive chroot "$copy" dpkg --purge --force-depends $LEGACY
list "$copy" >"$root/scap-after"
comm -23 "$root/scap-before" "$root/scap-after" >"$root/scap-repair.gone"
(cd "$copy" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev \) -prune -o -cnewer "$root/scap-stamp" -print) |
    tar -C "$copy" --no-recursion --numeric-owner --files-from=- -cf "$root/scap-repair.tar"
rm -r "$copy" "$root/scap-before" "$root/scap-after" "$root/scap-stamp"
