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

"""Whatever a drive says there is a plan, and a host that survives it."""

from collections.abc import Iterator
import contextlib
import copy
import functools
import json
import pathlib
import random
import typing
from unittest import mock

from esxi_img.firstboot import drive
from esxi_img.firstboot import execute
from esxi_img.firstboot import facts
from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import nics
from esxi_img.firstboot import outcome
from esxi_img.firstboot import present
from esxi_img.firstboot import reading
from esxi_img.firstboot import running
from esxi_img.firstboot import steps
from esxi_img.firstboot import think
from tests import base
from tests.esxi import grammar
from tests.esxi import state
from tests.unit.firstboot import test_corpus
from tests.unit.firstboot import test_hosts

META = 'meta_data.json'
NETWORK = 'network_data.json'
SHELL = '$(reboot)`id`;&|<>*?\'"\\\n\r\t\0 -x --y=z %s {} ü\ud800\u2028'
DROPPED: typing.Any = object()
OTHERS = ('', 'x', SHELL, 0, -1, 1 << 70, 1.5, True, [], {}, [None], [[]],
          {'a': {}}, 'a' * 5000, '::1', '0.0.0.0/0', 'fe80::1%eth0', '²')
LEASE = test_hosts.lease
INSTALLED = (pathlib.Path(__file__).parents[3] / 'docs' / 'source' / 'user'
             / 'example' / 'installed.json')

Path = tuple[typing.Any, ...]
Files = dict[str, bytes]


@functools.cache
def files(case: str) -> Files:
    return dict(drive.read(str(test_corpus.CORPUS / case)).files)


@functools.cache
def documents() -> dict[tuple[str, bytes], Files]:
    """The drives of the corpus by each of their documents, once each."""
    found: dict[tuple[str, bytes], Files] = {}
    for case in test_corpus.CASES:
        for name in (META, NETWORK):
            data = files(case).get(name)
            if data is not None:
                found.setdefault((name, data), files(case))
    return found


def decoded(data: bytes) -> typing.Any:
    """The document, or None if it is broken anyway."""
    try:
        return json.loads(data.decode(json.detect_encoding(data)))
    except ValueError:
        return None


def paths(value: typing.Any, path: Path = ()) -> Iterator[Path]:
    """Of the value itself, and of all that is in it."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(
        value if isinstance(value, list) else ())
    for key, one in inner:
        yield from paths(one, (*path, key))


def changed(value: typing.Any, path: Path, new: typing.Any) -> typing.Any:
    """A copy with something else at one place."""
    if not path:
        return None if new is DROPPED else new
    result = copy.copy(value)
    if len(path) > 1:
        result[path[0]] = changed(value[path[0]], path[1:], new)
    elif new is DROPPED:
        del result[path[0]]
    else:
        result[path[0]] = new
    return result


def mutants(chance: random.Random, few: int) -> Iterator[
        tuple[str, Path, typing.Any, Files]]:
    """Every place dropped and null, and as a few other values."""
    for (name, data), others in documents().items():
        value = decoded(data)
        for path in paths(value):
            for new in (DROPPED, None, *chance.sample(OTHERS, few)):
                text = json.dumps(changed(value, path, new))
                yield name, path, new, {**others, name: text.encode()}


def described(some: Files) -> model.Model:
    return reading.model_of(drive.Drive('folder', None, 'latest', some))


def thought(some: Files, **settings: bool) -> outcome.Outcome:
    description = described(some)
    return think.outcome_of(description, nics.invent(description.network),
                            None, model.Settings(**settings))


@functools.cache
def refusal(argv: tuple[str, ...]) -> str:
    """What esxcli says against a command; '' if nothing."""
    try:
        if argv[0] == 'esxcli':
            grammar.check(argv)
    except grammar.Refused as error:
        return str(error)
    return ''


def carry_out(esxi: state.Esxi, plan: steps.Plan, broken: str | None = None
              ) -> list[tuple[str, str]]:
    """Do what is planned as a host does; steps that failed, and why.

    :param broken: the name of a step that fails without doing anything
    """
    errors: dict[tuple[str, ...], str] = {}
    fails = [step.argv for step in plan.steps if step.name == broken
             for _ in range(1 + step.retries)]

    def run(argv: tuple[str, ...], timeout: float) -> running.Result:
        if argv in fails:
            fails.remove(argv)
            answer = (1, '', 'broken')
        else:
            answer = esxi.run(argv)
        errors[argv] = answer[2]
        return running.Result(*answer, 0)

    done = execute.execute(
        plan, execute.Effects(
            run,
            lambda file: esxi.write_file(file.path, file.content, file.mode),
            lambda: 0.0, lambda _: None, mock.Mock(return_value=None),
            contextlib.nullcontext, bytes),
        mock.Mock(finished=frozenset, ended=dict), 1.0)
    by_name = {step.name: step for step in plan.steps}
    return [(one.name, errors.get(by_name[one.name].argv, one.result))
            for one in done if not by_name[one.name].optional
            and one.result not in (execute.OK, execute.SAME, execute.SKIPPED,
                                   execute.UNDONE)]


def installed(found: outcome.Outcome, lease: state.Dhcp = LEASE
              ) -> state.Esxi:
    """The host that the installer makes, on a network that answers so."""
    with mock.patch.object(test_hosts, 'lease', lease):
        return test_hosts.install(found)


class TestCase(base.TestCase):

    def assert_sound(self, found: outcome.Outcome) -> None:
        """What holds for every plan, whatever it is made from."""
        text = present.as_text(found)
        self.assertTrue(text.isascii()
                        and text.replace('\n', '').isprintable())
        shown = json.loads(json.dumps(present.as_json(found)))
        for problem in found.problems:
            for part in (problem.where, problem.message):
                self.assertTrue(part.isascii() and part.isprintable(), part)
                self.assertLess(len(part), 400)
        self.assert_steps(shown['steps'])
        self.assert_kickstart(found)
        self.assert_network(found.network)

    def assert_steps(self, steps: list[dict]) -> None:
        names = [step['name'] for step in steps]
        self.assertEqual(len(set(names)), len(names), names)
        for step in steps:
            self.assertEqual(bool(step['argv']), 'file' not in step)
            commands = [step['argv'], *step['undo']]
            if step['probe']:
                commands.append(step['probe']['argv'])
            for argv in filter(None, commands):
                self.assertRegex(argv[0], r'\A[a-z][a-z.-]*\Z')
                self.assertNotRegex(''.join(argv), '[\n\r\0]')
                self.assertEqual('', refusal(tuple(argv)), step['name'])

    def assert_kickstart(self, found: outcome.Outcome) -> None:
        install, network = found.kickstart
        self.assertEqual('install --disk=IMAGE-DISK --overwritevmfs',
                         install)
        # Neither quoted nor anything for a shell.
        self.assertRegex(network, r'\Anetwork( --[a-z]+=[A-Za-z0-9.:,-]+)+\Z')
        for word in network.split():
            name, _, value = word.partition('=')
            if name == '--device':
                self.assertIn(value, [nic.mac for nic in found.nics])

    def assert_network(self, network: host.Network) -> None:
        for values in (
                [vmk.mac for vmk in network.vmks if vmk.mac],
                [vmk.name for vmk in network.vmks],
                [name for switch in network.vswitches
                 for name in switch.uplinks]):
            self.assertEqual(sorted(set(values)), sorted(values))
        for vmk in network.vmks:
            group = network.portgroup(vmk.portgroup)
            assert group
            switch = network.vswitch(group.vswitch)
            assert switch
            self.assertLessEqual(vmk.mtu or host.USUAL_MTU,
                                 switch.mtu or host.USUAL_MTU)

    def assert_survives(self, description: model.Model,
                        known: tuple[host.Nic, ...] | None = None,
                        lease: state.Dhcp = LEASE) -> None:
        """A host is installed so, and then does what is planned."""
        found = think.outcome_of(
            description, known or nics.invent(description.network), None,
            model.Settings())
        self.assert_sound(found)
        if not all(nic.mac for nic in found.nics):
            # Which of these the installer takes is its own choice.
            return
        first = installed(found, lease)
        before = first.unusable()['vmk0']
        for plan in (found.plan, test_hosts.again(description, first).plan):
            esxi = installed(found, lease)
            failed = carry_out(esxi, plan)
            self.assertEqual([], [one for one in failed if not self.excused(
                found, one[0])])
            self.assertEqual({'vmk0': before}, esxi.unusable())
            if failed:
                continue
            second = test_hosts.again(description, esxi)
            self.assert_sound(second)
            # Of a fallback the name servers are those that DHCP brings.
            self.assertEqual([], [
                name for name in test_hosts.lasting(second)
                if not (found.fallback and name.startswith('dns.'))])

    @staticmethod
    def excused(found: outcome.Outcome, name: str) -> bool:
        """Whether nobody could know: what DHCP leaves a host with."""
        asking = [vmk.name for vmk in found.network.vmks
                  if vmk.ipv4 == 'dhcp' or vmk.ipv6_mode]
        if name.startswith('route.default'):
            return bool(asking) and not found.fallback
        return any(name == f'route.{route.network}' and route.vmk in asking
                   for route in found.network.routes)


class TestMutants(TestCase):

    def test_the_corpus_is_there(self) -> None:
        self.assertGreater(len(documents()), 90)
        self.assertGreater(sum(1 for _ in mutants(random.Random(0), 0)),
                           4000)

    def test_anything_in_any_place_gives_a_plan(self) -> None:
        seen = set()
        for name, path, new, some in mutants(random.Random(1), 1):
            with self.subTest(name, path=path, new=repr(new)[:60]):
                found = thought(some)
                if found not in seen:
                    self.assert_sound(found)
                seen.add(found)
        self.assertGreater(len(seen), 1000)

    def test_a_host_survives(self) -> None:
        chance = random.Random(2)
        every = [one for one in mutants(chance, 3) if one[0] == NETWORK]
        for name, path, new, some in chance.sample(every, 130):
            with self.subTest(name, path=path, new=repr(new)[:60]):
                self.assert_survives(described(some))

    def test_two_places(self) -> None:
        chance = random.Random(3)
        every = list(documents().items())
        for number in range(150):
            (name, data), others = chance.choice(every)
            value = decoded(data)
            for _ in range(chance.choice((2, 2, 3, 8))):
                place = chance.choice(list(paths(value)))
                if place:
                    value = changed(value, place, chance.choice(
                        (DROPPED, None, *OTHERS)))
            with self.subTest(number=number):
                self.assert_sound(thought(
                    {**others, name: json.dumps(value).encode()}))

    def test_values_change_places(self) -> None:
        """Each is of a right type somewhere, and wrong where it is."""
        chance = random.Random(4)
        values = [decoded(data) for name, data in documents()
                  if name == NETWORK]
        parts = [self.at(value, path) for value in values
                 for path in paths(value)]
        for number in range(150):
            value = chance.choice(values)
            for _ in range(3):
                places = [path for path in paths(value) if path]
                if places:
                    value = changed(value, chance.choice(places),
                                    chance.choice(parts))
            with self.subTest(number=number):
                self.assert_sound(thought(
                    {NETWORK: json.dumps(value).encode()}))

    @staticmethod
    def at(value: typing.Any, path: Path) -> typing.Any:
        for key in path:
            value = value[key]
        return value


class TestShell(TestCase):
    """What a shell would obey goes nowhere where one could see it."""

    def poisoned(self, value: typing.Any, whole: bool) -> typing.Any:
        if isinstance(value, dict):
            return {key + (SHELL if whole else ''):
                    self.poisoned(one, whole) for key, one in value.items()}
        if isinstance(value, list):
            return [self.poisoned(one, whole) for one in value]
        return f'{value}{SHELL}' if isinstance(value, str) else value

    def test_behind_every_string(self) -> None:
        for (name, data), others in documents().items():
            value = decoded(data)
            for whole in (False, True):
                some = {**others, name: json.dumps(
                    self.poisoned(value, whole)).encode()}
                with self.subTest(name, case=data[:60], whole=whole):
                    found = thought(some)
                    self.assert_sound(found)
                    self.assert_no_shell(found)

    def assert_no_shell(self, found: outcome.Outcome) -> None:
        """A key's remark is whatever it is, as a word of its own."""
        for step in found.plan.steps:
            if not step.name.startswith('ssh.key.'):
                self.assertNotRegex(''.join(step.argv), '[$`;&|<>*?"\']')


class TestBytes(TestCase):
    """Files that are no JSON, or hardly."""

    def damaged(self, data: bytes) -> Iterator[bytes]:
        text = data.decode(json.detect_encoding(data))
        yield from (data[:length] for length in (
            0, 1, len(data) // 3, len(data) // 2, len(data) - 2))
        for codec in ('utf-8-sig', 'utf-16', 'utf-32', 'utf-16-be'):
            yield text.encode(codec)
        half = len(data) // 2
        for odd in (b'\0', b'\xff', b'\xed\xa0\x80', b'\xc3', b'\n//x\n'):
            yield data[:half] + odd + data[half:]
        yield data + b'\0' * 4096
        yield data * 2
        yield text.replace('"', '\x93').encode()

    def test_damaged(self) -> None:
        for (name, data), others in documents().items():
            for number, broken in enumerate(self.damaged(data)):
                with self.subTest(name, case=data[:60], number=number):
                    found = thought({**others, name: broken})
                    self.assert_sound(found)
                    if decoded(broken) is None:
                        self.assertIn(name, [
                            one.where for one in found.problems])

    def test_encodings_say_the_same(self) -> None:
        for name, data in documents():
            value = decoded(data)
            if value is None:
                continue
            plans = {thought({name: json.dumps(value).encode(
                codec)}).plan.id for codec in (
                    'ascii', 'utf-8-sig', 'utf-16', 'utf-32-le')}
            self.assertEqual(1, len(plans), data[:60])

    def test_deeply_nested(self) -> None:
        for level in (99, 101, 5000, 200_000):
            for start, end in (('[', ']'), ('{"links":', '}'),
                               ('[{"a":', '}]')):
                for data in (start * level, start * level + end * level,
                             f'{{"links": {start * level}1{end * level}}}'):
                    found = thought({META: data.encode(),
                                     NETWORK: data.encode()})
                    self.assert_sound(found)
                    self.assertTrue(found.fallback)

    def test_what_json_knows_and_few_expect(self) -> None:
        for text in ('null', 'true', '7', '"x"', '[]', '{}', 'NaN', '1e999',
                     '-Infinity', '9' * 5000, '[NaN, 1e999]', '"\\ud800"',
                     '{"links": null, "links": []}', '  \n\t '):
            with self.subTest(text[:30]):
                found = thought({META: text.encode(),
                                 NETWORK: text.encode()})
                self.assert_sound(found)
                self.assertTrue(found.fallback)

    def test_what_user_data_is_does_not_matter(self) -> None:
        some = files('nova-generated/full-metadata')
        plan = thought(some).plan.id
        for data in (b'', b'\0' * 70000, bytes(range(256)) * 99,
                     b'\x1f\x8b\x08\0', b'#cloud-config\n[', SHELL.encode(
                         'utf-8', 'surrogatepass'), b'{' * 9999):
            for name in ('user_data', 'vendor_data.json',
                         'vendor_data2.json'):
                self.assertEqual(plan, thought({**some, name: data}).plan.id)


class Hosts:
    """Descriptions that nobody would write, of a few NICs."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.count = self.chance.randint(1, 4)
        self.ids: list[str] = []

    @staticmethod
    def mac(number: int) -> str:
        return f'02:00:00:00:00:{number:02x}'

    def nics(self) -> tuple[host.Nic, ...] | None:
        """Those of the host; None: they fit."""
        if self.chance.random() < .6:
            return None
        first = host.Nic('vmnic0', self.mac(0), True)
        return (first, *(host.Nic(
            f'vmnic{number}', self.mac(number + self.chance.choice(
                (0, 0, 0, 90))), self.chance.random() < .8)
            for number in range(1, self.count + 1)))

    def network_data(self) -> dict:
        plain = [self.plain(number) for number in range(self.count)]
        self.ids = [link['id'] for link in plain]
        bonds = [self.bond(number) for number in range(self.chance.choice(
            (0, 0, 1, 2)))]
        self.ids += [link['id'] for link in bonds]
        vlans = [self.vlan(number) for number in range(self.chance.choice(
            (0, 1, 2)))]
        self.ids += [link['id'] for link in vlans]
        links = [*plain, *bonds, *vlans]
        self.chance.shuffle(links)
        return {'links': links,
                'networks': [self.network() for _ in range(
                    self.chance.randint(0, 5))],
                'services': [{'type': 'dns', 'address': address}
                             for address in self.chance.sample(
                                 ('192.0.2.53', '2001:db8::53'),
                                 self.chance.randint(0, 2))]}

    def plain(self, number: int) -> dict:
        return {'id': f'nic{number}', 'type': 'phy',
                'ethernet_mac_address': self.mac(number),
                'mtu': self.chance.choice((None, None, 576, 1280, '9000'))}

    def bond(self, number: int) -> dict:
        return {'id': f'bond{number}', 'type': 'bond',
                'bond_links': self.chance.sample(
                    [*self.ids, 'none'], self.chance.randint(
                        0, self.count)),
                'bond_mode': self.chance.choice(
                    ('active-backup', '802.3ad', 'balance-xor', 1, None)),
                'ethernet_mac_address': self.mac(self.chance.choice(
                    (50 + number, 0))),
                'mtu': self.chance.choice((None, 1400, 9000))}

    def vlan(self, number: int) -> dict:
        return {'id': f'vlan{number}', 'type': 'vlan',
                'vlan_link': self.chance.choice([*self.ids, 'none']),
                'vlan_id': self.chance.choice((0, 1, '7', 4094, 4095)),
                'vlan_mac_address': self.mac(self.chance.choice(
                    (60 + number, 0, 50))),
                'mtu': self.chance.choice((None, 1280, 1500, 9000))}

    def network(self) -> dict:
        """One of 10.N.0.0/24, or of 2001:db8:N::/64."""
        number = self.chance.randint(0, 3)
        kind = self.chance.choice((
            'ipv4', 'ipv4', 'ipv4', 'ipv4_dhcp', 'ipv6', 'ipv6_slaac',
            'ipv6_dhcpv6-stateful'))
        result = {'id': 'n', 'type': kind, 'link': self.chance.choice(
            [*self.ids, *self.ids, 'none'])}
        last = self.chance.randint(4, 7)
        gateway = self.chance.choice((None, '10.{}.0.1', '10.{}.0.1',
                                      '10.0.0.1', '10.1.0.5',
                                      '169.254.0.1', '192.0.2.1'))
        if kind == 'ipv4':
            result['ip_address'] = f'10.{number}.0.{last}' + \
                self.chance.choice(('', '/24', '/24', '/30', '/31', '/32'))
            result['routes'] = [
                {'network': self.chance.choice((
                    '0.0.0.0/0', '0.0.0.0/0', '10.0.0.0/8', '10.0.0.0/16',
                    '10.1.0.0/24', '172.16.0.0/12')),
                 'gateway': gateway.format(number)}
                for _ in range(self.chance.randint(0, 2)) if gateway]
        elif kind == 'ipv6':
            result['ip_address'] = self.chance.choice((
                f'2001:db8:{number}::{last}/64', f'2001:db8:{number}::5',
                'fe80::5/64'))
            result['gateway'] = self.chance.choice((
                None, 'fe80::1', '2001:db8:1::1'))
        return result


class TestMadeUp(TestCase):

    def each(self, seeds: range) -> Iterator[
            tuple[int, model.Model, tuple[host.Nic, ...] | None]]:
        for seed in seeds:
            hosts = Hosts(seed)
            data = json.dumps(hosts.network_data()).encode()
            yield seed, described({NETWORK: data, META: b'{}'}), hosts.nics()

    def test_a_host_survives(self) -> None:
        for seed, description, known in self.each(range(110)):
            with self.subTest(seed=seed):
                self.assert_survives(description, known)

    def test_any_failure_leaves_management(self) -> None:
        failures = 0
        for seed, description, known in self.each(range(400, 425)):
            found = think.outcome_of(
                description, known or nics.invent(description.network),
                None, model.Settings())
            before = test_hosts.install(found).unusable()['vmk0']
            for step in found.plan.steps:
                if step.argv[:2] != ('esxcli', 'network'):
                    continue
                failures += 1
                esxi = test_hosts.install(found)
                carry_out(esxi, found.plan, step.name)
                with self.subTest(seed=seed, step=step.name):
                    self.assertEqual({'vmk0': before}, esxi.unusable())
        self.assertGreater(failures, 100)

    def test_one_host_after_the_other(self) -> None:
        """Each described host is made from the one before it."""
        cards = [state.Nic(f'vmnic{number}', Hosts.mac(number))
                 for number in range(4)]
        for first in range(200, 300, 5):
            chance = random.Random(first)
            esxi = state.fresh(cards, ['network --bootproto=dhcp'],
                               dhcp=LEASE)
            for seed, description, _ in self.each(range(first, first + 5)):
                found = test_hosts.again(description, esxi)
                with self.subTest(first=first, seed=seed):
                    self.assert_sound(found)
                undo = [argv for step in found.plan.steps
                        for argv in step.undo]
                names = [step.name for step in found.plan.steps
                         if step.argv not in undo]
                for broken in (*chance.sample(names, min(3, len(names))),
                               None):
                    after = copy.deepcopy(esxi)
                    carry_out(after, found.plan, broken)
                    with self.subTest(first=first, seed=seed, step=broken):
                        self.assertEqual('', after.unusable()['vmk0'])
                if not after.unusable()['vmk0']:
                    esxi = after


def link(number: int, **more: typing.Any) -> dict:
    return {'id': f'nic{number}', 'type': 'phy',
            'ethernet_mac_address': Hosts.mac(number), **more}


def bond(*members: int, number: int = 0, **more: typing.Any) -> dict:
    return {'id': f'bond{number}', 'type': 'bond',
            'bond_mode': 'active-backup',
            'bond_links': [f'nic{one}' for one in members], **more}


def vlan(tag: int, parent: str, **more: typing.Any) -> dict:
    return {'id': f'vlan{tag}', 'type': 'vlan', 'vlan_id': tag,
            'vlan_link': parent, 'vlan_mac_address': Hosts.mac(100 + tag),
            **more}


def four(on: str, address: str | None = None, gateway: str | None = None,
         **more: typing.Any) -> dict:
    return {'id': 'n', 'type': 'ipv4' if address else 'ipv4_dhcp',
            'link': on, 'ip_address': address, 'gateway': gateway, **more}


def six(on: str, address: str | None = None, gateway: str | None = None,
        **more: typing.Any) -> dict:
    return {'id': 'n', 'type': 'ipv6' if address else 'ipv6_slaac',
            'link': on, 'ip_address': address, 'gateway': gateway, **more}


def routes(*networks: str, gateway: str = '10.0.0.1') -> list[dict]:
    return [{'network': network, 'gateway': gateway} for network in networks]


def no_ipv6(mac: str) -> state.Lease:
    return {key: value for key, value in LEASE(mac).items()
            if key != 'ipv6'}


NIC0, NIC1, NIC2 = (host.Nic(f'vmnic{number}', Hosts.mac(number), True)
                    for number in range(3))
DOWN0 = host.Nic('vmnic0', Hosts.mac(0), False)
MAIN = four('nic0', '10.0.0.5', '10.0.0.1')
GONE = four('nic9', '10.9.0.5', '10.9.0.1')
OTHER = four('nic1', '10.1.0.5')

Case = tuple[list[dict], list[dict]]

BY_HAND: dict[str, Case] = {
    'a gateway on the network of another': (
        [link(0), link(1)], [four('nic0', '10.0.0.5', '10.1.0.1'), OTHER]),
    'a gateway that is our other address': (
        [link(0), link(1)], [four('nic0', '10.0.0.5', '10.1.0.5'), OTHER]),
    'a link-local gateway of IPv4': (
        [link(0)], [four('nic0', '10.0.0.5', '169.254.0.1')]),
    'a gateway for one address': (
        [link(0)], [four('nic0', '10.0.0.5/32', '10.0.0.1')]),
    'a network of two': (
        [link(0)], [four('nic0', '10.0.0.4/31', '10.0.0.5')]),
    'an address of class E': (
        [link(0)], [four('nic0', '240.0.0.5', '240.0.0.1')]),
    'a name server of class E': (
        [link(0)], [{**MAIN, 'dns_nameservers': ['240.0.0.1']}]),
    'only a link-local address of IPv4': (
        [link(0)], [four('nic0', '169.254.3.5')]),
    'routes that begin alike': (
        [link(0)], [{**MAIN, 'routes': routes(
            '10.2.0.0/16', '10.2.0.0/24', '10.2.0.0/28')}]),
    'halves of a default route': (
        [link(0)], [four('nic0', '10.0.0.5', routes=routes(
            '0.0.0.0/1', '128.0.0.0/1'))]),
    'a half of a default route beside it': (
        [link(0)], [{**MAIN, 'routes': routes('0.0.0.0/1')}]),
    'routes of IPv6 that begin alike': (
        [link(0)], [six('nic0', '2001:db8::5/64', routes=routes(
            '2001:db8:1::/48', '2001:db8:1::/64', gateway='2001:db8::1'))]),
    'a route to the own network': (
        [link(0)], [{**MAIN, 'routes': routes('10.0.0.0/24')}]),
    'a route to the other network': (
        [link(0), link(1)], [{**MAIN, 'routes': routes('10.1.0.0/24')},
                             OTHER]),
    'domains of all sorts': (
        [link(0)], [{**MAIN, 'dns_search': [
            '-x.org', 'a_b.org', 'x-.org', '-', '_', 'a..b', 'ok.org']}]),
    'a VLAN for management, and what is not tagged': (
        [link(0), vlan(7, 'nic0')], [four('vlan7'),
                                     four('nic0', '10.1.0.5')]),
    'both with DHCP': (
        [link(0), vlan(7, 'nic0')], [four('vlan7'), four('nic0')]),
    'a VLAN with the MAC of a member': (
        [bond(0, 1, ethernet_mac_address=Hosts.mac(50)), link(0), link(1),
         vlan(7, 'bond0', vlan_mac_address=Hosts.mac(0))],
        [four('bond0'), four('vlan7')]),
    'one MAC for all': (
        [link(0), *(vlan(tag, 'nic0', vlan_mac_address=Hosts.mac(0))
                    for tag in range(1, 6))],
        [MAIN, *(four(f'vlan{tag}', f'10.{tag}.0.5')
                 for tag in range(1, 6))]),
    'an address twice': (
        [link(0), link(1)], [MAIN, four('nic1', '10.0.0.5')]),
    'an address twice, of other lengths': (
        [link(0)], [MAIN, four('nic0', '10.0.0.5/16')]),
    'five addresses on a link': (
        [link(0)], [four('nic0', f'10.{number}.0.5', '10.3.0.1')
                    for number in range(5)]),
    'DHCP beside a static address': (
        [link(0)], [four('nic0'), MAIN]),
    'two links of one MAC': (
        [link(0), {**link(0), 'id': 'nic1'}], [MAIN, OTHER]),
    'a bond of bonds': (
        [bond(0, bond_links=['bond1', 'nic0']), bond(1, number=1), link(0),
         link(1)], [four('bond0', '10.0.0.5', '10.0.0.1')]),
    'a bond of itself': (
        [bond(0, bond_links=['bond0'], ethernet_mac_address=Hosts.mac(0)),
         link(0)], [four('bond0', '10.0.0.5', '10.0.0.1')]),
    'a VLAN on an unknown bond': (
        [vlan(7, 'bond7', vlan_mac_address=Hosts.mac(0)), link(1)],
        [four('vlan7', '10.0.0.5', '10.0.0.1')]),
    'a VLAN of itself': (
        [vlan(7, 'vlan7'), link(0)], [four('vlan7', '10.0.0.5'), MAIN]),
    'QinQ': ([link(0), vlan(7, 'nic0'), vlan(8, 'vlan7')],
             [four('vlan8', '10.1.0.5', '10.1.0.1'), MAIN]),
    'VLAN 4095': ([link(0), vlan(4095, 'nic0')],
                  [four('vlan4095', '10.1.0.5', '10.1.0.1'), MAIN]),
    'bonds that share a NIC': (
        [link(0), link(1), link(2), bond(0, 1),
         bond(1, 2, number=1, bond_mode='802.3ad')],
        [four('bond0', '10.0.0.5', '10.0.0.1'), four('bond1', '10.1.0.5')]),
    'management on one NIC of a bond': (
        [link(0), link(1), bond(1, 0)], [MAIN, four('bond0', '10.1.0.5')]),
    'a bond of one in a bond of two': (
        [link(0), link(1), bond(0),
         bond(0, 1, number=1, bond_mode='802.3ad')],
        [four('bond0', '10.0.0.5', '10.0.0.1'), four('bond1', '10.1.0.5')]),
    'MTUs on one switch': (
        [link(0, mtu=1400), vlan(5, 'nic0', mtu=9000),
         vlan(6, 'nic0', mtu=1300), vlan(7, 'nic0', mtu=9216),
         vlan(8, 'nic0')],
        [MAIN, *(four(f'vlan{tag}', f'10.{tag}.0.5')
                 for tag in range(5, 9))]),
    'small MTUs': (
        [link(0, mtu=576), link(1, mtu=1280), vlan(7, 'nic1')],
        [MAIN, OTHER, four('vlan7', '10.7.0.5')]),
    'a small MTU, and a MAC that matters': (
        [bond(0, mtu=1400, ethernet_mac_address=Hosts.mac(50)), link(0)],
        [six('bond0', type='ipv6_dhcpv6-stateful')]),
    'IPv6 only': ([link(0)], [six('nic0', '2001:db8::5/64', 'fe80::1')]),
    'IPv6 that is no address, with a gateway': (
        [link(0), link(1)], [MAIN, six('nic1', 'zz', 'fe80::1')]),
    'all of IPv6': (
        [link(0)], [six('nic0', '2001:db8::5/64', '2001:db8::1'),
                    six('nic0', '2001:db8:1::5'), six('nic0'),
                    six('nic0', type='ipv6_dhcp')]),
    'two default routes of IPv6': (
        [link(0), link(1)],
        [MAIN, six('nic0', '2001:db8::5/64', 'fe80::1'),
         six('nic1', '2001:db8:1::5/64', 'fe80::1')]),
    'no address, no gateway': (
        [link(0)], [four('nic0', type='ipv4')]),
    'twelve links': (
        [link(number) for number in range(12)],
        [four(f'nic{number}', f'10.{number}.0.5', f'10.{number}.0.1')
         for number in range(12)]),
}
"""Links and networks by what is odd about them."""


def written(links: list[dict], networks: list[dict]) -> model.Model:
    data = {'links': links, 'networks': networks, 'services': []}
    return described({META: b'{}', NETWORK: json.dumps(data).encode()})


class TestByHand(TestCase):

    def cases(self) -> Iterator[tuple[str, model.Model, outcome.Outcome]]:
        for name, case in BY_HAND.items():
            description = written(*case)
            yield name, description, think.outcome_of(
                description, nics.invent(description.network), None,
                model.Settings())

    def test_a_host_survives(self) -> None:
        for name, description, _ in self.cases():
            with self.subTest(name):
                self.assert_survives(description)

    def test_any_failure_leaves_management(self) -> None:
        for name, _, found in self.cases():
            for number, step in enumerate(found.plan.steps):
                # Of the others a few will do.
                if step.group != 'management' and number % 4:
                    continue
                with self.subTest(name, step=step.name):
                    esxi = installed(found)
                    carry_out(esxi, found.plan, step.name)
                    self.assertEqual({'vmk0': ''}, esxi.unusable())

    def test_two_hundred_links(self) -> None:
        description = written(
            [link(number) for number in range(200)],
            [four(f'nic{number}', f'10.{number}.0.5')
             for number in range(200)])
        found = think.outcome_of(
            description, nics.invent(description.network), None,
            model.Settings())
        self.assert_sound(found)
        self.assertEqual(100, len(found.network.vmks))
        self.assertEqual([f'networks[{number}]' for number in range(
            100, 200)], [one.where for one in found.problems
                         if one.message.startswith('left out')])

    def test_all_routes_are_there(self) -> None:
        for name, _, found in self.cases():
            if found.network.routes:
                with self.subTest(name):
                    esxi = installed(found)
                    carry_out(esxi, found.plan)
                    self.assertLessEqual(
                        {(route.network, route.gateway)
                         for route in found.network.routes if route.usable},
                        {(str(route.network), str(route.gateway))
                         for route in esxi.routes})

    def test_all_uplinks_carry(self) -> None:
        """None is left unused, for that is what a bond is for."""
        for name, _, found in self.cases():
            for switch in found.network.vswitches:
                teaming = switch.teaming
                if teaming:
                    with self.subTest(name, switch=switch.name):
                        self.assertEqual(
                            sorted(switch.uplinks),
                            sorted(teaming.active + teaming.standby))

    def test_without_any_router_of_ipv6(self) -> None:
        """A link-local address reaches nobody, and so is none."""
        for networks in ([six('nic0', 'fe80::5/64')],
                         [six('nic0', 'fe80::5/64', 'fe80::1')]):
            with self.subTest(networks=networks):
                self.assert_survives(written([link(0)], networks),
                                     lease=no_ipv6)

    def test_dhcp_that_knows_a_bond_by_its_mac(self) -> None:
        """All that it says is taken then, the name servers, too."""
        mac = Hosts.mac(50)
        description = written(
            [bond(0, 1, ethernet_mac_address=mac), link(0), link(1)],
            [four('bond0')])
        found = think.outcome_of(
            description, nics.invent(description.network), None,
            model.Settings())
        esxi = installed(found, lambda asked: (
            LEASE(asked) if asked == mac else None))
        self.assertEqual([], carry_out(esxi, found.plan))
        self.assertEqual('', esxi.unusable()['vmk0'])
        self.assertEqual(['198.18.0.53'], esxi.dns)


class TestFallback(TestCase):
    """The NIC for management is not there: what works is kept."""

    def cases(self) -> Iterator[tuple[str, model.Model,
                                      tuple[host.Nic, ...]]]:
        away = link(9)
        for name, links, networks, cards in (
                ('alone', [away], [GONE], (NIC0,)),
                ('beside another', [away, link(1)], [GONE, OTHER],
                 (NIC0, NIC1)),
                ('on the only NIC', [away, link(0)], [
                    GONE, four('nic0', '10.1.0.5')], (NIC0,)),
                ('with a default route', [away, link(0)], [GONE, MAIN],
                 (NIC0,)),
                ('with one on another NIC', [away, link(1)], [
                    GONE, four('nic1', '10.1.0.5', '10.1.0.1')],
                 (NIC0, NIC1)),
                ('with one of IPv6', [away, link(1)], [
                    GONE, six('nic1', '2001:db8::5/64', 'fe80::1')],
                 (NIC0, NIC1)),
                ('with a large MTU', [away, link(0, mtu=9000)], [
                    GONE, four('nic0', '10.1.0.5')], (NIC0,)),
                ('with a VLAN of a large MTU', [
                    away, link(0), vlan(7, 'nic0', mtu=9000)], [
                    GONE, four('vlan7', '10.1.0.5')], (NIC0,)),
                ('with a small MTU', [away, link(0, mtu=1280)], [
                    GONE, four('nic0', '10.1.0.5')], (NIC0,)),
                ('in a bond', [away, link(0), link(1), bond(
                    0, 1, bond_mode='802.3ad')], [
                    GONE, four('bond0', '10.1.0.5')], (NIC0, NIC1)),
                ('all others down', [away, link(0), link(1)], [
                    GONE, four('nic0', '10.1.0.5'), OTHER], (DOWN0, NIC1)),
                ('with routes', [away, link(0)], [GONE, four(
                    'nic0', '10.1.0.5', routes=routes(
                        '10.2.0.0/16', gateway='10.1.0.1'))], (NIC0,))):
            yield name, written(links, networks), cards

    def test_a_host_survives(self) -> None:
        for name, description, cards in self.cases():
            with self.subTest(name):
                self.assert_survives(description, cards)

    def test_management_stays_as_it_is(self) -> None:
        for name, description, cards in self.cases():
            found = think.outcome_of(description, cards, None,
                                     model.Settings())
            self.assertTrue(found.fallback)
            before = installed(found)
            for plan in (found.plan,
                         test_hosts.again(description, before).plan):
                esxi = installed(found)
                carry_out(esxi, plan)
                with self.subTest(name):
                    self.assertEqual(before.vmks['vmk0'], esxi.vmks['vmk0'])
                    self.assertEqual(before.routes, [
                        route for route in esxi.routes
                        if route.interface == 'vmk0'])
                    self.assertEqual([], esxi.outages)
                    self.assertEqual(['vmnic0'] if 'vmnic0' in [
                        nic.name for nic in cards if nic.up] else ['vmnic1'],
                        esxi.vswitches['vSwitch0'].uplinks)


class TestNics(TestCase):

    def test_nics_of_one_mac(self) -> None:
        """The installer takes the first one, and so do we."""
        twin = host.Nic('vmnic1', NIC0.mac, False)
        description = written([link(0)], [MAIN])
        found = think.outcome_of(description, (NIC0, twin), None,
                                 model.Settings())
        self.assertEqual(('vmnic0',), found.network.vswitches[0].uplinks)
        self.assert_survives(description, (NIC0, twin))

    def test_a_bond_of_which_not_all_is_there(self) -> None:
        description = written(
            [bond(0, 1, 2), link(0), link(1), link(2)],
            [four('bond0', '10.0.0.5', '10.0.0.1')])
        for cards, device in (
                ((NIC0, NIC1), 0), ((DOWN0, NIC1, NIC2), 1), ((NIC2,), 2),
                ((DOWN0, NIC2), 2), ((host.Nic('vmnic5', None, True), NIC1),
                                     1)):
            found = think.outcome_of(description, cards, None,
                                     model.Settings())
            self.assertFalse(found.fallback)
            self.assertIn(f'--device={Hosts.mac(device)}',
                          found.kickstart[1])
            self.assert_survives(description, cards)


class TestSetUpOtherwise(TestCase):
    """Hosts that are not as the installer left them."""

    STATIC = (f'network --bootproto=static --device={NIC0.mac} '
              '--ip=10.0.0.9 --netmask=255.255.255.0 --gateway=10.0.0.1')
    SWITCH = 'network vswitch standard '
    VMK = 'network ip interface '

    def esxi(self, *commands: str, lease: state.Dhcp = LEASE) -> state.Esxi:
        cards = [state.Nic(f'vmnic{number}', Hosts.mac(number))
                 for number in range(3)]
        esxi = state.fresh(cards, [self.STATIC], dhcp=lease)
        for text in commands:
            status, _, error = esxi.run(['esxcli', *text.split()])
            self.assertEqual(0, status, (text, error))
        esxi.outages.clear()
        return esxi

    def other(self, mac: int, address: str = '10.7.0.5') -> list[str]:
        """A VMkernel interface of somebody else's."""
        return [self.SWITCH + 'portgroup add --portgroup-name Theirs '
                '--vswitch-name vSwitch0',
                self.VMK + 'add --interface-name vmk7 --portgroup-name '
                f'Theirs --mac-address {Hosts.mac(mac)}',
                self.VMK + 'ipv4 set --interface-name vmk7 --type static '
                f'--ipv4 {address} --netmask 255.255.255.0']

    def assert_safe(self, description: model.Model, esxi: state.Esxi,
                    fails: bool = False) -> state.Esxi:
        """Whatever fails, management is there, and nothing is for ever.

        :param fails: it cannot be had, which nobody could know
        """
        found = test_hosts.again(description, esxi)
        self.assert_sound(found)
        for step in found.plan.steps:
            after = copy.deepcopy(esxi)
            carry_out(after, found.plan, step.name)
            self.assertEqual('', after.unusable()['vmk0'], step.name)
        after = copy.deepcopy(esxi)
        self.assertEqual(fails, bool(carry_out(after, found.plan)))
        if not fails:
            self.assertEqual([], test_hosts.lasting(
                test_hosts.again(description, after)))
        return after

    def test_two_nics_change_places(self) -> None:
        after = self.assert_safe(written(
            [link(0), link(1)], [four('nic1', '10.0.0.5', '10.0.0.1'),
                                 four('nic0', '10.1.0.5')]), self.esxi())
        self.assertEqual([['vmnic1'], ['vmnic0']], [
            switch.uplinks for switch in after.vswitches.values()])

    def test_its_mac_is_taken(self) -> None:
        """So there is no use in making it anew."""
        description = written([bond(0, ethernet_mac_address=Hosts.mac(50)),
                               link(0)], [four('bond0')])
        esxi = self.esxi(*self.other(50))
        found = test_hosts.again(description, esxi)
        self.assertNotIn('vmk0.remove', [
            step.name for step in found.plan.steps])
        self.assertIn(Hosts.mac(50), ''.join(
            problem.message for problem in found.problems))
        self.assert_safe(description, esxi)

    def test_its_address_is_taken(self) -> None:
        self.assert_safe(
            written([link(0)], [four('nic0', '10.7.0.5', '10.7.0.1')]),
            self.esxi(*self.other(50)), fails=True)

    def test_dhcp_that_does_not_know_the_old_mac(self) -> None:
        mac = Hosts.mac(50)
        self.assert_safe(
            written([bond(0, 1, ethernet_mac_address=mac), link(0), link(1)],
                    [four('bond0', dns_nameservers=['192.0.2.53'])]),
            self.esxi(lease=lambda asked: (
                LEASE(asked) if asked == mac else None)))

    def test_a_large_mtu_gets_smaller(self) -> None:
        """First that of the interface, then that of its switch."""
        self.assert_safe(
            written([link(0), link(1, mtu=1500)], [MAIN, OTHER]),
            self.esxi(
                f'{self.SWITCH}add --vswitch-name vSwitch1',
                f'{self.SWITCH}set --vswitch-name vSwitch1 --mtu 9000',
                f'{self.SWITCH}uplink add --uplink-name vmnic1 '
                '--vswitch-name vSwitch1',
                f'{self.SWITCH}portgroup add --portgroup-name vmk1 '
                '--vswitch-name vSwitch1',
                f'{self.VMK}add --interface-name vmk1 --portgroup-name vmk1 '
                '--mtu 9000'))

    def test_a_route_has_another_gateway(self) -> None:
        after = self.assert_safe(
            written([link(0)], [{**MAIN, 'routes': routes(
                '10.9.0.0/16', gateway='10.0.0.3')}]),
            self.esxi('network ip route ipv4 add --network 10.9.0.0/16 '
                      '--gateway 10.0.0.2'))
        self.assertIn('10.0.0.3', [str(route.gateway)
                                   for route in after.routes])

    def test_a_team_that_takes_over(self) -> None:
        """Its policy cannot be taken back while it has a standby."""
        policy = (f'{self.SWITCH}policy failover set --vswitch-name vSwitch0 '
                  '--load-balancing iphash --active-uplinks vmnic0')
        own = (f'{self.SWITCH}portgroup policy failover set --load-balancing '
               'iphash --active-uplinks vmnic0 --portgroup-name').split()
        esxi = self.esxi(policy)
        self.assertEqual(0, esxi.run(
            ['esxcli', *own, host.MANAGEMENT_GROUP])[0])
        self.assert_safe(
            written([bond(1, 2), link(1), link(2)],
                    [four('bond0', '10.0.0.5', '10.0.0.1')]), esxi)

    def test_other_interfaces_on_a_switch_whose_nic_changes(self) -> None:
        policy = (f'{self.SWITCH}policy failover set --vswitch-name vSwitch0 '
                  '--load-balancing explicit --active-uplinks vmnic0')
        after = self.assert_safe(
            written([link(1)], [four('nic1', '10.0.0.5', '10.0.0.1'),
                                four('nic1', '10.1.0.5')]),
            self.esxi(policy))
        self.assertEqual(['vmnic1'],
                         after.vswitches['vSwitch0'].teaming.active)


class TestFacts(TestCase):
    """Facts of a host, and its NICs, are read as strictly as drives are."""

    def test_anything_in_any_place(self) -> None:
        value = json.loads(INSTALLED.read_text())
        wished = described(files('esxi-img/doc-network-data'))
        refused = planned = 0
        for path in paths(value):
            for new in (DROPPED, None, *OTHERS, 'a\nb', '-x', 'dhcp'):
                with self.subTest(path=path, new=repr(new)[:60]):
                    try:
                        known, _ = facts.from_json(changed(value, path, new))
                    except facts.BadFacts as error:
                        refused += 1
                        self.assertTrue(all(
                            line.isprintable() and line.isascii()
                            for line in error.lines), error.lines)
                        continue
                    planned += 1
                    self.assert_sound(think.outcome_of(
                        wished, known.nics or nics.invent(wished.network),
                        known, model.Settings()))
        self.assertGreater(min(refused, planned), 100)

    def test_lists_of_nics(self) -> None:
        chance = random.Random(5)
        texts = (
            'Name    PCI Device    Driver  Admin Status  Link Status  Speed '
            ' Duplex  MAC Address         MTU  Description\n'
            'vmnic0  0000:03:00.0  ixgben  Up            Up           10000 '
            ' Full    02:00:00:00:00:14  1500  A (R) Thing X540-AT2\n'
            'vmnic10  0000:03:00.1  ixgben  Up  Down  0  Half  '
            '02:00:00:00:00:15  1500  Another\n',
            json.dumps([{'Name': 'vmnic0', 'MAC Address': Hosts.mac(1),
                         'Link Status': 'Up'},
                        {'name': 'vmnic10', 'mac': None, 'up': None}]))
        refused = read = 0
        for number in range(4000):
            chars = list(texts[number % 2])
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(chars))
                chars[at] = chance.choice(
                    ('', '\n', '\0', 'é', '"', 'x', '0', '²', '\ud800',
                     '9' * 50, chars[at] * 2))
            try:
                read += bool(nics.parse(''.join(chars)))
            except nics.BadNics as error:
                refused += 1
                self.assertTrue(str(error).isascii()
                                and str(error).isprintable(), error)
        self.assertGreater(min(refused, read), 500)
