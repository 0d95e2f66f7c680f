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

"""The grammar, as tables of texts and of what is wrong with them."""

from esxi_img.kickstart import grammar
from esxi_img.kickstart import text
from tests import base

EULA = 'accepteula\nrootpw --iscrypted $6$a$b\n'
FRAME = 'vmaccepteula\nrootpw Hunter22!\ninstall --firstdisk\n'


def check(source: str, presumed: tuple[str, ...] = ()) -> list[str]:
    return grammar.check(text.parse(text.lines(source, 'ks.cfg')), 'ks.cfg',
                         presumed)


# Lines that may stand below FRAME.
GOOD = (
    '',
    '# K\u00fcche',
    '   # indented',
    'network',
    'network --bootproto=dhcp --device=vmnic12 --hostname=a.example.org',
    'network --device=00:50:56:aB:cd:0f --vlanid=0 --addvmportgroup=true',
    'network --bootproto=static --ip=192.0.2.7 --netmask=255.255.254.0'
    ' --gateway=192.0.2.1 --nameserver="192.0.2.2, 192.0.2.3"'
    ' --vlanid=4096 --addvmportgroup=0',
    'network --bootproto=static \\\n  --ip=192.0.2.7',
    'clearpart --alldrives --overwritevmfs',
    'clearpart --firstdisk=local\nclearpart --drives=a,b',
    'clearpart --ignoredrives=mpx.vmhba0:C0:T0:L0',
    'dryrun\nparanoid',
    "keyboard 'Swiss French'\nkeyboard US Default",
    'part data --ondisk=mpx.vmhba1:C0:T0:L0',
    'part data --ondrive=a\npart data --onfirstdisk',
    'partition data --onfirstdisk=local',
    'partition data --ondrive=a\npartition data --ondisk=a',
    'serialnum --esx=AAAAA-BBBBB\nvmserialnum --esx=AAAAA-BBBBB',
    'reboot --noeject\r',
    '%include /tmp/network.ks\ninclude /esxiimg/more.ks',
    '%pre --interpreter=busybox\nrm -rf /\n'
    '%post --interpreter=python --timeout=90 --ignorefailure=true\n'
    '%firstboot --interpreter=busybox\nfoo',
)
# The install command of an otherwise good text.
GOOD_INSTALL = (
    'install --disk=mpx.vmhba0:C0:T0:L0 --preservevmfs',
    'install --drive=/vmfs/devices/disks/naa.5000 --overwritevsan',
    'install --firstdisk="DELLBOSS VD",Hypervisor_0 --overwritevmfs '
    '--novmfsondisk --ignoressd',
    'install --disk=a --systemDisk=b --repartitionSystemDisk',
    'install --disk=a --systemdisk=b --repartitionsystemdisk',
    'install --firstdisk --ignoreprereqwarnings --ignoreprereqerrors '
    '--forceunsupportedinstall --dpupcislots=0000:81:00.0',
    'installorupgrade --firstdisk=esx,local --overwritevmfs',
    'installorupgrade --disk=a --overwritevsan --forcemigrate',
    'installorupgrade --drive=a --deletecosvmdk',
    'upgrade --disk=a --deletecosvmdk --forcemigrate',
    'upgrade --drive=a',
    'upgrade --firstdisk',
)
# Lines below FRAME, so they start at line 4, and what is wrong with them.
BAD = (
    ('lang en_US', '4: unknown command "lang"'),
    ('Reboot', '4: unknown command "Reboot"'),
    ('rootpwd Hunter22!', '4: unknown command that begins with "rootpw"'),
    ('rootpw\xa0Hunter22!', '4: unknown command that begins with "rootpw"'),
    ('Hunter22!', '4: unknown command'),
    ('Hunter tail"', '4: unknown command'),
    ('reboot --now', '4: reboot: unknown option --now'),
    ('reboot --now=x', '4: reboot: unknown option --now'),
    ('reboot now', '4: reboot: takes only --options, 1 other words given'),
    ('reboot # at last', '4: reboot: a comment needs a line of its own'),
    ('reboot --noeject=1', '4: reboot: --noeject takes no value'),
    ('reboot --noeject --noeject', '4: reboot: --noeject is given twice'),
    ('rootpw', '4: rootpw: takes 1 word besides --options, 0 given'),
    ('rootpw --iscrypted',
     '4: rootpw: takes 1 word besides --options, 0 given'),
    ('rootpw Hunter22 #ok',
     '4: rootpw: takes 1 word besides --options, 2 given'),
    ('rootpw x --Hunter22', '4: rootpw: unknown option'),
    ('rootpw x --iscrypted=Hunter22',
     '4: rootpw: --iscrypted takes no value'),
    ('network --device="vmnic0', '4: network: a quote is left open'),
    ('network --device=eth0',
     '4: network: --device wants a MAC address or vmnicN, not "eth0"'),
    ('network --device', '4: network: --device wants a MAC address or '
                         'vmnicN, not ""'),
    ('network --bootproto=bootp',
     '4: network: --bootproto wants dhcp or static, not "bootp"'),
    ('network --bootproto=static',
     '4: network: --bootproto=static needs --ip'),
    ('network --bootproto=static --ip=2001:db8::1',
     '4: network: --ip wants an IPv4 address, not "2001:db8::1"'),
    ('network --ip=192.0.2.1',
     '4: network: --ip needs --bootproto=static'),
    ('network --bootproto=dhcp --gateway=192.0.2.1',
     '4: network: --gateway needs --bootproto=static'),
    ('network --bootproto=static --ip=192.0.2.1 --netmask=255.0.255.0',
     '4: network: --netmask wants a netmask such as 255.255.255.0, not '
     '"255.0.255.0"'),
    ('network --bootproto=static --ip=192.0.2.1 --netmask=24',
     '4: network: --netmask wants a netmask such as 255.255.255.0, not "24"'),
    ('network --nameserver=192.0.2.1,192.0.2.2,192.0.2.3',
     '4: network: --nameserver wants one to 2 IPv4 addresses, not '
     '"192.0.2.1,192.0.2.2,192.0.2.3"'),
    ('network --vlanid=4097',
     '4: network: --vlanid wants a number from 0 to 4096, not "4097"'),
    ('network --vlanid=ten',
     '4: network: --vlanid wants a number from 0 to 4096, not "ten"'),
    ('network --vlandid=1', '4: network: unknown option --vlandid'),
    ('network --addvmportgroup=no',
     '4: network: --addvmportgroup wants 0 or 1 or true or false, not "no"'),
    ('network --hostname', '4: network: --hostname needs a value: '
                           '--name=value'),
    ('clearpart --overwritevmfs',
     '4: clearpart: needs --drives or --alldrives or --ignoredrives or '
     '--firstdisk'),
    ('clearpart --alldrives --drives=a',
     '4: clearpart: takes only one of --drives, --alldrives'),
    ('part --ondisk=a', '4: part: takes 1 word besides --options, 0 given'),
    ('part data', '4: part: needs --ondisk or --ondrive or --onfirstdisk'),
    ('keyboard', '4: keyboard: takes 1 to 3 words besides --options, '
                 '0 given'),
    ('serialnum', '4: serialnum: needs --esx'),
    ('%include /etc/x', '4: %include: "/etc/x" is not a plain path below '
                        '/tmp or /esxiimg'),
    ('%include /tmp/../etc/x', '4: %include: "/tmp/../etc/x" is not a plain '
                               'path below /tmp or /esxiimg'),
    ('include http://a/b', '4: include: "http://a/b" is not a plain path '
                           'below /tmp or /esxiimg'),
    ('%include', '4: %include: takes 1 word besides --options, 0 given'),
    ('%packages\nvim', '4: unknown section "%packages"'),
    ('\n%Post', '5: unknown section "%Post"'),
    ('%pre --timeout=3', '4: %pre: unknown option --timeout'),
    ('%firstboot --ignorefailure=true',
     '4: %firstboot: unknown option --ignorefailure'),
    ('%pre --interpreter=bash',
     '4: %pre: --interpreter wants busybox or python, not "bash"'),
    ('%post --timeout=3m', '4: %post: --timeout wants a number from 0 to '
                           '999999999, not "3m"'),
    ('%post --ignorefailure', '4: %post: --ignorefailure wants true or '
                              'false, not ""'),
    ('%post /bin/sh', '4: %post: takes only --options, 1 other words given'),
    ('install --disk=a', '4: install: ks.cfg:3 has install, only one of '
                         'them may be given'),
    ('upgrade --disk=a', '4: upgrade: ks.cfg:3 has install, only one of '
                         'them may be given'),
)
# The install command of an otherwise good text, its line is 3.
BAD_INSTALL = (
    ('install', '3: install: needs --disk or --drive or --firstdisk'),
    ('install --disk=a --firstdisk',
     '3: install: takes only one of --disk, --firstdisk'),
    ('install --disk', '3: install: --disk needs a value: --name=value'),
    ('install --firstdisk=',
     '3: install: --firstdisk has nothing after its "="'),
    ('install --firstdisk --preservevmfs --overwritevmfs',
     '3: install: --preservevmfs contradicts --overwritevmfs'),
    ('install --disk=a --ignoressd',
     '3: install: --ignoressd needs --firstdisk'),
    ('install --firstdisk --forcemigrate',
     '3: install: unknown option --forcemigrate'),
    ('upgrade --firstdisk --overwritevmfs',
     '3: upgrade: unknown option --overwritevmfs'),
    ('installorupgrade --firstdisk --ignoressd',
     '3: installorupgrade: unknown option --ignoressd'),
    ('upgrade --firstdisk\nclearpart --alldrives',
     '4: clearpart: goes only with install, not with upgrade'),
)


class TestCheck(base.TestCase):

    def test_good_lines(self) -> None:
        for lines in GOOD:
            with self.subTest(lines):
                self.assertEqual([], check(FRAME + lines))

    def test_good_installs(self) -> None:
        for line in GOOD_INSTALL:
            with self.subTest(line):
                self.assertEqual([], check(EULA + line))

    def test_bad_lines(self) -> None:
        for lines, expected in BAD:
            with self.subTest(lines):
                self.assertEqual([f'ks.cfg:{expected}'], check(FRAME + lines))

    def test_bad_installs(self) -> None:
        for lines, expected in BAD_INSTALL:
            with self.subTest(lines):
                self.assertEqual([f'ks.cfg:{expected}'], check(EULA + lines))

    def test_every_command_and_option_is_in_a_good_text(self) -> None:
        known = {(name, option) for table in (grammar.COMMANDS,
                                              grammar.SECTIONS)
                 for name, syntax in table.items()
                 for option in (None, *syntax.options)}
        seen = set()
        for source in (*(FRAME + lines for lines in GOOD),
                       *(EULA + line for line in GOOD_INSTALL)):
            script = text.parse(text.lines(source, 'ks.cfg'))
            for one in (*script.commands,
                        *(section.head for section in script.sections)):
                seen.add((one.name, None))
                seen.update((one.name, word.partition('=')[0])
                            for word in one.rest.split())
        self.assertEqual(set(), known - seen)

    def test_nothing_at_all(self) -> None:
        self.assertEqual(
            ['ks.cfg: no vmaccepteula or accepteula',
             'ks.cfg: no install or installorupgrade or upgrade',
             'ks.cfg: no rootpw'], check(''))

    def test_what_an_include_gives_is_not_missed(self) -> None:
        self.assertEqual(['ks.cfg: no rootpw'],
                         check('', ('vmaccepteula', 'install')))

    def test_commands_in_a_script_do_not_count(self) -> None:
        self.assertEqual(3, len(check('%pre\n' + FRAME)))

    def test_all_problems_at_once(self) -> None:
        self.assertEqual(
            ['ks.cfg:5: an ESXi kickstart has no %end, a section ends where '
             'the next begins; delete the line',
             'ks.cfg:1: unknown command "lang"',
             'ks.cfg:2: network: unknown option --x',
             'ks.cfg:2: network: --vlanid wants a number from 0 to 4096, not '
             '"-1"',
             'ks.cfg:3: unknown section "%foo"',
             'ks.cfg: no rootpw'],
            check('lang x\nnetwork --x --vlanid=-1\n%foo\n%pre\n%end\n',
                  ('vmaccepteula', 'install')))

    def test_an_apostrophe_in_a_password_is_a_character(self) -> None:
        self.assertEqual([], check("accepteula\nrootpw it's\ndryrun\n",
                                   ('install',)))
