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

"""Where in a volume a config drive's files are: openstack/VERSION/.

VERSION is the date of a format, or ``latest`` (Nova's documentation, "Config
drives"); each holds the same facts, later ones more of them.
"""

import re
from typing import List
from typing import NamedTuple
from typing import Optional
from typing import Sequence
from typing import Tuple

from .model import Problem
from .volume import candidates
from .volume import Entry
from .volume import find
from .volume import shown
from .volume import Volume

FILES = ('meta_data.json', 'network_data.json', 'user_data',
         'vendor_data.json', 'vendor_data2.json')
ESSENTIAL = FILES[:2]

_DATE = re.compile('[0-9]{4}[-_][0-9]{2}[-_](?:[0-9]{2})?')
"""With ``_`` and, in 8 characters, without a day: as plain ISO 9660 has it."""
_CUT_DATE = re.compile('[0-9]{4}[-_].{3,}')
"""Of 2012_000, 2012_081 and 2012-0~1 only the year is certain."""


class Missing(Exception):
    """There is no such folder; says what was looked for."""


class Place(NamedTuple):
    """The folder that holds the files.

    :param version: ``latest``, a date as in ``2018-08-27`` or what is left
        of it; None: the root itself
    :param entries: what it holds
    :param problems: what is doubtful about the choice
    """

    version: Optional[str]
    entries: Sequence[Entry]
    problems: Tuple[Problem, ...] = ()


def choose(volume: Volume) -> Place:
    """The newest version; a folder may be openstack/ or a version itself.

    :raises Missing: there is none
    :raises Damaged: a folder on the way cannot be read
    """
    root = volume.entries()
    openstack = find(root, 'openstack', True)
    if openstack is not None:
        place = _newest(volume, volume.entries(openstack))
        if place is None:
            raise Missing('in openstack/ neither latest/ nor a dated folder '
                          f'holds one of {", ".join(FILES)}')
        return place
    if volume.kind != 'folder':
        raise Missing('holds no folder openstack/')
    if _holds(root, ESSENTIAL):
        return Place(None, root)
    place = _newest(volume, root)
    if place is None:
        raise Missing(f'holds neither openstack/ nor {ESSENTIAL[0]} nor '
                      f'{ESSENTIAL[1]}, and is not openstack/ itself')
    return place


def _newest(volume: Volume, entries: Sequence[Entry]) -> Optional[Place]:
    """The first version that holds what is essential, else anything."""
    versions, cut = _versions(entries)
    second = None
    for folder in versions + cut:
        held = volume.entries(folder)
        place = Place(_date(folder.name), held, _doubts(folder, cut))
        if _holds(held, ESSENTIAL):
            return place
        if second is None and _holds(held, FILES):
            second = place
    return second


def _versions(entries: Sequence[Entry]) -> Tuple[List[Entry], List[Entry]]:
    """Newest first; and those that no date is left of."""
    latest = find(entries, 'latest', True)
    versions = [latest._replace(name='latest')] if latest else []
    folders = sorted((entry for entry in entries if entry.is_folder),
                     key=lambda entry: _date(entry.name), reverse=True)
    cut = []
    for folder in folders:
        if _DATE.fullmatch(folder.name):
            versions.append(folder)
        elif _CUT_DATE.fullmatch(folder.name):
            cut.append(folder)
    return versions, cut


def _date(name: str) -> str:
    """A date, or what is left of it, so that both sort by time."""
    return name.replace('_', '-').rstrip('-')


def _doubts(folder: Entry, cut: Sequence[Entry]) -> Tuple[Problem, ...]:
    """Of ``latest`` there are none: it sorts behind every year."""
    later = [entry for entry in cut
             if entry != folder and entry.name[:4] >= folder.name[:4]]
    if not later:
        return ()
    return (Problem('openstack', (
        f'{shown(folder.name)} is read, but {shown(later[0].name)} may be '
        'newer: these names have lost their dates')),)


def _holds(entries: Sequence[Entry], names: Sequence[str]) -> bool:
    return any(candidates(entries, name, False) for name in names)
