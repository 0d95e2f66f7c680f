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

import re

from esxi_img import errors
from esxi_img.kickstart import ours
from tests import base

GOOD = (
    ('auto', (), 'install --firstdisk --overwritevmfs'),
    ('disk=mpx.vmhba0:C0:T0:L0', (),
     'install --disk=mpx.vmhba0:C0:T0:L0 --overwritevmfs'),
    ('firstdisk=DELL,hpsa,local', (),
     'install --firstdisk=DELL,hpsa,local --overwritevmfs'),
    ('firstdisk=DELLBOSS VD, HV', (),
     'install --firstdisk="DELLBOSS VD",HV --overwritevmfs'),
    ('auto', ('--novmfsondisk', 'ignoressd'),
     'install --firstdisk --overwritevmfs --novmfsondisk --ignoressd'),
    ('auto', ('preservevmfs',), 'install --firstdisk --preservevmfs'),
    ('auto', ('overwritevmfs', 'novmfsondisk', '--novmfsondisk'),
     'install --firstdisk --overwritevmfs --novmfsondisk'),
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
    ('disk=a', ('ignoressd',), '--install-option: --ignoressd needs '
                               '--firstdisk'),
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


class TestLocked(base.TestCase):

    def test_is_a_crypt_string(self) -> None:
        self.assertRegex(ours.LOCKED, re.compile(
            r'^\$6\$[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{85}[./01]\Z'))
