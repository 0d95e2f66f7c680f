#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Loop devices whose partitions are devices, too."""

import collections.abc
import contextlib
import functools
import os
import pathlib
import subprocess

from tests import base
from tests.functional import command


def require(test: command.TestCase) -> None:
    """Skip, loudly, where there are none.

    They need root, and a /dev where the kernel puts partitions, too; in many
    a container it does not.
    """
    test.require_root()
    test.require('addpart', 'losetup')
    problem = _problem()
    if problem:
        test.not_tested(problem)


@contextlib.contextmanager
def attached(path: pathlib.Path, sector_size: int = 512
             ) -> collections.abc.Iterator[str]:
    """A block device for a file, which has all its bytes afterwards."""
    device = subprocess.run(
        ['losetup', '--find', '--show', '--partscan', '--sector-size',
         str(sector_size), path], check=True, stdout=subprocess.PIPE,
        text=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(['losetup', '--detach', device], check=True)


@functools.cache
def _problem() -> str:
    """Why there are none; empty: there are."""
    with base.temporary_folder() as folder:
        path = folder / 'disk'
        path.write_bytes(bytes(1 << 20))
        try:
            with attached(path) as device:
                # Not every kernel reads a table by itself.
                subprocess.run(['addpart', device, '1', '1', '1'])
                return '' if os.path.exists(f'{device}p1') else \
                    'no devices for partitions'
        except subprocess.CalledProcessError:
            return 'no loop devices'
