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

"""The options as oslo.config knows them: one definition for all front ends.

``FILE_OPTS`` may stand in a configuration file; ``CLI_OPTS`` only on the
command line.
"""

from oslo_config import cfg


class Flag(cfg.BoolOpt):
    """A boolean whose negative is spelt --no-NAME."""

    def _get_argparse_prefix(self, prefix: str,
                             group_name: str | None) -> str:
        return super()._get_argparse_prefix(
            'no-' if prefix == 'no' else prefix, group_name)


IMAGE = [
    cfg.StrOpt(
        'format', default='raw',
        choices=[('raw', 'as written to a disk'),
                 ('qcow2', 'smaller to store'),
                 ('vmdk', 'for VMware; Ironic refuses it by default')],
        help='Format of the image (default: raw). qcow2 and vmdk need '
             'qemu-img; Ironic takes raw and qcow2.'),
    Flag('compress', default=False,
         help='Compress the qcow2 image (default: no).'),
    cfg.IntOpt(
        'sector-size', default=512,
        choices=[(512, 'also 512e disks'), (4096, '4Kn disks')],
        help='Logical sector size in bytes of the disks that the image is '
             'for (default: 512); 4096 for 4Kn disks.'),
    cfg.FloatOpt(
        'image-size', metavar='GIB',
        help='Size of the image in GiB; the partition leaves the rest of it '
             'free (default: as small as it can be).'),
    cfg.StrOpt(
        'iso-sha256', metavar='HEX',
        help='The SHA-256 that the whole ISO must have.'),
]

BOOT = [
    cfg.MultiStrOpt(
        'kernel-option', default=[], metavar='KEY=VALUE',
        help="Boot option for the installer's kernel; replaces an older "
             'KEY=. Repeatable.'),
    cfg.MultiStrOpt(
        'installed-kernel-option', default=[], metavar='KEY=VALUE',
        help='Boot option for the installed system; some hardware does not '
             'start without. Repeatable.'),
    cfg.StrOpt(
        'serial-console',
        choices=[('com1', 'the first port, I/O address 0x3f8'),
                 ('com2', 'the second port, I/O address 0x2f8')],
        help='Serial port of the console, in the installer and on the '
             'installed system.'),
    cfg.MultiStrOpt(
        'add-module', default=[], metavar='FILE',
        help='Driver or patch module to put on the partition and to load '
             "after the ISO's own. Repeatable."),
]

KICKSTART = [
    cfg.StrOpt(
        'kickstart', metavar='FILE',
        help='Kickstart to start from, in UTF-8; what it lacks is added. '
             'Default: a text that installs without a question.'),
    cfg.StrOpt(
        'install-disk', default='auto', metavar='auto|disk=NAME|'
                                                'firstdisk=LIST',
        help='Disk to install on (default: auto, the disk that the image '
             'was written to).'),
    cfg.MultiStrOpt(
        'install-option', default=[], metavar='WORD',
        help="Further option of the kickstart's install command, such as "
             '--novmfsondisk. Repeatable.'),
    cfg.StrOpt(
        'root-password-hash-file', metavar='FILE',
        help="File with the SHA-512 crypt hash ($6$...) of root's password. "
             'Without one, hosts whose metadata have no admin_pass get an '
             'unguessable password.'),
]

FIRST_BOOT = [
    Flag('only-management', default=False,
         help='Set up the management network of a host and leave all other '
              'networks of its config drive alone (default: no).'),
    Flag('keep-config-drive', default=False,
         help='Do not overwrite the config drive when it was read, though it '
              'holds a password, perhaps (default: no).'),
    Flag('ssh', default=True,
         help='Enable and start SSH at first boot (default: yes).'),
    Flag('shell', default=True,
         help='Enable and start the ESXi shell at first boot '
              '(default: yes).'),
    cfg.StrOpt(
        'ca-file', metavar='FILE',
        help='Certificates (PEM) of the CAs that a host trusts, besides its '
             'own, when it reports by phone_home over https. Without it, '
             "ESXi's own alone."),
]

HAND_OVER = [
    Flag('manifest',
         help='Write two files beside the image FILE: FILE.json, which tells '
              'what it is, with its hashes, and FILE.sha256, for sha256sum '
              '--check.'),
    Flag('glance-command',
         help='After the build, print the "openstack image create" command '
              'that puts the image into Glance, in one line and quoted for a '
              'shell. Nothing else is printed on standard output.'),
    cfg.StrOpt(
        'instance-info', metavar='URL',
        help='After the build, print as JSON the instance_info of a node of '
             'a standalone Ironic that gets the image from URL (http, https '
             'or file). Nothing else is printed on standard output. Not for '
             'vmdk, and not with --glance-command.'),
    cfg.StrOpt(
        'upload', metavar='CLOUD',
        help='After the build, put the image into Glance of CLOUD, as '
             'clouds.yaml names it, and verify what is stored there. Whether '
             'it lets us in is seen before the build. Needs openstacksdk: '
             "pip install 'esxi-img[upload]'."),
    cfg.StrOpt(
        'image-name', metavar='NAME',
        help="The image's name in Glance, for --glance-command and --upload "
             '(default: ESXi-VERSION-BUILD, with -4kn for sectors of 4096 '
             'bytes).'),
]

FILE_OPTS = [*IMAGE, *BOOT, *KICKSTART, *FIRST_BOOT]

CLI_OPTS = [
    cfg.StrOpt('iso', positional=True, metavar='ISO',
               help='ESXi installer ISO.'),
    cfg.StrOpt('output', short='o', metavar='FILE',
               help='Image to write. Only --dry-run goes without.'),
    cfg.MultiStrOpt(
        'config-file', metavar='FILE',
        help='Configuration file to read instead of '
             '/etc/esxi-img/esxi-img.conf. Repeatable; later ones win, '
             'lists add up.'),
    Flag('force', help='Replace an output that exists.'),
    *HAND_OVER,
    Flag('dry-run',
         help='Print what would be read, edited and written, and stop.'),
    Flag('json', help='With --dry-run: print it as JSON.'),
    Flag('quiet', help='Say nothing but errors.'),
    Flag('debug', help='Show the traceback of an error.'),
]


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """What oslo-config-generator puts into the sample file."""
    return [('DEFAULT', FILE_OPTS)]
