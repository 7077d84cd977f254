#!/bin/sh
# Installs claudemesh for the user who runs it: no root, no runtime, one file.
#
#   CLAUDEMESH_UPDATE_URL  the address of the folder in which the release lies
#   PREFIX                 where to; the program goes into PREFIX/bin (~/.local)
#
# The program's checksum is always checked. The signature over the checksums is
# checked as well, where this script was made by a signed release and openssl is
# there and can (3 or later); otherwise the script says that it was not.
set -eu

url=${CLAUDEMESH_UPDATE_URL:-'@LATEST@'}
public_key='@PUBLIC_KEY@'

say() { printf '%s\n' "$*" >&2; }
die() {
  say "install: $1"
  shift
  for line; do say "  $line"; done
  exit 1
}

case $url in
  '' | @*) die "no address to install from" "set CLAUDEMESH_UPDATE_URL to that of a folder with a release" ;;
  https://* | http://127.0.0.1[:/]* | http://localhost[:/]*) url=${url%/} ;;
  *) die "$url is not encrypted" "use an address that begins with https://" ;;
esac

case $(uname -s) in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) die "there is no program for $(uname -s) here" "on Windows use winget or the .exe itself" ;;
esac
case $(uname -m) in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) die "there is no program for $(uname -m)" "build it from the source: make install" ;;
esac
program=claudemesh-$os-$arch

if [ -z "${PREFIX:-}" ]; then
  [ -n "${HOME:-}" ] || die "neither PREFIX nor HOME is set" "set PREFIX to the folder to install below"
  PREFIX=$HOME/.local
fi
bin=$PREFIX/bin
mkdir -p "$bin" || die "$bin cannot be made" "set PREFIX to a folder that is yours"
# In the same folder, so that the last step is a rename.
work=$(mktemp -d "$bin/.claudemesh-install-XXXXXX") || die "$bin cannot be written to" "set PREFIX to a folder that is yours"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# get NAME MOST: fetch a file of at most that many bytes.
get() {
  if command -v curl >/dev/null 2>&1; then
    curl -fsSL --proto-redir '=https,http' --max-filesize "$2" --connect-timeout 20 --speed-time 30 --speed-limit 1 --max-time 900 \
      -o "$work/$1" "$url/$1" || return 1
  elif command -v wget >/dev/null 2>&1; then
    wget -q -T 30 -t 1 -O "$work/$1" "$url/$1" || return 1
  else
    die "neither curl nor wget is here" "install one of them"
  fi
  [ "$(wc -c <"$work/$1")" -le "$2" ]
}

get SHA256SUMS 65536 || die "$url/SHA256SUMS cannot be fetched" "check the address and the network, then try again"

if [ "${public_key#-----BEGIN}" = "$public_key" ]; then
  say "Note: this script has no key in it, so only checksums are checked."
else
  get SHA256SUMS.sig 1024 || die "the release is not signed" "do not install it"
  printf '%s\n' "$public_key" >"$work/key.pem"
  if command -v openssl >/dev/null 2>&1 && openssl pkey -pubin -in "$work/key.pem" -noout >/dev/null 2>&1 &&
    openssl pkeyutl -help 2>&1 | grep -q -e -rawin; then
    openssl pkeyutl -verify -pubin -inkey "$work/key.pem" -rawin -in "$work/SHA256SUMS" -sigfile "$work/SHA256SUMS.sig" >/dev/null 2>&1 ||
      die "the signature of the release does not hold" "do not install it; tell whoever publishes it"
    say "The signature of the release holds."
  else
    say "Note: there is no openssl here that knows Ed25519, so only checksums are checked."
  fi
fi

want=$(awk -v name="$program" '$2 == name { print $1 }' "$work/SHA256SUMS")
[ "${#want}" -eq 64 ] || die "the release has no program for $os/$arch" "build it from the source: make install"
get "$program" 268435456 || die "$url/$program cannot be fetched" "check the network, then try again"
if command -v sha256sum >/dev/null 2>&1; then
  have=$(sha256sum "$work/$program")
elif command -v shasum >/dev/null 2>&1; then
  have=$(shasum -a 256 "$work/$program")
else
  die "neither sha256sum nor shasum is here" "install one of them"
fi
[ "${have%% *}" = "$want" ] || die "the program is not what its checksum says" "try again; if it stays so, do not install it"

chmod 0755 "$work/$program"
version=$("$work/$program" --version) || die "the program does not run on this machine"
mv -f "$work/$program" "$bin/claudemesh"
say "Installed$version as $bin/claudemesh"
case ":${PATH:-}:" in
  *":$bin:"*) ;;
  *) say "Add it to your PATH: export PATH=\"$bin:\$PATH\"" ;;
esac
say "Next: claudemesh --help"
