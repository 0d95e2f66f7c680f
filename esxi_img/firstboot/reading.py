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

"""From the files of a drive to all that it says."""

from dataclasses import replace
from typing import Any
from typing import List
from typing import Mapping
from typing import Tuple

from . import cloudconfig
from . import drive
from . import jsonfile
from . import metadata
from . import model
from . import netdata
from . import wish
from . import wishing


def model_of(found: drive.Drive) -> model.Model:
    """Read what is there; what is odd is a problem, never an error."""
    problems = list(found.problems)
    meta, metadata_problems = metadata.parse(
        _decoded(found, 'meta_data.json', problems, True))
    network, network_problems = netdata.parse(
        _decoded(found, 'network_data.json', problems, False))
    return model.Model(
        meta, network,
        (*problems, *metadata_problems, *network_problems))


def gathered_of(files: Mapping[str, bytes]) -> cloudconfig.Gathered:
    """What user data and vendor data say.

    They are anybody's, so a fault of ours that they bring up may cost them,
    but never the network.
    """
    try:
        return cloudconfig.gather(files)
    except Exception as error:
        kind = type(error).__name__
    return cloudconfig.Gathered(problems=(model.Problem(
        'user_data', f'not read, for a fault of this program: {kind}'),))


def all_of(said: model.Model, gathered: cloudconfig.Gathered
           ) -> Tuple[model.Model, wish.Wishes]:
    """The user's own wishes, and the problems of both."""
    wishes, problems = wish.Wishes(), ()
    try:
        wishes, problems = wishing.wishes(gathered)
    except Exception as error:
        problems = (model.Problem(
            'cloud-config', 'not done, for a fault of this program: '
            + type(error).__name__),)
    return replace(said, problems=(
        *said.problems, *gathered.problems, *problems)), wishes


def _decoded(found: drive.Drive, name: str, problems: List[model.Problem],
             expected: bool) -> Any:
    data = found.files.get(name)
    if data is None:
        if expected and not _said(problems, name):
            problems.append(model.Problem(name, 'is not on the drive'))
        return None
    value, more = jsonfile.decode(data, name)
    problems += more
    return value


def _said(problems: List[model.Problem], name: str) -> bool:
    return any(problem.where == name for problem in problems)
