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

"""Our script sections: what the installer and the new host run for us.

A section that fails stops the installer, so each ends with 0, and each
bounds its own time: a device that hangs would hold its process for ever.
Nothing is asked of the shell but what every busybox has; no special builtin
of it has a redirection, as one that fails would end the script.
"""

from collections.abc import Mapping, Sequence

WORK = '/tmp/esxiimg'  # nosec B108
HOME = '/esxiimg'
# The line above our commands, and the first one of each section of ours.
MARK = '# added by esxi-img'
# Of ``python -m firstboot``, in the order in which they run.
COMMANDS = ('pre', 'scrub', 'post', 'apply')

# Waits for a file, not for the process: one that hangs in the kernel cannot
# be waited for, and a zombie looks alive.
_BOUNDED = '''\
mkdir -p {work}
rm -f {work}/{command}.status
(
    cd {home} && python -B -m firstboot {command}
    echo $? > {work}/{command}.status
) < /dev/null > {work}/{command}.out 2>&1 &
left={seconds}
while [ ! -s {work}/{command}.status ] && [ "$left" -gt 0 ]; do
    sleep 1
    left=$((left - 1))
done
[ "$left" -gt 0 ] ||
    echo "esxi-img: problem: {command} hangs" >> {work}/{command}.out
cat {work}/{command}.out
cat {work}/{command}.out 2> /dev/null > /dev/console
'''

_SAFE = '''\
# What the commands above include, before anything of ours can fail: no disk,
# DHCP, and a root password that nobody guesses.
umask 077
mkdir -p {work}
cp {home}/*.cfg {work}/
exit 0
'''

_PRE = '''\
# The disk, the network and the root password of this host.
umask 077
{bounded}\
if [ "$(cat {work}/pre.status 2> /dev/null)" = 0 ]; then
    mv {work}/new/*.cfg {work}/ && touch {work}/ready
fi
exit 0
'''

_SCRUB = '''\
# No password may outlive the installation.
[ -e {work}/ready ] || exit 0
umask 077
{bounded}\
exit 0
'''

_POST = '''\
# Hand over to first boot.
umask 077
{bounded}\
exit 0
'''

_FIRSTBOOT = '''\
# It bounds its own time.
for bank in /bootbank /altbootbank; do
    if [ -d $bank/esxiimg/firstboot ]; then
        cd $bank/esxiimg && python -B -m firstboot apply
        break
    fi
done
exit 0
'''


def lines() -> Sequence[str]:
    """All sections, in the order in which they run; without line ends."""
    return [
        '%pre --interpreter=busybox', *_filled(_SAFE),
        '%pre --interpreter=busybox', *_filled(_PRE, 'pre', 600),
        '%pre --interpreter=busybox', *_filled(_SCRUB, 'scrub', 120),
        '%post --interpreter=busybox --timeout=330 --ignorefailure=true',
        *_filled(_POST, 'post', 300),
        '%firstboot --interpreter=busybox', *_filled(_FIRSTBOOT)]


def _filled(script: str, command: str = '', seconds: int = 0) -> list[str]:
    words: Mapping[str, object] = {
        'work': WORK, 'home': HOME, 'command': command, 'seconds': seconds}
    return [MARK, *script.format(bounded=_BOUNDED.format(**words),
                                 **words).splitlines()]
