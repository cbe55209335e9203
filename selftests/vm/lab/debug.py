# SPDX-License-Identifier: MIT
"""Kernels with everything that finds mistakes turned on (KASAN, lockdep,
kmemleak, ...), built once from Debian's source package and kept in the cache
like any other. Small otherwise: what guests of the lab need."""

import os
import shutil
import subprocess

from . import LabError, Missing, cache, kernel, source
from .archive import say

SUFFIX = '-debug'
# Above defconfig. What a kernel of that series does not know is ignored. HZ_250:
# as Debian's; defconfig's 1000 ticks a second take much of an emulated CPU.
ON = '''
KASAN KASAN_GENERIC KASAN_INLINE KASAN_VMALLOC STACKTRACE
PROVE_LOCKING LOCKDEP DEBUG_LOCK_ALLOC DEBUG_ATOMIC_SLEEP PROVE_RCU
DEBUG_KMEMLEAK DEBUG_LIST DEBUG_PLIST DEBUG_SG DEBUG_NOTIFIERS
DEBUG_OBJECTS DEBUG_OBJECTS_FREE DEBUG_OBJECTS_TIMERS DEBUG_OBJECTS_WORK
DEBUG_OBJECTS_RCU_HEAD DEBUG_PREEMPT DEBUG_VM SCHED_DEBUG
WQ_WATCHDOG SOFTLOCKUP_DETECTOR DETECT_HUNG_TASK DEBUG_FS FTRACE
UBSAN UBSAN_BOUNDS UBSAN_SHIFT
SERIAL_8250_CONSOLE DEVMEM BLK_DEV_INITRD RD_GZIP DEVTMPFS KALLSYMS_ALL
HOTPLUG_CPU NUMA SUSPEND PM_DEBUG PM_SLEEP_DEBUG KEXEC KPROBES
HZ_250 MODULE_UNLOAD MODULE_FORCE_UNLOAD MEMBARRIER RSEQ USERFAULTFD
'''
MODULES = 'KVM KVM_INTEL X86_MSR X86_CPUID'
OFF = '''
HZ_1000
LOCALVERSION_AUTO RANDOMIZE_BASE MODULE_SIG SYSTEM_TRUSTED_KEYRING DEBUG_INFO_BTF
DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT DRM SOUND USB_SUPPORT WLAN WIRELESS CFG80211
NETFILTER BTRFS_FS NFS_FS NFSD FUSE_FS EXT4_FS ISO9660_FS AUTOFS_FS
ETHERNET ATA SCSI MD AGP MACINTOSH_DRIVERS PCCARD HID INPUT_MOUSE
INPUT_JOYSTICK INPUT_TABLET INPUT_TOUCHSCREEN IPV6 INET_DIAG SECURITY_SELINUX
QUOTA MEDIA_SUPPORT HWMON THERMAL WATCHDOG I2C PPS PTP_1588_CLOCK XEN
'''
# A build tree is some GB; modules need little of it.
KEEP = ('scripts', 'tools')


class DebugKernel(kernel.Kernel):
    """SERIES-debug"""

    # What PVH enters calls memcmp(), before KASAN's shadow is there.
    for_qemu = property(lambda self: 'boot/vmlinuz-' + self.version)

    def __init__(self, version):
        self.series = version.removesuffix(SUFFIX)
        self.kind = 'stable'
        self.version = version
        self.folder = cache.inside('kernels', version)
        self._sums = None

    def fill(self, tmp):
        """Not unpacked but made."""
        for program, package in (('flex', 'flex'), ('bison', 'bison'),
                                 ('bc', 'bc')):
            if not shutil.which(program):
                raise Missing(f'to build a kernel: install {package}')
        if not os.path.exists('/usr/include/libelf.h'):
            raise Missing('to build a kernel: install libelf-dev')
        src = source.Source(self.series)
        src.ready()
        src.untar(src.folder, tmp)
        tree = os.path.join(tmp, 'usr', 'src')
        os.makedirs(tree)
        kdir = os.path.join(tree, 'linux-headers-' + self.version)
        os.rename(os.path.join(tmp, src.top), kdir)
        self.build(kdir, tmp)

    def build(self, kdir, tmp):
        """In the source tree, as modules are built there later."""
        def make(*args):
            log = self.folder + '.log'
            # its release is its name
            with open(log, 'a') as f:
                p = subprocess.run(
                    ['make', '-s', '-C', kdir, 'KERNELVERSION=' + self.series,
                     'DEPMOD=true', *args], check=False, stdout=f, stderr=f,
                    env={**os.environ, 'MAKEFLAGS': ''})
            if p.returncode:
                raise LabError(f'{self.version} does not build: see {log}')

        say(f'building {self.version}, once: some 10 minutes')
        with open(os.path.join(kdir, 'localversion'), 'w') as f:
            f.write(SUFFIX)
        make('defconfig')
        config = [os.path.join(kdir, 'scripts', 'config'), '--file',
                  os.path.join(kdir, '.config')]
        for option in ON.split():
            config += ['-e', option]
        for option in MODULES.split():
            config += ['-m', option]
        for option in OFF.split():
            config += ['-d', option]
        config += ['--set-str', 'LOCALVERSION', '',
                   '--set-val', 'FRAME_WARN', '0']
        subprocess.run(config, check=True)
        make('olddefconfig')
        make(f'-j{os.cpu_count()}', 'bzImage', 'modules')
        make(f'INSTALL_MOD_PATH={tmp}', 'INSTALL_MOD_STRIP=1',
             'modules_install')
        self.collect(kdir, tmp)

    def collect(self, kdir, tmp):
        """The parts of a package, under our name."""
        boot = os.path.join(tmp, 'boot')
        os.makedirs(boot)
        shutil.copy(os.path.join(kdir, 'arch/x86/boot/bzImage'),
                    os.path.join(boot, 'vmlinuz-' + self.version))
        subprocess.run(['strip', '-o', os.path.join(boot, 'vmlinux'),
                        os.path.join(kdir, 'vmlinux')], check=True)
        shutil.copy(os.path.join(kdir, '.config'),
                    os.path.join(boot, 'config-' + self.version))
        if os.listdir(os.path.join(tmp, 'lib', 'modules')) != [self.version]:
            raise LabError(f'{self.version} calls itself differently')
        for where, _, files in os.walk(kdir):
            if os.path.relpath(where, kdir).split(os.sep)[0] in KEEP:
                continue
            for name in files:
                if name.endswith(('.o', '.a', '.c', '.cmd')) or \
                        name == 'vmlinux' or name.startswith('vmlinux.'):
                    os.unlink(os.path.join(where, name))
