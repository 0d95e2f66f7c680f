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

"""The one family of errors: blame decides the exit code.

0 ok, 1 a bug of ours, 2 the request is bad, 3 an input file is bad, 4 the
environment failed.  A message is lower case, has no full stop, names the
thing and its value; a hint says what would help.
"""


class EsxiImgError(Exception):
    """Everything a user can mend; one message per problem found.

    :param problems: one line each, at least one
    :param hint: what would help, or None
    """

    exit_code = 1

    def __init__(self, *problems: str, hint: str | None = None) -> None:
        super().__init__('; '.join(problems))
        self.problems = problems
        self.hint = hint


class RequestError(EsxiImgError):
    """The request is bad: options, paths, an output that exists."""

    exit_code = 2


class InputError(EsxiImgError):
    """A file that was handed in is bad: ISO, kickstart, module."""

    exit_code = 3


class EnvironmentFailed(EsxiImgError):
    """The machine failed us: disk full, no permission, program missing."""

    exit_code = 4
