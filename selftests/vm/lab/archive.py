# SPDX-License-Identifier: MIT
"""Debian's archive through apt, without root and beside the machine's own
apt: an own configuration, own lists, own sources. apt verifies signatures."""

import contextlib
import os
import re
import subprocess
import sys

from . import LabError, Missing, cache

KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
DEFAULT = 'http://deb.debian.org/debian'
# Where each kind of kernel comes from
SUITES = {
    'stable': ['bookworm', 'bookworm-updates', 'bookworm-backports',
               'bookworm-security'],
    'sid': ['sid'],
}


def say(text):
    """Progress, for people and logs."""
    print('vm lab:', text, file=sys.stderr, flush=True)


def mirrors():
    """The Debian mirrors that the machine's own apt uses, best first."""
    found = []
    with contextlib.suppress(OSError):
        out = subprocess.run(
            ['apt-get', 'indextargets', '--format', '$(REPO_URI)',
             'Created-By: Packages'], capture_output=True, text=True,
            check=False).stdout
        for uri in out.split():
            uri = uri.rstrip('/')
            if uri.endswith('/debian') and uri not in found:
                found.append(uri)
    return found + [DEFAULT] * (DEFAULT not in found)


def acquire_options():
    """How the machine reaches the network (proxies), in apt's syntax."""
    out = subprocess.run(['apt-config', 'dump', 'Acquire'], text=True,
                         capture_output=True, check=False).stdout
    return '\n'.join(line for line in out.splitlines() if re.match(
        r'Acquire::(https?|ftp|Retries|ForceIPv)', line, re.I))


class Archive:
    """The packages of some suites."""

    def __init__(self, kind):
        self.kind = kind
        self.folder = cache.inside('apt', kind, '')
        self.env = dict(os.environ, LC_ALL='C',
                        APT_CONFIG=os.path.join(self.folder, 'apt.conf'))

    def configure(self, mirror):
        """Write the configuration."""
        for name in ('lists/partial', 'cache/archives/partial', 'parts'):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        lines = []
        for suite in SUITES[self.kind]:
            options = f'arch=amd64 signed-by={KEYRING}'
            if suite == 'sid':
                # A mirror that lags behind is as good: what is wanted is
                # something newer than stable, signed by Debian.
                options += ' check-valid-until=no'
            uri = mirror + ('-security' if suite.endswith('-security') else '')
            lines.append(f'deb [{options}] {uri} {suite} main\n')
        files = {
            'status': '',
            'sources.list': ''.join(lines),
            'apt.conf': f'''
Dir "{self.folder}";
Dir::State "{self.folder}";
Dir::State::status "{self.folder}/status";
Dir::Cache "{self.folder}/cache";
Dir::Etc "{self.folder}";
Dir::Etc::Parts "{self.folder}/parts";
Dir::Etc::SourceParts "{self.folder}/parts";
Dir::Etc::PreferencesParts "{self.folder}/parts";
Dir::Etc::TrustedParts "{self.folder}/parts";
Acquire::Languages "none";
APT::Sandbox::User "";
APT::Architecture "amd64";
{acquire_options()}
'''}
        for name, text in files.items():
            with open(os.path.join(self.folder, name), 'w') as f:
                f.write(text)

    def run(self, *command, **more):
        """A command of apt's with our configuration."""
        return subprocess.run(command, env=self.env, text=True, check=False,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, **more)

    def update(self):
        """Fetch the lists, from the first mirror that has them."""
        for tool in ('apt-get', 'dpkg'):
            if not any(os.access(os.path.join(d, tool), os.X_OK)
                       for d in os.get_exec_path()):
                raise Missing(f'no kernel in the cache, and no {tool} here to '
                              'fetch one with (is this Debian?)')
        if not os.path.exists(KEYRING):
            raise Missing(f'{KEYRING} is missing: install '
                          'debian-archive-keyring')
        why = ''
        for mirror in mirrors():
            say(f'package lists of {", ".join(SUITES[self.kind])}')
            self.configure(mirror)
            p = self.run('apt-get', '-q', '-o', 'APT::Update::Error-Mode=any',
                         'update', stderr=subprocess.PIPE)
            if p.returncode == 0:
                return
            why = p.stderr.strip().replace('\n', '\n  ')
        raise Missing(f"Debian's archive cannot be reached, and the cache "
                      f'{cache.root()} does not have what is needed:\n  {why}\n'
                      'Try again with a network, or copy the cache folder of '
                      'another machine.')

    def names(self, prefix):
        """The packages whose names begin so."""
        return self.run('apt-cache', 'pkgnames', prefix).stdout.split()

    def fields(self, package):
        """The newest version of a package, as a dictionary."""
        out = self.run('apt-cache', 'show', '--no-all-versions', package,
                       stderr=subprocess.DEVNULL).stdout
        if not out:
            raise LabError(f"the archive has no package {package}; "
                           "'selftests/vm/kernels list' shows what it has")
        return dict(re.findall(r'^([A-Z][\w-]*): (.*)$', out, re.M))

    def unpack(self, packages, folder):
        """Download packages and unpack them into a folder."""
        debs = os.path.join(self.folder, 'cache', 'archives')
        size = sum(int(self.fields(p)['Size']) for p in packages)
        say(f'fetching {", ".join(packages)} ({size >> 20} MB)')
        show = sys.stderr.isatty()
        p = subprocess.run(['apt-get', '-q' if not show else '-y', 'download',
                            *packages], cwd=debs, env=self.env, check=False,
                           stdin=subprocess.DEVNULL,
                           stdout=sys.stderr if show else subprocess.DEVNULL)
        files = [f for f in os.listdir(debs)
                 if f.endswith('.deb') and f.split('_')[0] in packages]
        if p.returncode or len(files) < len(packages):
            raise Missing(f'{", ".join(packages)} could not be fetched; try '
                          'again, or with another mirror in /etc/apt')
        try:
            for f in files:
                say(f'unpacking {f}')
                subprocess.run(['dpkg', '-x', os.path.join(debs, f), folder],
                               check=True)
        finally:
            for f in files:
                os.unlink(os.path.join(debs, f))
