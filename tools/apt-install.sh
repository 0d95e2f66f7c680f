#!/bin/bash
# Install Debian packages, when root or when sudo asks for no password.
#
#   tools/apt-install.sh PACKAGE...

set -euo pipefail

function die {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 4
}

if ! command -v apt-get >/dev/null; then
    die "system packages are missing, and there is no apt-get: $*" \
        'install what corresponds to them on this system'
elif [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    die "system packages are missing, and we are not root: $*" \
        "sudo apt-get install --no-install-recommends $*"
fi

function apt_get {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

echo "installing system packages: $*"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt_get update && apt_get install --no-install-recommends "$@"; } \
        >"$log" 2>&1; then
    cat "$log" >&2
    die "apt-get could not install $*" 'see above what apt-get said'
fi
