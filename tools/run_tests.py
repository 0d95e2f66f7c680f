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

"""Run the tests and the linters, and sum them up in one closing line.

``N passed, N failed``: each tox environment that lints, or builds the pages,
counts as one.  What was skipped, and why, stands before it.  Exits with 1
when anything failed, or when an environment of tests ran none.
"""

import dataclasses
import datetime
import io
import pathlib
import subprocess
import sys

import subunit
import testtools

TESTS = ('py3', 'functional')
LINTERS = ('pep8', 'docs')
BIN = pathlib.Path(sys.executable).parent


@dataclasses.dataclass
class Tally:
    """What happened: a count, and lines that name the rest."""

    passed: int = 0
    failed: list[str] = dataclasses.field(default_factory=list)
    skipped: list[str] = dataclasses.field(default_factory=list)

    def add(self, test: dict) -> None:
        """Count one test, as testtools describes it."""
        if test['status'] in ('success', 'xfail'):
            self.passed += 1
        elif test['status'] == 'skip':
            reason = test['details'].get('reason')
            self.skipped.append('{}: {}'.format(
                test['id'], reason.as_text() if reason else 'no reason'))
        else:
            # Also 'inprogress': the process died under the test.
            self.failed.append('{} ({})'.format(test['id'], test['status']))

    def closing_line(self) -> str:
        """The one line that sums it up."""
        return '{} passed, {} failed'.format(
            self.passed, len(self.failed))


def tox(environment: str) -> bool:
    """Run one environment, its output going where ours goes."""
    print(f'=== tox -e {environment}', flush=True)
    return subprocess.run([BIN / 'tox', '-e', environment]).returncode == 0


def results(since: datetime.datetime) -> list[dict]:
    """The tests of stestr's last run; none when that run is older."""
    stream = subprocess.run([BIN / 'stestr', 'last', '--subunit'],
                            stdout=subprocess.PIPE).stdout
    tests: list[dict] = []
    receiver = testtools.StreamToDict(tests.append)
    receiver.startTestRun()
    subunit.ByteStreamToStreamResult(
        io.BytesIO(stream), non_subunit_name='stdout').run(receiver)
    receiver.stopTestRun()
    return [test for test in tests
            if test['timestamps'][0] and test['timestamps'][0] >= since]


def run_tests(environment: str, tally: Tally) -> None:
    """Run an environment of tests and count each of them."""
    started = datetime.datetime.now(datetime.timezone.utc)
    clean = tox(environment)
    tests = results(started)
    failed_before = len(tally.failed)
    for test in tests:
        tally.add(test)
    if all(test['status'] == 'skip' for test in tests):
        tally.failed.append(f'tox -e {environment} (ran no test)')
    elif not clean and len(tally.failed) == failed_before:
        tally.failed.append(f'tox -e {environment} (see its output)')


def main() -> int:
    tally = Tally()
    for environment in TESTS:
        run_tests(environment, tally)
    for environment in LINTERS:
        if tox(environment):
            tally.passed += 1
        else:
            tally.failed.append(f'tox -e {environment}')
    print('===')
    for line in tally.skipped:
        print('SKIPPED', line)
    for line in tally.failed:
        print('FAILED', line)
    print('{} skipped'.format(len(tally.skipped)))
    print(tally.closing_line(), flush=True)
    return 1 if tally.failed else 0


if __name__ == '__main__':
    sys.exit(main())
