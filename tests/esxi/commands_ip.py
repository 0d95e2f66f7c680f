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

"""Routes and name servers: what the vmks of the host share."""

import functools
import ipaddress
import typing

from tests.esxi import commands
from tests.esxi import grammar
from tests.esxi import model
from tests.esxi import output

_LENGTHS = {4: 'Netmask', 6: 'Prefix'}
"""Heading of the length of a route's network, by version."""


@commands.command('network ip get')
def ip_get(host: typing.Any, _options: grammar.Options) -> output.Answer:
    return output.simple(IPv6_Enabled=host.ipv6)


@commands.command('network ip set')
def ip_set(host: typing.Any, options: grammar.Options) -> None:
    """Takes effect at the next boot."""
    host.ipv6_after_boot = options.get('--ipv6-enabled', 'true') == 'true'


def _route(host: typing.Any, options: grammar.Options, version: int
           ) -> model.Route:
    text = options['--network']
    try:
        network = model.DEFAULTS[version] if text == 'default' \
            else ipaddress.ip_network(text)
    except ValueError:
        network = None
    if network is None or network.version != version \
            or text != 'default' and '/' not in text:
        raise grammar.Refused(f'Invalid network {text!r}')
    address, _, zone = options['--gateway'].partition('%')
    gateway = model.ip(address, version)
    if gateway.version == 6 and gateway.is_link_local:
        vmk = host.vmks.get(zone)
        via = [vmk] if vmk and vmk.enabled and vmk.ipv6 else []
    else:
        via = [vmk for vmk in host.vmks.values()
               if not zone and model.reaches(vmk, gateway)]
    if not via:
        raise grammar.Refused(
            f'Gateway {options["--gateway"]} is not on-link')
    return model.Route(network, gateway, via[0].name)


def _add(version: int, host: typing.Any, options: grammar.Options) -> None:
    route = _route(host, options, version)
    if route.network in {
            *(other.network for other in host.routes),
            *(address.network for vmk in host.vmks.values()
              for address in vmk.addresses())}:
        raise grammar.Refused(f'A route to {route.network} already exists')
    host.routes.append(route)


def _remove(version: int, host: typing.Any, options: grammar.Options
            ) -> None:
    wanted = _route(host, options, version)
    found = [route for route in host.routes if route[:3] == wanted[:3]]
    if not found:
        raise grammar.Refused(f'No route to {wanted.network} via '
                              f'{wanted.gateway}')
    host.routes.remove(found[0])


def _list(version: int, host: typing.Any, _options: grammar.Options
          ) -> output.Answer:
    default = model.DEFAULTS[version]
    direct = [model.Route(address.network, default[0], vmk.name)
              for vmk in host.vmks.values() for address in vmk.addresses()]
    return output.table(
        f'Network|{_LENGTHS[version]}|Gateway|Interface|Source',
        [('default' if route.network == default else str(route.network[0]),
          str(route.network.netmask) if version == 4
          else route.network.prefixlen,
          str(route.gateway), route.interface, route.source)
         for route in (*host.routes, *direct)
         if route.network.version == version])


def _server(text: str) -> str:
    return str(model.ip(text, 6 if ':' in text else 4))


def _enter(field: str, option: str, host: typing.Any,
           options: grammar.Options) -> None:
    read = _server if field == 'dns' else model.domain
    values, value = getattr(host, field), read(options[option])
    values.append(commands.new(dict.fromkeys(values), value, option))


def _drop(field: str, option: str, host: typing.Any,
          options: grammar.Options) -> None:
    values = getattr(host, field)
    if len(options.keys() & {option, '--all'}) != 1:
        raise grammar.Refused(f'Needs {option} or --all')
    if '--all' in options:
        values.clear()
    else:
        commands.find(dict.fromkeys(values), options[option], option)
        values.remove(options[option])


def _show(field: str, heading: str, host: typing.Any,
          _options: grammar.Options) -> output.Answer:
    return output.simple(**{heading: getattr(host, field)})


for _version in _LENGTHS:
    _path = f'network ip route ipv{_version} '
    for _verb, _handler in (('add', _add), ('remove', _remove),
                            ('list', _list)):
        commands.command(_path + _verb)(
            functools.partial(_handler, _version))

for _what, _option, _field, _heading in (
        ('server', '--server', 'dns', 'DNSServers'),
        ('search', '--domain', 'search', 'DNSSearch Domains')):
    _path = f'network ip dns {_what} '
    commands.command(_path + 'add')(
        functools.partial(_enter, _field, _option))
    commands.command(_path + 'remove')(
        functools.partial(_drop, _field, _option))
    commands.command(_path + 'list')(
        functools.partial(_show, _field, _heading))
