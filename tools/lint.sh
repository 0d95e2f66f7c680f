#!/bin/bash
# Run all linters, or those named, over the whole tree.
#
#   tools/lint.sh [LINTER]...                 LINTER: see 'linters' below
#
# 'tox -e pep8' brings the tools; the versions are in tox.ini.

set -uo pipefail
cd "$(dirname "$0")/.."
linters=(flake8 bashate yamllint dib-lint doc8 codespell bandit vermin)
elements=(elements docs/source/user/example/elements)

function lint_flake8 {
    flake8
}

function lint_bashate {
    # Hooks of elements have no suffix, so the first line tells; what they
    # source has a suffix and no such line (E005).
    local scripts script='(/^#!.*sh/ || FILENAME ~ /\.(ba)?sh$/)'
    mapfile -t scripts < <(find .ci tools "${elements[@]}" -type f \
        -exec awk "FNR == 1 && $script { print FILENAME }" {} +)
    # E006 (79 columns) is an error here, not the default warning.
    bashate --ignore E005 --error E006 "${scripts[@]}"
}

function lint_yamllint {
    # Of these folders, the files named *.yaml.
    yamllint --strict --config-data \
        '{extends: default, rules: {document-start: disable,
                                    line-length: {max: 79}}}' \
        .pre-commit-config.yaml .zuul.d docs/source/user/example elements \
        playbooks releasenotes/notes
}

function lint_dib-lint {
    local folder program report clean=0
    # Where one of these, or the folder, is missing, dib-lint checks less
    # and says PASS.
    for program in diff file find flake8 git python; do
        if ! command -v "$program" >/dev/null; then
            echo "dib-lint needs the program $program"
            return 1
        fi
    done
    for folder in "${elements[@]}"; do
        # LIB_DIR: all files in it are checked for tabs and for a last
        # newline, of the elements themselves only those that can be run.
        if ! report=$(ELEMENTS_DIR=$folder LIB_DIR=$folder dib-lint 2>&1) \
                || [[ $report != *"Checking $folder/"*PASS ]]; then
            grep -v -E '^(Checking|Parsing|Running) ' <<< "$report"
            echo "dib-lint: see above for $folder"
            clean=1
        fi
    done
    return "$clean"
}

function lint_doc8 {
    doc8 --quiet README.rst CONTRIBUTING.rst docs/source elements \
        releasenotes/source
}

function lint_codespell {
    # The kickstart language says --iscrypted, disk-image-create -t aci; some
    # tests speak German.
    codespell --check-hidden --ignore-words-list aci,als,crypted,ende \
        --skip '*.pyc,*.egg-info' \
        .ci .pre-commit-config.yaml .zuul.d bindep.txt docs/source elements \
        esxi_img etc Makefile playbooks ./*.cfg ./*.ini ./*.rst \
        releasenotes/notes releasenotes/source tests tools
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

if [ "$#" -gt 0 ]; then
    linters=("$@")
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
