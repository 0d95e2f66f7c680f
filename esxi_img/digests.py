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

"""Hash sums of whole files."""

import collections.abc
import hashlib
import os
import typing

from esxi_img import report as report_module

CHUNK = 1024 * 1024
"""Bytes read at a time."""


def of(file: typing.BinaryIO, algorithms: collections.abc.Iterable[str],
       what: str, report: report_module.Report) -> dict[str, str]:
    """Sums of a whole file by their algorithm, in hexadecimal.

    It is read once for all of them.

    :param algorithms: names that hashlib has
    :param what: this is, for the progress
    :raises OSError: from the file
    """
    # MD5, too, where it is forbidden for security: Glance may have no other.
    sums = {name: hashlib.new(name, usedforsecurity=False)
            for name in algorithms}
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    with report.progress(what, size) as progress:
        for chunk in iter(lambda: file.read(CHUNK), b''):
            for digest in sums.values():
                digest.update(chunk)
            progress(len(chunk))
    return {name: digest.hexdigest() for name, digest in sums.items()}
