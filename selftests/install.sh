# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034
#
# For tests that need an installed library; sourced, in the top folder, by
# shells with -eu. Gives $tmp, which is removed at exit after $at_exit has been
# run, $cc, fail, skip and install_into.

fail()
{
	echo "not ok $*"
	exit 1
}

skip()
{
	echo "skip: $*"
	exit 77
}

# The build folder; building again what is built takes no time.
build=${SKY_OUT:-${O:-build}}
cc=${CC:-gcc}

# A program without the sanitizer cannot be linked with a library that has it.
case "SAN=${SAN:-} ${MAKEFLAGS:-}" in
*SAN=[a-z]*) skip 'built with a sanitizer' ;;
esac
for tool in "${cc%% *}" pkg-config flock; do
	command -v "$tool" >/dev/null || skip "$tool is not installed"
done

tmp=$(mktemp -d /tmp/skyipc-in.XXXXXX)
at_exit=
trap 'eval "$at_exit"; rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM HUP

# skyipc.pc is made for the prefix in the build folder: one at a time.
run_make()
{
	mkdir -p "$build"
	flock "$build/.install-lock" "${MAKE:-make}" --no-print-directory \
		O="$build" DESTDIR= "$@" >"$tmp/make.log" 2>&1 || {
		cat "$tmp/make.log"
		fail "make $*"
	}
}

# install_into PREFIX: from now on pkg-config finds the library there only.
install_into()
{
	run_make PREFIX="$1" install
	export PKG_CONFIG_LIBDIR="$1/lib/pkgconfig"
	unset PKG_CONFIG_PATH
	pkg-config --exists skyipc || fail 'pkg-config does not find skyipc'
}
