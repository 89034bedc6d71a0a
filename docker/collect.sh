#!/bin/sh
# Puts a program and all that it needs to run into an otherwise empty folder: `collect.sh PROGRAM FOLDER`.
# That is the loader and the libraries that it links, the roots of the certificate authorities, how names are
# looked up, and one account without rights. The image of that folder has no shell.
set -eu
program=$1
root=$2
mkdir -p "$root/etc/ssl/certs" "$root/tmp"
chmod 1777 "$root/tmp"
# Lines of ldd: "libc.so.6 => /lib/... (0x...)" and "/lib64/ld-linux-... (0x...)".
ldd "$program" | tr -s '[:space:]' '\n' | grep '^/' | sort -u | while read -r library; do
  mkdir -p "$root${library%/*}"
  cp -L "$library" "$root$library"
done
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'roomcast:x:65532:65532:roomcast:/nonexistent:/sbin/nologin' >"$root/etc/passwd"
echo 'roomcast:x:65532:' >"$root/etc/group"
