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

"""The table of the commands that the host knows how to do."""

import collections.abc
import typing

from tests.esxi import grammar
from tests.esxi import output

Handler = collections.abc.Callable[
    [typing.Any, grammar.Options], output.Answer | None]

HANDLERS: dict[str, Handler] = {}
"""By command."""


def command(*paths: str) -> collections.abc.Callable[[Handler], Handler]:
    """Enter a function for these commands."""
    def enter(handler: Handler) -> Handler:
        for path in paths:
            assert path in grammar.GRAMMAR and path not in HANDLERS, path
            HANDLERS[path] = handler
        return handler
    return enter


def find(things: dict[str, typing.Any], name: str, what: str) -> typing.Any:
    """What has the name.

    :raises Refused: nothing has
    """
    if name not in things:
        raise grammar.Refused(f'{what} {name!r} not found')
    return things[name]


def new(things: dict[str, typing.Any], name: str, what: str) -> str:
    """The name, which is still free.

    :raises Refused: it is not
    """
    if name in things:
        raise grammar.Refused(f'{what} {name!r} already exists')
    return name
