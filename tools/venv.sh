#!/bin/bash
# Install into .venv, which is made when it is not there or has no pip.
#
#   tools/venv.sh -e .              the arguments are those of pip install

set -euo pipefail
cd "$(dirname "$0")/.."

function die {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 4
}

PYTHON=${PYTHON:-python3}
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
    || die "no Python 3.10 or later found as '$PYTHON'" \
        "name one: make ... PYTHON=/path/to/python3"

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    # Debian ships python3 with neither pip nor ensurepip, so this can fail.
    if ! "$PYTHON" -m venv --clear .venv >/dev/null 2>&1; then
        tools/apt-install.sh python3-venv || exit 4
        "$PYTHON" -m venv --clear .venv \
            || die "'$PYTHON -m venv .venv' failed, see above" \
                "check that the package python3-venv serves $PYTHON"
    fi
fi

echo "installing into .venv: $*"
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --upgrade "$@" \
    || die "pip could not install $*" \
        'see above; pip must reach a package index, or a mirror of one'
