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

"""Text that comes from outside, fit for a line of ours."""


def line(text: str) -> str:
    """The text on one line, without codes that a terminal would obey.

    What cannot be printed, line breaks and bytes of a file name that are no
    UTF-8 among it, is shown as Python escapes it.
    """
    return ''.join(char if char.isprintable() or char == '\t'
                   else ascii(char)[1:-1] for char in text)
