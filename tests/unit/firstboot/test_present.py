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

"""An outcome in JSON and in words."""

import dataclasses
import json

from esxi_img.firstboot import facts
from esxi_img.firstboot import host
from esxi_img.firstboot import model
from esxi_img.firstboot import outcome
from esxi_img.firstboot import present
from esxi_img.firstboot import steps
from tests import base

MAC = '52:54:00:00:00:01'
SECRET = 'Hunter22'
STEPS = (
    steps.Step('mtu-vswitch0', ('esxcli', 'network', 'vswitch', 'standard',
                                'set', '-v', 'a b', '-m', '9000'),
               'links[0].mtu', steps.STOP, group='vSwitch0'),
    steps.Step('keys', why='meta_data.json:public_keys', file=steps.File(
        '/etc/ssh/keys-root/authorized_keys', SECRET)),
    steps.Step('password', ('passwd', steps.RANDOM)))
NETWORK = host.Network(
    vswitches=(host.VSwitch('vSwitch0', ('vmnic0', 'vmnic1'), 9000,
                            host.Teaming(host.EXPLICIT, ('vmnic1',),
                                         ('vmnic0',)), why='links[2]'),
               host.VSwitch('vSwitch1')),
    portgroups=(host.PortGroup('Management Network', 'vSwitch0', 100),
                host.PortGroup('storage', 'vSwitch0'),
                host.PortGroup('VM Network', 'vSwitch9')),
    vmks=(host.Vmk('vmk0', 'Management Network', MAC, True, 9000,
                   '192.0.2.10/23', ('2001:db8::a/64',), model.SLAAC, True),
          host.Vmk('vmk1', 'storage', ipv4='dhcp'),
          host.Vmk('vmk2', 'of nobody')),
    default4=host.Route('0.0.0.0/0', '192.0.2.1', 'vmk0'),
    default6=host.Route('::/0', 'fe80::1', 'vmk0'),
    routes=(host.Route('198.51.100.0/24', '203.0.113.1', usable=False),),
    dns=('192.0.2.53', '192.0.2.54'), search=('example.org', 'example.net'))
FULL = outcome.Outcome(
    identity=model.Identity('i-1', 'node-1', ('ssh-rsa A', 'ssh-rsa B'),
                            model.Secret(SECRET)),
    root_password=outcome.ADMIN_PASS,
    nics=(host.Nic('vmnic0', MAC, True), host.Nic('vmnic1')),
    network=NETWORK, fallback=False,
    kickstart=('install --firstdisk', 'network --bootproto=dhcp'),
    plan=steps.Plan(STEPS),
    problems=(model.Problem('links[1]', 'no MAC address'),))
EMPTY = outcome.Outcome(
    identity=model.Identity(), root_password=outcome.NONE, nics=(),
    network=host.Network(), fallback=True, kickstart=(), plan=steps.Plan(),
    problems=())

JSON = '''\
{
  "plan_id": "PLAN",
  "problems": [
    {
      "where": "links[1]",
      "message": "no MAC address"
    }
  ],
  "identity": {
    "instance_id": "i-1",
    "hostname": "node-1",
    "ssh_keys": [
      "ssh-rsa A",
      "ssh-rsa B"
    ],
    "root_password": "admin_pass"
  },
  "network": {
    "vswitches": [
      {
        "name": "vSwitch0",
        "uplinks": [
          "vmnic0",
          "vmnic1"
        ],
        "uplink_macs": [
          "52:54:00:00:00:01"
        ],
        "mtu": 9000,
        "load_balancing": "explicit"
      },
      {
        "name": "vSwitch1",
        "uplinks": [],
        "uplink_macs": [],
        "mtu": null,
        "load_balancing": null
      }
    ],
    "portgroups": [
      {
        "name": "Management Network",
        "vswitch": "vSwitch0",
        "vlan": 100
      },
      {
        "name": "storage",
        "vswitch": "vSwitch0",
        "vlan": 0
      },
      {
        "name": "VM Network",
        "vswitch": "vSwitch9",
        "vlan": 0
      }
    ],
    "vmks": [
      {
        "name": "vmk0",
        "portgroup": "Management Network",
        "mac": "52:54:00:00:00:01",
        "mtu": 9000,
        "ipv4": {
          "address": "192.0.2.10",
          "netmask": "255.255.254.0"
        },
        "ipv6": [
          "2001:db8::a/64"
        ],
        "ipv6_mode": "slaac",
        "management": true
      },
      {
        "name": "vmk1",
        "portgroup": "storage",
        "mac": null,
        "mtu": null,
        "ipv4": "dhcp",
        "ipv6": [],
        "ipv6_mode": null,
        "management": false
      },
      {
        "name": "vmk2",
        "portgroup": "of nobody",
        "mac": null,
        "mtu": null,
        "ipv4": null,
        "ipv6": [],
        "ipv6_mode": null,
        "management": false
      }
    ],
    "gateway4": "192.0.2.1",
    "gateway6": "fe80::1",
    "routes": [
      {
        "network": "198.51.100.0/24",
        "gateway": "203.0.113.1"
      }
    ],
    "dns": [
      "192.0.2.53",
      "192.0.2.54"
    ],
    "search": [
      "example.org",
      "example.net"
    ]
  },
  "fallback": false,
  "kickstart": [
    "install --firstdisk",
    "network --bootproto=dhcp"
  ],
  "steps": STEPS
}'''
TEXT = '''\
plan PLAN
  host name      node-1
  instance       i-1
  root password  admin_pass of the drive
  SSH keys       2

kickstart
  install --firstdisk
  network --bootproto=dhcp

network
  vSwitch0: MTU 9000, load balancing explicit
    uplink vmnic0: 52:54:00:00:00:01, standby
    uplink vmnic1: no MAC
    port group Management Network: VLAN 100
      vmk0: management, MAC 52:54:00:00:00:01, MTU 9000
        IPv4 192.0.2.10/23
        IPv6 2001:db8::a/64
        IPv6 slaac
    port group storage
      vmk1
        IPv4 dhcp
  vSwitch1
  vSwitch9
    port group VM Network
  port group of nobody
    vmk2
  default route by 192.0.2.1
  default route by fe80::1
  route to 198.51.100.0/24 by 203.0.113.1 (which ESXi will not take)
  DNS servers 192.0.2.53, 192.0.2.54
  DNS search example.org, example.net

steps
  1. mtu-vswitch0
     esxcli network vswitch standard set -v 'a b' -m 9000
     # links[0].mtu
  2. keys
     write /etc/ssh/keys-root/authorized_keys (mode 600)
     # meta_data.json:public_keys
  3. password
     passwd ***

problems
  links[1]: no MAC address
'''
NOTHING = '''\
plan PLAN
  host name      (not given)
  instance       (not given)
  root password  none, so one that nobody knows
  SSH keys       0

kickstart
  (none)

network
  not as described: management by DHCP

steps
  (none)

problems
  (none)
'''


class JsonTests(base.TestCase):

    def test_full(self):
        listed = json.dumps([step.as_json() for step in STEPS], indent=2)
        wanted = JSON.replace('PLAN', FULL.plan.id).replace(
            'STEPS', listed.replace('\n', '\n  '))
        self.assertEqual(wanted, json.dumps(present.as_json(FULL), indent=2))

    def test_nothing(self):
        told = present.as_json(EMPTY)
        self.assertEqual(list(present.as_json(FULL)), list(told))
        self.assertEqual(
            (EMPTY.plan.id, [], True, [], []),
            (told['plan_id'], told['problems'], told['fallback'],
             told['kickstart'], told['steps']))
        self.assertEqual([None, None, [], 'none'],
                         list(told['identity'].values()))
        self.assertEqual([[], [], [], None, None, [], [], []],
                         list(told['network'].values()))

    def test_what_a_plan_tells_is_what_a_host_may_be(self):
        told = json.loads(json.dumps(present.as_json(FULL)['network']))
        known, problems = facts.from_json({'network': told})
        self.assertEqual((), problems)
        # A plan does not list who is active.
        self.assertEqual(
            dataclasses.replace(NETWORK, vswitches=tuple(
                dataclasses.replace(one, teaming=one.teaming and (
                    host.Teaming(one.teaming.load_balancing)))
                for one in NETWORK.vswitches),
                vmks=tuple(dataclasses.replace(one, mac_matters=False)
                           for one in NETWORK.vmks)), known.network)


class TextTests(base.TestCase):

    def test_full(self):
        self.assertEqual(TEXT.replace('PLAN', FULL.plan.id),
                         present.as_text(FULL))

    def test_nothing(self):
        self.assertEqual(NOTHING.replace('PLAN', EMPTY.plan.id),
                         present.as_text(EMPTY))

    def test_where_the_password_comes_from(self):
        said = {present.as_text(dataclasses.replace(
            EMPTY, root_password=source)).splitlines()[3]
            for source in ('admin_pass', 'cloud-config', 'build', 'none')}
        self.assertEqual(
            {'  root password  admin_pass of the drive',
             '  root password  cloud-config of the drive',
             '  root password  the hash that the image was built with',
             '  root password  none, so one that nobody knows'}, said)

    def test_printable_ascii_whatever_is_given(self):
        odd = 'a\nb\x1b[31m\xfc\u2028\U0001f600\ud800\x7f\t'
        text = present.as_text(outcome.Outcome(
            model.Identity(odd, odd), odd, (host.Nic(odd, odd),),
            host.Network(
                (host.VSwitch(odd, (odd,), 1, host.Teaming(odd)),),
                (host.PortGroup(odd, odd),), (host.Vmk(odd, odd),),
                search=(odd,)), False, (odd,),
            steps.Plan((steps.Step(odd, (odd,), odd),)),
            (model.Problem(odd, odd),)))
        self.assertEqual(set(), {char for char in text
                                 if not ' ' <= char <= '~'} - {'\n'})
        self.assertEqual(23, len(text.splitlines()))


class SecretTests(base.TestCase):

    def test_neither_form_tells_one(self):
        assert STEPS[1].file
        self.assertEqual(SECRET, STEPS[1].file.content)
        for text in (present.as_text(FULL),
                     json.dumps(present.as_json(FULL))):
            self.assertNotIn(SECRET, text)
