#!/bin/bash
# Install what bindep.txt lists for a profile and this system lacks.
#
#   tools/system-packages.sh test
#
# Tests whose program is missing are skipped, so a failure here is no end.

set -euo pipefail
cd "$(dirname "$0")/.."

if missing=$(.venv/bin/bindep --brief "$1"); then
    exit 0
fi
if [ -z "$missing" ]; then
    echo "error: bindep failed, see above" >&2
    exit 4
fi
# One name a line, none has blanks.
# shellcheck disable=SC2086
tools/apt-install.sh $missing \
    || echo 'warning: tests that need these packages will be skipped' >&2
