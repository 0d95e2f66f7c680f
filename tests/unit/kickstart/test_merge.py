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

"""A user's kickstart and ours become one."""

from collections.abc import Sequence
import dataclasses
import traceback

import hypothesis
from hypothesis import strategies

from esxi_img import errors
from esxi_img.kickstart import merge
from esxi_img.kickstart import sections
from tests import base

GOLDEN = base.FIXTURES / 'kickstart'
HASH = '$6$rounds=5000$saltsalt$' + 'Hunter22' * 10 + 'abcde/'
SECRET = 'Hunter22'
UNGUESSABLE = ('no root password hash: hosts without admin_pass will get an '
               'unguessable root password')
INSTALL = 'install --disk=IMAGE-DISK --overwritevmfs'
NOT_LOOKED_FOR = {
    'install': 'the disk of the image is not looked for',
    'rootpw': 'admin_pass of the config drive is not looked at',
    'network': 'the installer does not look at the network of the config '
               'drive, only first boot does'}
HEAD = ('# K\u00fcche, \u042d\u0442\u0430\u0436 3\r\n'
        'accepteula\n'
        'rootpw Hunter22\n'
        'network --bootproto=dhcp --hostname="k\u00fcche"\n'
        '\n'
        '# what comes first\n'
        '%pre\n'
        'echo "\u00fc"\n'
        '%firstboot --interpreter=busybox\n'
        'esxcli system account set --id=x --password=Hunter22\n'
        'esxcli system shutdown reboot -r "fertig \u00fc"')
INCLUDE = ('%include /tmp/disk.ks\n'
           '%pre\n'
           'for disk in /vmfs/devices/disks/*; do :; done\n'
           'echo "install --disk=$disk" > /tmp/disk.ks\n')

# Golden file, wishes, the user's kickstart, our sections.
GOLDENS = (
    ('default', merge.Wishes(), None, ()),
    ('head', merge.Wishes(), HEAD,
     ('%pre', 'echo ours', '%firstboot', 'echo ours')),
    ('include', merge.Wishes(root_password_hash=HASH), INCLUDE, ()),
)


def golden(name: str, extension: str = 'ks') -> bytes:
    return (GOLDEN / f'{name}.{extension}').read_bytes()


class TestGoldens(base.TestCase):

    def test_text(self) -> None:
        for name, wishes, head, scripts in GOLDENS:
            with self.subTest(name):
                made = merge.merge(wishes, head, 'ks.cfg', scripts)
                self.assertEqual(golden(name), made.text.encode())

    def test_shown(self) -> None:
        for name, wishes, head, scripts in GOLDENS:
            with self.subTest(name):
                made = merge.merge(wishes, head, 'ks.cfg', scripts)
                self.assertEqual(golden(name, 'shown'),
                                 made.redacted().encode())

    def test_no_golden_is_left_over(self) -> None:
        self.assertEqual(
            sorted(f'{name}.{extension}' for name, *_ in GOLDENS
                   for extension in ('ks', 'shown')),
            sorted(path.name for path in GOLDEN.iterdir()))


class TestMerge(base.TestCase):

    def test_default_says_what_it_did(self) -> None:
        made = merge.merge(merge.Wishes())
        self.assertEqual(((), (), (UNGUESSABLE,), INSTALL),
                         (made.left_out, made.includes, made.notes,
                          made.install))
        self.assertEqual(
            ('vmaccepteula', '%include /tmp/esxiimg/disk.cfg',
             '%include /tmp/esxiimg/rootpw.cfg',
             '%include /tmp/esxiimg/network.cfg', 'reboot'), made.added)

    def test_a_hash_needs_no_note(self) -> None:
        made = merge.merge(merge.Wishes(root_password_hash=HASH))
        self.assertEqual((), made.notes)
        self.assertNotIn(HASH, made.text)
        self.assertEqual(f'rootpw --iscrypted {HASH}\n'.encode(),
                         made.safe['rootpw.cfg'])

    def test_what_is_safe_is_shown_without_the_hash(self) -> None:
        made = merge.merge(merge.Wishes(root_password_hash=HASH))
        shown = made.redacted_safe()
        self.assertEqual('rootpw --iscrypted (set)\n', shown['rootpw.cfg'])
        self.assertEqual(made.safe['network.cfg'].decode(),
                         shown['network.cfg'])

    def test_a_password_of_the_users_needs_no_hash(self) -> None:
        self.assertEqual(
            ('rootpw is given by ks.cfg:3: ' + NOT_LOOKED_FOR['rootpw'],
             'network is given by ks.cfg:4: ' + NOT_LOOKED_FOR['network']),
            merge.merge(merge.Wishes(), HEAD, 'ks.cfg').notes)

    def test_a_chosen_disk_is_for_the_include(self) -> None:
        made = merge.merge(merge.Wishes('disk=a', ('novmfsondisk',)))
        self.assertEqual('install --disk=a --overwritevmfs --novmfsondisk',
                         made.install)
        self.assertNotIn('install', made.text)
        self.assertEqual(merge.merge(merge.Wishes()).safe, made.safe)

    def test_the_users_commands_are_the_users(self) -> None:
        made = merge.merge(
            merge.Wishes('disk=a', ('novmfsondisk',), HASH),
            'accepteula\nrootpw Hunter22\nupgrade --disk=b\nnetwork\n'
            'reboot --noeject\n', 'ks.cfg')
        self.assertEqual(((), ()), (made.added, made.includes))
        self.assertEqual(
            ('--install-disk disk=a: no effect, install is given by '
             'ks.cfg:3 (upgrade)',
             '--install-option novmfsondisk: no effect, install is given by '
             'ks.cfg:3 (upgrade)',
             '--root-password-hash-file: no effect, rootpw is given by '
             'ks.cfg:2',
             'install is given by ks.cfg:3 (upgrade): '
             + NOT_LOOKED_FOR['install'],
             'rootpw is given by ks.cfg:2: ' + NOT_LOOKED_FOR['rootpw'],
             'network is given by ks.cfg:4: ' + NOT_LOOKED_FOR['network']),
            made.notes)
        self.assertEqual(
            ('vmaccepteula: given by ks.cfg:1 (accepteula)',
             'install: given by ks.cfg:3 (upgrade)',
             'rootpw: given by ks.cfg:2',
             'network: given by ks.cfg:4',
             'reboot: given by ks.cfg:5'), made.left_out)
        self.assertTrue(made.text.endswith('reboot --noeject\n'))

    def test_commands_in_a_script_are_not_the_users(self) -> None:
        made = merge.merge(merge.Wishes(), '%post\nreboot\n')
        self.assertEqual(((), 5), (made.left_out, len(made.added)))

    def test_an_include_that_a_script_fills(self) -> None:
        made = merge.merge(merge.Wishes(), INCLUDE, 'ks.cfg')
        self.assertEqual(('/tmp/disk.ks',), made.includes)
        self.assertEqual(('install: presumably given by %include '
                          '/tmp/disk.ks',), made.left_out)
        self.assertEqual(
            ('install is presumably given by %include /tmp/disk.ks: '
             + NOT_LOOKED_FOR['install'], UNGUESSABLE,
             'install: presumably given by %include /tmp/disk.ks, so none '
             'is added; without it the installer stops',
             'vmaccepteula, rootpw, network: added; make sure that no '
             'include gives one too: /tmp/disk.ks'), made.notes)
        self.assertNotIn('esxiimg/disk.cfg', made.text)

    def test_a_written_command_is_not_presumed(self) -> None:
        made = merge.merge(merge.Wishes(root_password_hash=HASH),
                           f'install --disk=b\n{INCLUDE}', 'ks.cfg')
        self.assertEqual(('install: given by ks.cfg:1',), made.left_out)
        self.assertNotIn('presumably', ' '.join(made.notes))

    def test_what_an_include_is_presumed_to_give(self) -> None:
        for script, expected in (
                ('echo "install --disk=$d" > /tmp/a.ks', {'install'}),
                ('echo install $d > /tmp/a.ks', {'install'}),
                ('cd /tmp; echo upgrade --disk=b > a.ks', {'install'}),
                ('echo rootpw "$p" > /tmp/a.ks', {'rootpw'}),
                ('printf "rootpw %s" "$p" > /tmp/a.ks', {'rootpw'}),
                ('echo network --device=vmnic0 > /tmp/a.ks', {'network'}),
                ('echo vmaccepteula > /tmp/a.ks; reboot', {'vmaccepteula'}),
                # The installer waits without one, and takes two.
                ('echo reboot --noeject > /tmp/a.ks', set()),
                (r'printf "rootpw $P\ninstall --disk=$D\n" > /tmp/a.ks',
                 {'rootpw', 'install'}),
                (r'open("/tmp/a.ks", "w").write("reboot\ninstall --disk=" + d'
                 r' + "\nnetwork --bootproto=dhcp\n")',
                 {'install', 'network'}),
                (r'printf "rootpw\t%s\n" $P > /tmp/a.ks', {'rootpw'}),
                ('print("rootpw", pw, file=open("/tmp/a.ks", "w"))',
                 {'rootpw'}),
                ('open("/tmp/a.ks").write(" ".join(["network", "--ip=" + x]',
                 {'network'}),
                # Neither path nor command alone, no comment.
                ('echo install --disk=b > /tmp/b.ks', set()),
                ('touch /tmp/a.ks; reboot; cat /tmp/install --x', set()),
                ('touch /tmp/a.ks\n # install --disk=$d', set()),
                # Too late for the installer to read.
                ('\n%post\necho install --disk=b > /tmp/a.ks', set())):
            with self.subTest(script):
                made = merge.merge(merge.Wishes(),
                                   f'%include /tmp/a.ks\n%pre\n{script}')
                self.assertEqual(expected, {
                    line.partition(':')[0] for line in made.left_out})

    def test_odd_commands_are_warned_of(self) -> None:
        made = merge.merge(
            merge.Wishes(root_password_hash=HASH),
            'install --disk=a\ndryrun\nparanoid\nclearpart --alldrives\n',
            'ks.cfg')
        self.assertEqual(
            ['ks.cfg:2: dryrun', 'ks.cfg:3: paranoid', 'ks.cfg:4: clearpart'],
            [note.rpartition(':')[0] for note in made.notes[1:]])

    def test_an_include_of_unknown_content_is_warned_of(self) -> None:
        made = merge.merge(merge.Wishes(root_password_hash=HASH),
                           '%include /tmp/a\ninclude /esxiimg/b\n')
        self.assertEqual(
            ('vmaccepteula, install, rootpw, network: added; make sure that '
             'no include gives one too: /tmp/a, /esxiimg/b',),
            made.notes)

    def test_carriage_returns_in_scripts_are_warned_of(self) -> None:
        made = merge.merge(merge.Wishes(root_password_hash=HASH),
                           'keyboard us\r\n%pre\r\n:\n:\r\n:\r\n', 'ks.cfg')
        self.assertEqual(
            ('ks.cfg:4: 2 script lines end in CRLF, a shell reads the CR as '
             'part of the command',), made.notes)

    def test_a_non_ascii_comment_keeps_the_text_whole(self) -> None:
        made = merge.merge(merge.Wishes(), HEAD)
        self.assertTrue(made.text.endswith('-r "fertig \u00fc"\n'))
        self.assertTrue(made.text.startswith('# K\u00fcche'))

    def test_ours_is_ascii(self) -> None:
        self.assertTrue(merge.merge(merge.Wishes()).text.isascii())

    def test_problems_name_the_users_lines(self) -> None:
        with self.assertRaises(errors.InputError) as caught:
            merge.merge(merge.Wishes(),
                        'lang en\ninstall\n%pre\n:\n%end\n%packages\n',
                        'my.cfg', ('%post', ':'))
        self.assertEqual(
            ('my.cfg:5: an ESXi kickstart has no %end, a section ends where '
             'the next begins; delete the line',
             'my.cfg:1: unknown command "lang"',
             'my.cfg:2: install: needs --disk or --drive or --firstdisk',
             'my.cfg:6: unknown section "%packages"'),
            caught.exception.problems)

    def test_an_include_with_an_open_quote(self) -> None:
        with self.assertRaises(errors.InputError) as caught:
            merge.merge(merge.Wishes(), '%include "/tmp/a', 'my.cfg')
        self.assertEqual(('my.cfg:1: %include: a quote is left open',),
                         caught.exception.problems)

    def test_two_installs_are_refused(self) -> None:
        with self.assertRaises(errors.InputError) as caught:
            merge.merge(merge.Wishes(), 'install --disk=a\nupgrade --disk=a',
                        'my.cfg')
        self.assertEqual(
            ('my.cfg:2: upgrade: my.cfg:1 has install, only one of them may '
             'be given',), caught.exception.problems)

    def test_bad_wishes(self) -> None:
        for wishes, name in (
                (merge.Wishes('nonsense'), '--install-disk'),
                (merge.Wishes(install_options=('x',)), '--install-option')):
            with self.subTest(name):
                with self.assertRaisesRegex(errors.RequestError, f'^{name} '):
                    merge.merge(wishes)

    def test_includes_of_ours_count_as_ours(self) -> None:
        made = merge.merge(
            merge.Wishes(), 'vmaccepteula\ninclude "/tmp/esxiimg/disk.cfg"\n'
            '%include  /tmp/esxiimg/rootpw.cfg\n%include /tmp/a\n', 'my.cfg')
        self.assertEqual(
            (('%include /tmp/esxiimg/network.cfg', 'reboot'),
             ('/tmp/a',), INSTALL,
             ('vmaccepteula: given by my.cfg:1',)),
            (made.added, made.includes, made.install, made.left_out))
        self.assertEqual(
            (UNGUESSABLE, 'network: added; make sure that no include gives '
             'one too: /tmp/a'), made.notes)

    def test_an_include_of_ours_needs_no_presumption(self) -> None:
        made = merge.merge(merge.Wishes(), '%include /tmp/esxiimg/disk.cfg\n'
                           + INCLUDE, 'my.cfg')
        self.assertEqual((), made.left_out)
        self.assertNotIn('presumably', ' '.join(made.notes))

    def test_sections_of_ours_tell_nothing_of_the_users_includes(
            self) -> None:
        script = 'echo "install --disk=b" > /tmp/a.ks'
        for mark, expected in ((sections.MARK, 0), ('# mine', 1)):
            made = merge.merge(
                merge.Wishes(),
                f'%include /tmp/a.ks\n%pre\n{mark}\n{script}', 'my.cfg')
            self.assertEqual(expected, len(made.left_out))

    def test_what_our_include_gives_is_not_given_twice(self) -> None:
        ours = '%include /tmp/esxiimg/disk.cfg'
        for head, expected in (
                (f'install --disk=a\n{ours}',
                 'my.cfg:2: %include: my.cfg:1 gives install already '
                 '(install); delete one of them'),
                (f'{ours}\nupgrade --disk=a',
                 'my.cfg:2: upgrade: my.cfg:1 gives install already '
                 '(%include); delete one of them'),
                (f'{ours}\nreboot\n{ours}',
                 'my.cfg:3: %include: my.cfg:1 gives install already '
                 '(%include); delete one of them'),
                ('%include /tmp/esxiimg/rootpw.cfg\nrootpw Hunter22',
                 'my.cfg:2: rootpw: my.cfg:1 gives rootpw already '
                 '(%include); delete one of them'),
                ('network\n%include /tmp/esxiimg/network.cfg',
                 'my.cfg:2: %include: my.cfg:1 gives network already '
                 '(network); delete one of them')):
            with self.subTest(head):
                with self.assertRaises(errors.InputError) as caught:
                    merge.merge(merge.Wishes(), head, 'my.cfg')
                self.assertEqual((expected,), caught.exception.problems)

    def test_our_own_text_is_whole(self) -> None:
        once = merge.merge(merge.Wishes(), HEAD, 'my.cfg', SECTIONS)
        for scripts in (SECTIONS, ()):
            twice = merge.merge(merge.Wishes(), once.text, 'my.cfg', scripts)
            self.assertEqual((once.text, ()), (twice.text, twice.added))

    def test_a_section_that_quotes_the_mark_is_the_users(self) -> None:
        head = f'%post\ncat <<E\n{sections.MARK}\nE\n'
        made = merge.merge(merge.Wishes(), head, 'my.cfg', SECTIONS)
        self.assertTrue(made.text.endswith('\n'.join(SECTIONS) + '\n'))

    def test_our_own_text_with_changes(self) -> None:
        text = merge.merge(merge.Wishes(), None, '', SECTIONS).text
        for old, new in (
                ('reboot\n', 'keyboard German\nreboot\n'),
                ('%pre', '%pre\necho first\n%pre'),
                ('%firstboot', '# mine\n%firstboot\necho 1\n\n%firstboot'),
                ('\n%post', '\n# what comes first\n%post\n:\n%post')):
            changed = text.replace(old, new, 1)
            self.assertNotEqual(text, changed)
            with self.subTest(new):
                made = merge.merge(merge.Wishes(), changed, 'my.cfg',
                                   SECTIONS)
                self.assertEqual(changed, made.text)

    def test_sections_of_another_version_are_refused(self) -> None:
        text = merge.merge(merge.Wishes(), None, '', SECTIONS).text
        first = text.splitlines().index('%pre --interpreter=busybox') + 1
        for changed, count in (
                (text.replace('left=600', 'left=60'), 5),
                (text.replace('busybox --timeout', 'python --timeout'), 5),
                (text.replace('exit 0\n', 'exit 0\r\n'), 5),
                # One is missing; all are there twice.
                (text[:text.index('%firstboot')], 4),
                (text + ''.join(f'{line}\n' for line in SECTIONS), 10)):
            with self.subTest(count):
                with self.assertRaises(errors.InputError) as caught:
                    merge.merge(merge.Wishes(), changed, 'my.cfg', SECTIONS)
                self.assertEqual(
                    f'my.cfg:{first}: a section of esxi-img, but not as this '
                    'version writes it; delete it, it is added anew',
                    caught.exception.problems[0])
                self.assertEqual(count, len(caught.exception.problems))
                # Whoever only reads it has nothing against it.
                merge.merge(merge.Wishes(), changed, 'my.cfg')

    def test_sections_of_ours_end_the_text(self) -> None:
        made = merge.merge(merge.Wishes(), '%post\n:', 'my.cfg',
                           ('%pre', 'a', '%post', 'b'))
        self.assertTrue(made.text.endswith(
            '\nreboot\n%post\n:\n%pre\na\n%post\nb\n'))


LINES = strategies.sampled_from((
    'reboot', 'vmaccepteula', 'rootpw Hunter22', 'rootpw --iscrypted ' + HASH,
    'install --firstdisk', 'install \\\n  --disk="a b"', 'network', '',
    '# \u00fc', '%include /tmp/a', '\tdryrun  ', 'clearpart --alldrives',
    '%include /tmp/esxiimg/rootpw.cfg'))
SCRIPTS = strategies.sampled_from((
    '%pre', '%post --timeout=3', '%firstboot', 'reboot', '# rootpw Hunter22',
    'echo "install --disk=$x" > /tmp/a', '\u00fc\u2028', '', 'rm \\',
    'x --password=Hunter22', '"${y}" %s'))
ENDS = strategies.sampled_from(('\n', '\r\n'))
TEXTS = strategies.builds(
    lambda commands, scripts, end, last: end.join(
        [*commands, *(['%pre', *scripts] if scripts else [])]) + last,
    strategies.lists(LINES, max_size=9), strategies.lists(SCRIPTS), ENDS,
    strategies.sampled_from(('', '\n', '\r\n')))
SECTIONS = sections.lines()
WISHES = strategies.builds(
    merge.Wishes, strategies.sampled_from(('auto', 'disk=a', 'firstdisk=b')),
    strategies.lists(strategies.sampled_from(('novmfsondisk', 'systemDisk=x'))
                     ).map(tuple),
    strategies.sampled_from((None, HASH)))


def said(made: merge.Kickstart) -> str:
    return repr(made) + str(made) + made.redacted() + repr(
        made.redacted_safe()) + repr([
            getattr(made, field.name) for field in dataclasses.fields(made)
            if field.name not in ('text', 'safe')])


class TestProperties(base.TestCase):

    def merged(self, wishes: merge.Wishes, head: str,
               scripts: Sequence[str] = ()) -> merge.Kickstart:
        """A merge, or on to the next example if the head is a bad one."""
        try:
            return merge.merge(wishes, head, 'my.cfg', scripts)
        except errors.InputError as error:
            self.assertNotIn(SECRET, ''.join(
                traceback.format_exception(error)) + repr(error))
            hypothesis.reject()

    @hypothesis.given(WISHES, TEXTS)
    def test_the_users_text_is_cut_once_and_whole(
            self, wishes: merge.Wishes, head: str) -> None:
        made = self.merged(wishes, head)
        head += '\n' if head and not head.endswith('\n') else ''
        start = made.text.find(sections.MARK)
        end = start + len(made.text) - len(head)
        if start < 0:
            self.assertEqual((head, ()), (made.text, made.added))
        else:
            self.assertEqual(head, made.text[:start] + made.text[end:])
            self.assertEqual(1 + len(made.added),
                             made.text[start:end].count('\n'))

    @hypothesis.given(WISHES, TEXTS)
    def test_twice_is_once(self, wishes: merge.Wishes, head: str) -> None:
        once = self.merged(wishes, head, SECTIONS)
        for scripts in (SECTIONS, ()):
            twice = merge.merge(wishes, once.text, 'my.cfg', scripts)
            self.assertEqual((once.text, (), once.install),
                             (twice.text, twice.added, twice.install))

    @hypothesis.given(WISHES, TEXTS)
    def test_no_secret_is_ever_said(self, wishes: merge.Wishes,
                                    head: str) -> None:
        made = self.merged(wishes, head)
        self.assertNotIn(SECRET, said(made))
        self.assertNotIn(SECRET, repr(wishes))
        self.assertEqual(HASH in head, HASH in made.text)
        if wishes.root_password_hash:
            self.assertIn(HASH.encode(), made.safe['rootpw.cfg'])

    @hypothesis.given(strategies.text(strategies.sampled_from(
        'ab -="\'\\\n\r\t#%$\u00a0')), strategies.text(
            strategies.sampled_from(' "\'\\\n\r\t#%$\u00a0-='), max_size=4),
        strategies.sampled_from(('', '--iscrypted ', '\\\n', '"')))
    def test_not_even_from_a_garbled_line(self, tail: str, middle: str,
                                          start: str) -> None:
        head = f'rootpw {start}Hunter22{middle}Hunter22'
        try:
            made = merge.merge(merge.Wishes(), f'{head} {tail}', 'my.cfg')
        except errors.InputError as error:
            said_so = str(error) + repr(error)
        else:
            said_so = repr(made) + str(made)
            if '\n' not in middle:
                said_so += made.redacted()
        if '\n' not in middle:
            self.assertNotIn(SECRET, said_so)


class TestDecode(base.TestCase):

    def test_good(self) -> None:
        for data, expected in (
                (b'', ''),
                ('\u00fc\r\n'.encode(), '\u00fc\r\n'),
                ('\ufeffreboot'.encode(), 'reboot')):
            with self.subTest(data):
                self.assertEqual(expected, merge.decode(data, 'ks.cfg'))

    def test_bad(self) -> None:
        for data, expected in (
                (b'a\nb\n\xfcHunter22\n', 'ks.cfg:3: not UTF-8'),
                (b'a\n\xff\n\0', 'ks.cfg:2: not UTF-8'),
                (b'a\n\0\n\xff', 'ks.cfg:2: a NUL character'),
                (b'a\0Hunter22', 'ks.cfg:1: a NUL character'),
                (b'rootpw Hunter22 \xc3', 'ks.cfg:1: not UTF-8'),
                ('reboot'.encode('utf-16'), 'ks.cfg:1: not UTF-8')):
            with self.subTest(data):
                with self.assertRaises(errors.InputError) as caught:
                    merge.decode(data, 'ks.cfg')
                self.assertEqual((expected,), caught.exception.problems)
                self.assertIsNone(caught.exception.__context__)


class TestCheckHash(base.TestCase):

    def test_good(self) -> None:
        plain = HASH.replace('rounds=5000$', '')
        for content in (HASH, HASH + '\n', HASH + '\r\n', plain):
            with self.subTest(content):
                self.assertEqual(content.rstrip(),
                                 merge.check_hash(content, 'hash.txt'))

    def test_bad(self) -> None:
        for content in (
                '', '\n', SECRET, HASH + '\n\n', '\n' + HASH, ' ' + HASH,
                HASH + ' ', HASH + '\n# Hunter22\n', HASH[:-1],
                HASH + '.', HASH[:-1] + '2', HASH.replace('$6$', '$5$'),
                HASH.replace('5000', '999'), HASH.replace('5000', '05000'),
                HASH.replace('saltsalt', ''), HASH.replace('salt', 's:'),
                HASH.replace('saltsalt', 17 * 's'), f'rootpw {HASH}'):
            with self.subTest(content):
                with self.assertRaises(errors.InputError) as caught:
                    merge.check_hash(content, 'hash.txt')
                self.assertEqual(
                    ('hash.txt: not one line of the form $6$SALT$HASH '
                     '(SHA-512 crypt)',), caught.exception.problems)
                self.assertNotIn(SECRET, repr(caught.exception)
                                 + str(caught.exception.hint))

    def test_merge_checks_it_again(self) -> None:
        with self.assertRaises(errors.InputError):
            merge.merge(merge.Wishes(root_password_hash='a\nreboot'))
