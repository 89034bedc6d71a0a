#!/bin/sh
# Makes debian:SUITE-slim from Debian's packages: `debian.sh SUITE`. For where no registry can be pulled from;
# needs root, debootstrap and a Docker daemon. The mirror is the one that this machine's apt uses, and the
# machine's own certificate authorities go along, so that builds trust what the machine trusts.
set -eu
suite=$1
name="debian:$suite-slim"
# The word in quotes is for apt.
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep /debian | grep -v security | head -n 1)
root=$(mktemp -d "${TMPDIR:-/tmp}/roomcast-debian.XXXXXX")
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates "$suite" "$root/fs" "$mirror" >"$root/log" 2>&1 ||
  { tail -n 5 "$root/log" >&2; exit 1; }
cp -L /etc/ssl/certs/ca-certificates.crt "$root/fs/etc/ssl/certs/ca-certificates.crt"
rm -rf "$root"/fs/var/cache/apt/*.bin "$root"/fs/var/cache/apt/archives/*.deb "$root"/fs/var/lib/apt/lists/*
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
tar -C "$root/fs" -c . | docker import -c "ENV PATH=$path" -c 'CMD ["bash"]' - "$name"
