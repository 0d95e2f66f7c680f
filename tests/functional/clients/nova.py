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

"""Nova: what an image's properties mean, and the config drives it makes."""

import types
import typing
from unittest import mock

from nova.api.metadata import base
from nova import conf
from nova import context
from nova import exception
from nova.network import model
from nova import objects
from nova import privsep
from nova.scheduler.filters import image_props_filter
from nova import utils
from nova.virt import configdrive
from nova.virt import images
from nova.virt.ironic import driver

from tests.functional import clients

conf.CONF([], project='nova', default_config_files=[], default_config_dirs=[])
objects.register_all()

INSTANCE = {
    'availability_zone': 'nova', 'device_metadata': None, 'launch_index': 0,
    'metadata': {}, 'numa_topology': None, 'project_id': 'project',
    'reservation_id': 'r-1', 'system_metadata': {}, 'key_data': None,
    'flavor': objects.Flavor(name='baremetal'),
    'ec2_ids': objects.EC2Ids(instance_id='i-1', ami_id='ami-1',
                              kernel_id=None, ramdisk_id=None)}
"""What is of no account here, but asked for."""


def inspect(path: str, disk_format: str) -> dict[str, str]:
    """The format that qemu-img may take it for, and that it does."""
    try:
        allowed = images.do_image_deep_inspection(
            {'disk_format': disk_format}, 'image', path)
    except exception.ImageUnacceptable as error:
        raise clients.Refused(str(error)) from error
    return {'allowed': allowed,
            'qemu-img': images.qemu_img_info(path).file_format}


def read(properties: dict[str, str]) -> dict[str, typing.Any]:
    """What they mean to the scheduler and to the Ironic driver."""
    try:
        image = objects.ImageMeta.from_dict({'properties': properties})
    except ValueError as error:
        raise clients.Refused(str(error)) from error
    host = types.SimpleNamespace(
        supported_instances=driver._get_nodes_supported_instances('x86_64'),
        hypervisor_version=1, cpu_info={})
    return {
        **image.properties.to_dict(),
        'fits a node': image_props_filter.ImagePropertiesFilter().host_passes(
            host, types.SimpleNamespace(image=image)),
        'gets a config drive': bool(configdrive.required_by(
            objects.Instance(config_drive='', image_ref='', system_metadata=(
                utils.get_system_metadata_from_image(
                    {'properties': properties})))))}


def drive(kind: str, address: str, mac: str, instance: dict[str, str],
          key: str, password: str) -> str:
    """A config drive as the Ironic driver hands it to Ironic.

    :param kind: iso9660 or vfat
    :param address: the fourth byte of an IPv4 one
    :param mac: of the node's NIC
    :returns: packed with gzip and base64
    """
    conf.CONF.set_override('config_drive_format', kind)
    # There is no daemon that would be root for this process.
    privsep.sys_admin_pctxt.set_client_mode(False)
    made = objects.Instance(
        context.get_admin_context(), **instance, **INSTANCE, key_name='ops',
        keypairs=objects.KeyPairList(objects=[objects.KeyPair(
            name='ops', public_key=key, type='ssh')]))
    ironic = driver.IronicDriver.__new__(driver.IronicDriver)
    ironic._ironic_connection = mock.Mock(**{
        'ports.return_value': [types.SimpleNamespace(
            id='port', address=mac, extra={}, port_group_id=None,
            internal_info={'tenant_vif_port_id': 'vif'})],
        'port_groups.return_value': []})
    # Both would ask the database.
    with mock.patch.object(base, '_format_instance_mapping',
                           autospec=True), \
            mock.patch.object(base.security_group_api,
                              'get_instance_security_groups',
                              autospec=True, return_value=[]):
        return ironic._generate_configdrive(
            None, made, types.SimpleNamespace(id='node'), _network(address),
            extra_md={'admin_pass': password})


def _network(address: str) -> model.NetworkInfo:
    """One network with a fixed address, as Neutron has it."""
    subnet = model.Subnet(
        cidr='198.51.100.0/24', gateway=model.IP('198.51.100.1'), version=4,
        dns=[model.IP('198.51.100.53')], routes=[],
        ips=[model.FixedIP(address=f'198.51.100.{address}')])
    return model.NetworkInfo([model.VIF(
        id='vif', address='fa:16:3e:00:00:01', devname='tapvif', type='other',
        network=model.Network(id='network', label='provider', mtu=1500,
                              bridge=None, subnets=[subnet]))])


if __name__ == '__main__':
    clients.serve(inspect, read, drive)
