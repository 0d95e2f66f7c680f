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

"""What a build says while it works: a bar on a terminal, else plain lines."""

import collections.abc
import contextlib
import os
import sys
import typing

from esxi_img import printable


class Report:
    """Talks on standard error, so that standard output stays for results.

    :param quiet: say nothing
    """

    def __init__(self, quiet: bool = False,
                 stream: typing.TextIO | None = None) -> None:
        self._quiet = quiet
        self._stream = stream or sys.stderr

    def say(self, line: str) -> None:
        """One line about what is done; that nobody reads it stops nothing."""
        if self._quiet:
            return
        try:
            print(printable.line(line), file=self._stream, flush=True)
        except OSError:
            self._quiet = True

    def warn(self, line: str) -> None:
        """One line that the user should not miss."""
        self.say(f'warning: {line}')

    @contextlib.contextmanager
    def progress(self, what: str, total: int) -> collections.abc.Iterator[
            collections.abc.Callable[[int], None]]:
        """A bar over ``total`` bytes; yields what takes their number."""
        if self._quiet or not _has_width(self._stream):
            self.say(what)
            yield lambda count: None
            return
        import tqdm  # takes time that --help need not spend
        with tqdm.tqdm(total=total, desc=printable.line(what), unit='B',
                       unit_scale=True, file=self._stream,
                       leave=False) as bar:
            yield bar.update


def _has_width(stream: typing.TextIO) -> bool:
    """Is it a terminal that a bar fits on?  A serial line may say 0."""
    try:
        return os.get_terminal_size(stream.fileno()).columns > 0
    except (OSError, ValueError):
        return False
