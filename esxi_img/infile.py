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

"""Files that the user hands in: opened, or refused in so many words."""

import errno
import os
import stat
import typing

from esxi_img import errors

_THE_FILES_FAULT = frozenset((
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP,
    errno.ENAMETOOLONG, errno.ENXIO, errno.EINVAL))


def opened(path: str, what: str = '',
           block_device: bool = False) -> typing.BinaryIO:
    """The file, open for reading; a pipe is never waited for.

    :param what: to call it in messages, with a blank at the end
    :param block_device: may it be one, too?
    :raises InputError: it is not there, or is something else than a file
    :raises EnvironmentFailed: no permission, input/output error
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise failure(error, what + path) from error
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode) or (block_device and stat.S_ISBLK(mode)):
        return open(fd, 'rb')
    os.close(fd)
    kind = 'a directory' if stat.S_ISDIR(mode) else 'not a file'
    raise errors.InputError(f'{what}{path}: is {kind}')


def small(path: str, limit: int) -> bytes:
    """All of a text, from a pipe as well: ``<(openssl passwd -6)``.

    :param limit: bytes that it may have
    :raises InputError: it is not there, or larger
    :raises EnvironmentFailed: no permission, input/output error
    """
    try:
        with open(path, 'rb') as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise failure(error, path) from error
    if len(data) > limit:
        raise errors.InputError(f'{path}: has more than {limit} bytes')
    return data


def failure(error: OSError, path: str) -> errors.EsxiImgError:
    """What an OSError about a file that was handed in means."""
    reason = (error.strerror or 'cannot be read').lower()
    if error.errno in _THE_FILES_FAULT:
        return errors.InputError(f'{path}: {reason}')
    return errors.EnvironmentFailed(f'{path}: {reason}')
