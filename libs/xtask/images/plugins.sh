#!/bin/sh
# Puts docker's plugins `buildx` and `compose` out of Debian trixie's packages into a folder: `plugins.sh FOLDER`.
# The packages are unpacked and not installed; apt works on lists of its own, and the machine's stay as they are.
set -eu
folder=$1
state=$(mktemp -d "${TMPDIR:-/tmp}/roomcast-apt.XXXXXX")
trap 'rm -rf "$state"' EXIT
# The word in quotes is for apt.
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep /debian | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$state/sources.list"
mkdir -p "$state/lists/partial" "$state/files" "$folder"
own() {
  apt-get -qq -o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o "Dir::State::lists=$state/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o APT::Sandbox::User=root "$@"
}
own update
cd "$state/files"
own download docker-buildx docker-compose
for package in ./*.deb; do dpkg-deb -x "$package" "$state/files/tree"; done
cp "$state"/files/tree/usr/libexec/docker/cli-plugins/* "$folder/"
