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
    """A signal asked us to stop; everything is cleaned up on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


_too_late = False


def commit() -> None:
    """From here on the result takes its name: it is whole or not at all."""
    global _too_late
    _too_late = True


def stop(number: int) -> None:
    """What a signal's handler calls.

    :raises Interrupted: unless the result has been committed
    """
    if not _too_late:
        raise Interrupted(number)
