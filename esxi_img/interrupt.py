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

"""Being stopped: when it counts, and when it is too late."""


class Interrupted(BaseException):
    """A signal asked us to stop; everything is cleaned up on the way out.

    :param left: what there is now, as the user is told
    """

    def __init__(self, number: int, left: str) -> None:
        super().__init__(number, left)
        self.number = number
        self.left = left


_too_late = False
_missed: int | None = None
_left = 'nothing was written'


def commit() -> None:
    """From here on the result takes its name: it is whole or not at all."""
    global _too_late
    _too_late = True


def proceed(left: str) -> None:
    """The result has its name; what comes now can be stopped again.

    :param left: what there is if it is stopped
    :raises Interrupted: a signal has come since the commit
    """
    global _left, _too_late
    _left, _too_late = left, False
    if _missed is not None:
        raise Interrupted(_missed, _left)


def stop(number: int) -> None:
    """What a signal's handler calls.

    :raises Interrupted: unless a result is just taking its name, or has
    """
    global _missed
    if not _too_late:
        raise Interrupted(number, _left)
    _missed = number
