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

"""The install line from the options, and the password nobody knows."""

import posixpath
import re

from esxi_img import errors
from esxi_img.firstboot import installer
from esxi_img.firstboot import place
from esxi_img.kickstart import ours
from esxi_img.kickstart import sections
from tests import base

GOOD = (
    ('auto', (), 'install --disk=IMAGE-DISK --overwritevmfs'),
    ('firstdisk=local', (), 'install --firstdisk=local --overwritevmfs'),
    ('disk=mpx.vmhba0:C0:T0:L0', (),
     'install --disk=mpx.vmhba0:C0:T0:L0 --overwritevmfs'),
    ('firstdisk=DELL,hpsa,local', (),
     'install --firstdisk=DELL,hpsa,local --overwritevmfs'),
    ('firstdisk=DELLBOSS VD, HV', (),
     'install --firstdisk="DELLBOSS VD",HV --overwritevmfs'),
    ('firstdisk=a', ('--novmfsondisk', 'ignoressd'),
     'install --firstdisk=a --overwritevmfs --novmfsondisk --ignoressd'),
    ('auto', ('preservevmfs',),
     'install --disk=IMAGE-DISK --preservevmfs'),
    ('auto', ('overwritevmfs', 'novmfsondisk', '--novmfsondisk'),
     'install --disk=IMAGE-DISK --overwritevmfs --novmfsondisk'),
    ('disk=a', ('systemDisk=Model X,1',),
     'install --disk=a --overwritevmfs --systemDisk="Model X",1'),
)
BAD = (
    ('automatic', (), '--install-disk \'automatic\': wants auto, disk=NAME '
                      'or firstdisk=LIST'),
    ('disk', (), "--install-disk 'disk': wants auto, disk=NAME or "
                 'firstdisk=LIST'),
    ('drive=a\n', (), "--install-disk 'drive=a\\n': wants auto, disk=NAME or "
                      'firstdisk=LIST'),
    ('disk=', (), '--install-disk disk=: a name is empty'),
    ('firstdisk=a,,b', (), '--install-disk firstdisk=a,,b: a name is empty'),
    ('firstdisk= ', (), '--install-disk firstdisk= : a name is empty'),
    ('disk=a b', (), '--install-disk disk=a b: is one name, without blanks '
     'and commas'),
    ('disk=a,b', (), '--install-disk disk=a,b: is one name, without blanks '
     'and commas'),
    *((f'{kind}=a{bad}b', (), f'--install-disk {shown}: wants printable '
       'ASCII without quotes and backslashes')
      for kind in ('disk', 'firstdisk') for bad in '\xe9\n\\"\'\x7f'
      for shown in [ascii(f'{kind}=a{bad}b')]),
    ('auto', ('--novmfsondisks',), "--install-option '--novmfsondisks': "
                                   'install has no such option'),
    ('auto', ('novmfsondisk --ignoressd',),
     "--install-option 'novmfsondisk --ignoressd': install has no such "
     'option'),
    ('auto', ('--disk=a',), '--install-option --disk=a: the disk is chosen '
                            'with --install-disk'),
    ('disk=a', ('firstdisk',), '--install-option firstdisk: the disk is '
                               'chosen with --install-disk'),
    ('auto', ('dpupcislots=\n',), "--install-option 'dpupcislots=\\n': "
                                  'wants printable ASCII without quotes and '
                                  'backslashes'),
    *((disk, ('ignoressd',), '--install-option: --ignoressd needs '
                             '--firstdisk') for disk in ('disk=a', 'auto')),
    ('auto', ('preservevmfs', 'overwritevmfs'),
     '--install-option: --preservevmfs contradicts --overwritevmfs'),
    ('auto', ('novmfsondisk=1',), '--install-option: --novmfsondisk takes no '
                                  'value'),
    ('auto', ('systemDisk=a', 'systemDisk=b'),
     '--install-option: --systemDisk is given twice'),
)


class TestInstall(base.TestCase):

    def test_good(self) -> None:
        for disk, options, expected in GOOD:
            with self.subTest(disk=disk, options=options):
                self.assertEqual(expected, ours.install(disk, options))

    def test_bad(self) -> None:
        for disk, options, expected in BAD:
            with self.subTest(disk=disk, options=options):
                with self.assertRaises(errors.RequestError) as caught:
                    ours.install(disk, options)
                self.assertEqual((expected,), caught.exception.problems)

    def test_all_problems_at_once(self) -> None:
        with self.assertRaises(errors.RequestError) as caught:
            ours.install('disk=', ('foo', 'bar'))
        self.assertEqual(3, len(caught.exception.problems))


class TestCommands(base.TestCase):

    def test_each_include_is_there_from_the_start(self) -> None:
        self.assertEqual(
            {posixpath.basename(path) for path in ours.INCLUDED.values()},
            set(ours.safe(None)))
        for need, path in ours.INCLUDED.items():
            self.assertEqual(f'%include {path}', ours.commands()[need])

    def test_both_halves_mean_the_same(self) -> None:
        places = place.Places()
        self.assertEqual((installer.IMAGE_DISK, places.work, places.staged),
                         (ours.IMAGE_DISK, sections.WORK,
                          f'{sections.WORK}/new'))


class TestSafe(base.TestCase):

    def test_default(self) -> None:
        self.assertEqual(
            {'disk.cfg': b'# no disk is known to be the one to install on\n',
             'rootpw.cfg': f'rootpw --iscrypted {ours.LOCKED}\n'.encode(),
             'network.cfg': b'network --bootproto=dhcp --addvmportgroup=0\n'},
            ours.safe(None))

    def test_hash(self) -> None:
        self.assertEqual({**ours.safe(None),
                          'rootpw.cfg': b'rootpw --iscrypted $6$a$b\n'},
                         ours.safe('$6$a$b'))

    def test_is_found_good(self) -> None:
        for need, path in ours.INCLUDED.items():
            data = ours.safe(None)[posixpath.basename(path)]
            self.assertEqual([], ours.check_safe(need, data.decode(), 'x'))

    def test_what_is_not_safe(self) -> None:
        for need, content, expected in (
                ('install', 'install --disk=a\n',
                 'x: has a command, though no disk is known yet'),
                ('install', '# none\nreboot\n',
                 'x: has a command, though no disk is known yet'),
                ('rootpw', '', 'x: is more or less than one rootpw command'),
                ('rootpw', 'rootpw Hunter22\nrootpw Hunter22\n',
                 'x: is more or less than one rootpw command'),
                ('network', 'network\n%pre\n:\n',
                 'x: is more or less than one network command'),
                ('network', 'network --ip\n', 'x:1: network: --ip ')):
            with self.subTest(content):
                found = ours.check_safe(need, content, 'x')
                self.assertIn(expected, ' '.join(found))
                self.assertNotIn('Hunter22', ' '.join(found))


class TestLocked(base.TestCase):

    def test_is_a_crypt_string(self) -> None:
        self.assertRegex(ours.LOCKED, re.compile(
            r'^\$6\$[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{85}[./01]\Z'))
