# All set-up is here: 'make help' names the commands.

PYTHON ?= python3
OUTPUT ?= esxi.img
OPTIONS ?=
ISO ?=
SAMPLE = build/sample.iso
# Commands read these from the environment, so that blanks are no trouble.
export PYTHON OUTPUT ISO
# Debian keeps sgdisk, mkfs.vfat and blkid where only root looks.
export PATH := $(PATH):/usr/sbin:/sbin
# pbr asks git for the version; an unpacked archive, or a tree of another
# user's, gives no answer.
ifneq ($(shell git rev-parse --verify --quiet HEAD >/dev/null 2>&1 || echo no),)
export PBR_VERSION ?= 0.0.0
endif

.PHONY: help image test clean

help:
	@echo 'make image ISO=path/to/esxi.iso [OUTPUT=esxi.img]'
	@echo '                 build the image; without ISO= from a sample ISO;'
	@echo '                 OPTIONS="--force ..." go to esxi-img'
	@echo 'make test        unit and functional tests, then the linters'
	@echo 'make clean       remove what the other two made, but no image'

image: .venv/.program $(if $(ISO),,$(SAMPLE))
	@.venv/bin/esxi-img $(OPTIONS) --output "$$OUTPUT" "$${ISO:-$(SAMPLE)}"

test: .venv/.test-tools
	@tools/system-packages.sh test
	@.venv/bin/python tools/run_tests.py

clean:
	rm -rf .venv .tox .stestr build esxi_img.egg-info

$(SAMPLE): .venv/.program
	@mkdir -p $(@D)
	@.venv/bin/esxi-img-sample-iso --force $@

.venv/.program: requirements.txt setup.cfg setup.py pyproject.toml
	@tools/venv.sh -e .
	@touch $@

.venv/.test-tools: tools/requirements.txt
	@tools/venv.sh -r tools/requirements.txt
	@touch $@
