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

"""Where the diskimage-builder elements of this package lie."""

import importlib.metadata
import os

from esxi_img import errors

MARK = os.path.join('esxi-installer', 'element-deps')
SHARE = os.path.join('share', 'esxi-img', 'elements')


def path() -> str:
    """The folder for ELEMENTS_PATH, of a checkout or as installed.

    :raises EnvironmentFailed: the elements are not there
    """
    above = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # The second is where "pip install --target" puts them: its record is
    # wrong, and names a folder that may be anybody's.
    candidates = [os.path.join(above, 'elements'),
                  os.path.join(above, SHARE), *_installed()]
    for candidate in candidates:
        if os.path.isfile(os.path.join(candidate, MARK)):
            return os.path.realpath(candidate)
    raise errors.EnvironmentFailed(
        f'the elements are in none of {", ".join(candidates)}',
        hint='install esxi-img again, from a wheel or a checkout')


def _installed() -> list[str]:
    """Where the installer says that it put them; pip keeps a record."""
    try:
        files = importlib.metadata.distribution('esxi-img').files or ()
    except importlib.metadata.PackageNotFoundError:
        return []
    return [str(file.locate())[:-len(MARK) - 1] for file in files
            if str(file).endswith(os.path.join(SHARE, MARK))]
