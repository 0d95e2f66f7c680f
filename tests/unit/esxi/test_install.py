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

from tests.esxi import grammar
from tests.esxi import state
from tests.unit.esxi import base

DHCP = 'network --bootproto=dhcp'


class TestFresh(base.HostCase):

    def fresh(self, *lines: str, **options: object) -> state.Esxi:
        self.host = state.fresh(base.nics(), lines, **options)
        return self.host

    def refused(self, why: str, *lines: str) -> None:
        with self.assertRaisesRegex(grammar.Refused, why):
            self.fresh(*lines)

    def test_static(self) -> None:
        host = self.fresh(base.STATIC + ' --nameserver=192.0.2.8,192.0.2.9 '
                          '--hostname=h1.example.com --vlanid=7')
        vmk = host.vmks['vmk0']
        self.assertEqual(
            ('02:00:00:00:00:a0', 1500, ['Management'], '192.0.2.5/24',
             True, True, False),
            (vmk.mac, vmk.mtu, vmk.tags, str(vmk.ipv4), vmk.ipv6,
             vmk.router_adv, vmk.dhcpv6))
        self.assertEqual(['192.0.2.8', '192.0.2.9'], host.dns)
        self.assertEqual('h1.example.com', host.hostname)
        self.assertEqual('localhost.localdomain', host.certificate)
        self.assertEqual({'Management Network': 7, 'VM Network': 0},
                         {group.name: group.vlan
                          for group in host.portgroups.values()})
        self.assertEqual([('0.0.0.0/0', '192.0.2.1', 'vmk0', 'MANUAL')],
                         [tuple(map(str, route)) for route in host.routes])
        self.assertTrue(self.usable())
        self.assertEqual([], host.outages)
        self.assertFalse(host.backed_up)

    def test_switch(self) -> None:
        host = self.fresh(base.STATIC + ' --device=vmnic1')
        switch = host.vswitches['vSwitch0']
        self.assertEqual((1500, ['vmnic1'], False), (
            switch.mtu, switch.uplinks, switch.explicit))
        self.assertEqual(
            ['vmnic1'], host.portgroups['Management Network'].teaming.active)
        self.assertIsNone(host.portgroups['VM Network'].teaming)

    def test_dhcp(self) -> None:
        host = self.fresh(DHCP + ' --hostname=h1',
                          dhcp={'*': base.LEASE})
        self.assertEqual('192.0.2.77/24', str(host.vmks['vmk0'].ipv4))
        self.assertEqual(['192.0.2.53'], host.dns)
        self.assertEqual('localhost.localdomain', host.hostname)
        self.assertEqual(['DHCP'], [route.source for route in host.routes])

    def test_dhcp_with_a_host_name(self) -> None:
        host = self.fresh(DHCP + ' --hostname=h1', hostname_with_dhcp=True)
        self.assertEqual('h1', host.hostname)
        self.assertFalse(self.usable())

    def test_no_network_line_is_dhcp(self) -> None:
        host = self.fresh('', '# a comment', dhcp={'*': base.LEASE})
        self.assertEqual('dhcp', host.vmks['vmk0'].ipv4_type)
        self.assertTrue(self.usable())

    def test_device(self) -> None:
        for device in ('vmnic2', '02:00:00:00:00:A2'):
            host = self.fresh(f'{DHCP} --device={device}')
            self.assertEqual(['vmnic2'], host.vswitches['vSwitch0'].uplinks)
            self.assertEqual('02:00:00:00:00:a2', host.vmks['vmk0'].mac)
        for device in ('vmnic3', '02:00:00:00:00:ff'):
            self.refused('no device', f'{DHCP} --device={device}')

    def test_without_device_the_first_with_a_link(self) -> None:
        nics = base.nics()
        nics[0].up = False
        for up, uplink in ((True, 'vmnic1'), (False, 'vmnic0')):
            nics[1].up = nics[2].up = up
            host = state.fresh(nics, [DHCP])
            self.assertEqual([uplink], host.vswitches['vSwitch0'].uplinks)
        with self.assertRaisesRegex(grammar.Refused, 'no network card'):
            state.fresh([], [DHCP])

    def test_no_vm_port_group(self) -> None:
        host = self.fresh(DHCP + ' --addvmportgroup=0')
        self.assertEqual(['Management Network'], list(host.portgroups))
        self.refused('addvmportgroup', DHCP + ' --addvmportgroup=true')

    def test_vlan(self) -> None:
        for vlan in ('0', '4096', 'x', '-1'):
            self.refused('vlanid', f'{DHCP} --vlanid={vlan}')
        self.fresh(DHCP + ' --vlanid=1')
        self.fresh(base.STATIC + ' --vlanid=4095')
        self.assertFalse(self.usable())

    def test_static_needs_address_and_netmask(self) -> None:
        line = 'network --bootproto=static '
        for rest in ('', '--ip=192.0.2.5', '--netmask=255.255.255.0'):
            self.refused('static needs', line + rest)
        self.fresh(line + '--ip=192.0.2.5 --netmask=255.255.255.0')
        self.assertEqual([], self.host.routes)
        self.refused('netmask',
                     line + '--ip=192.0.2.5 --netmask=255.0.255.0')
        self.refused('not the address of a host',
                     line + '--ip=192.0.2.0 --netmask=255.255.255.0')

    def test_gateway_is_on_link(self) -> None:
        self.refused('off-link', base.STATIC.replace('.1', '.5'))
        self.refused('off-link', base.STATIC.replace(
            'gateway=192.0.2.1', 'gateway=198.51.100.1'))

    def test_dhcp_takes_no_addresses(self) -> None:
        for rest in ('--ip=192.0.2.5', '--netmask=255.0.0.0',
                     '--gateway=192.0.2.1'):
            self.refused('with --bootproto=dhcp', f'{DHCP} {rest}')

    def test_boot_protocol(self) -> None:
        for line in ('network', 'network --bootproto=auto'):
            self.refused('bootproto', line)

    def test_name_servers(self) -> None:
        for servers in ('192.0.2.1,192.0.2.2,192.0.2.3', '2001:db8::1',
                        '192.0.2.1,', 'x'):
            self.refused('name server|IPv4',
                         f'{base.STATIC} --nameserver={servers}')

    def test_host_name(self) -> None:
        self.refused('domain name', f'{base.STATIC} --hostname=a_b')

    def test_lines(self) -> None:
        for line in ('network --bootproto=dhcp --mtu=9000', DHCP + ' x',
                     DHCP + ' --bootproto=dhcp', DHCP + ' --hostname=',
                     DHCP + ' --hostname', DHCP + ' --hostname="a"'):
            with self.subTest(line=line):
                self.refused('bad option', line)
        self.refused('second command', DHCP, DHCP)
        self.refused('unknown', 'autopart')
        self.refused('ASCII', DHCP + ' --hostname=\u00e4')
        self.refused('ASCII', DHCP + '\n')

    def test_disk(self) -> None:
        for disk in ('naa.5000', '/vmfs/devices/disks/t10.ATA__x',
                     'mpx.vmhba0:C0:T0:L0'):
            host = self.fresh(f'install --disk={disk} --overwritevmfs')
            self.assertEqual(disk, host.disk)
        for rest in ('', '--disk=', '--disk=sda', '--disk=naa.1 --force',
                     '--firstdisk', '--disk=naa.1 --disk=naa.2',
                     '--disk=naa.1 --overwritevmfs --overwritevmfs'):
            with self.subTest(rest=rest):
                self.refused('disk|bad option', f'install {rest}')

    def test_other_commands(self) -> None:
        self.fresh('vmaccepteula', 'rootpw --iscrypted $6$a$b',
                   'reboot --noeject', DHCP)
        self.assertIn('vmk0', self.host.vmks)
        for line in ('rootpw secret', 'rootpw --iscrypted', 'rootpw -c $6$a$b',
                     'rootpw --iscrypted $6$a$b x',
                     'rootpw --iscrypted $1$a$b', 'reboot now',
                     'accepteula --x'):
            with self.subTest(line=line):
                self.refused('rootpw needs|bad options', line)
