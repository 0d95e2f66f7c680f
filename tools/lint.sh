#!/bin/bash
# Run all linters, or those named, over the whole tree.
#
#   tools/lint.sh [flake8|bashate|doc8|codespell|bandit|vermin]...
#
# 'tox -e pep8' brings the tools; the versions are in tox.ini.

set -uo pipefail
cd "$(dirname "$0")/.."

function lint_flake8 {
    flake8
}

function lint_bashate {
    local scripts
    # Elements hold scripts without a suffix: the first line tells.
    mapfile -t scripts < <(find .ci elements tools -type f \
        -exec awk 'FNR == 1 && /^#!.*sh/ { print FILENAME }' {} +)
    # E006 (79 columns) is an error here, not the default warning.
    bashate --error E006 "${scripts[@]}"
}

function lint_doc8 {
    doc8 --quiet README.rst CONTRIBUTING.rst docs/source elements \
        releasenotes/source
}

function lint_codespell {
    # The kickstart language says --iscrypted; some tests speak German.
    codespell --check-hidden --ignore-words-list als,crypted,ende \
        --skip '*.pyc,*.egg-info' \
        .ci .pre-commit-config.yaml bindep.txt docs/source elements \
        esxi_img etc Makefile ./*.cfg ./*.ini ./*.rst releasenotes/notes \
        releasenotes/source tests tools
}

function lint_bandit {
    # -ll: of low severity are 'imports subprocess' and 'runs a program',
    # which the layers test confines to the modules that are there for it.
    # B108: a path in /tmp is one of the installer's, on its RAM disk.
    bandit --quiet -ll --skip B108 --recursive esxi_img
}

function lint_vermin {
    local files
    mapfile -t files < <(find esxi_img/firstboot -name '*.py' 2>/dev/null)
    if [ "${#files[@]}" -eq 0 ]; then
        echo 'nothing there yet'
        return
    fi
    # ESXi 7.0 has Python 3.8.
    vermin --quiet -t=3.8- --eval-annotations --violations --no-tips \
        "${files[@]}"
}

linters=("$@")
if [ "$#" -eq 0 ]; then
    linters=(flake8 bashate doc8 codespell bandit vermin)
fi
failed=()
for linter in "${linters[@]}"; do
    echo "--- $linter"
    "lint_$linter" || failed+=("$linter")
done
if [ "${#failed[@]}" -gt 0 ]; then
    echo "not clean: ${failed[*]}" >&2
    exit 1
fi
