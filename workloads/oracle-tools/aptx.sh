#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# separate apt config per suite: aptx.sh SUITE apt-args...
S=$1; shift
D=${W:?set W to a scratch directory}/apt/$S
mkdir -p $D/etc/preferences.d $D/etc/sources.list.d $D/state/lists/partial $D/cache/archives/partial
URI=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $URI $S main" > $D/etc/sources.list
[ -e $D/state/status ] || touch $D/state/status
exec "${CMD:-apt-get}" -o Dir::State=$D/state -o Dir::State::status=$D/state/status -o Dir::Cache=$D/cache -o Dir::Etc::sourcelist=$D/etc/sources.list -o Dir::Etc::sourceparts=$D/etc/sources.list.d -o Dir::Etc::preferencesparts=$D/etc/preferences.d "$@"
