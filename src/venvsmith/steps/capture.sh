# Collects what earlier steps changed in the system into a tree whose times are all one epoch.
#
# The tree is copied into the image as a layer. The steps' own layers would not do: BuildKit makes
# and removes mount points after a step has ended, and their folders then carry today's time.
# usage: capture.sh STAMP TREE EPOCH
set -eu
stamp=$1 tree=$2 epoch=$3
work=$(dirname "$stamp")
list=$(mktemp)
mkdir -p "$tree"
# Changed content, and the folders on the way to it, so that modes and owners come along.
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \
  -o -path "$work" -o -path /root -o -path /var/log -o -path /var/cache -o -path /var/lib/apt \
  -o -path /etc/resolv.conf -o -path /etc/hosts -o -path /etc/hostname -o -path /etc/mtab \
  -o -name '*-old' -path '/var/lib/dpkg/*' -o -name '*-' -path '/etc/*' \) -prune \
  -o -cnewer "$stamp" ! -path / -print > "$list"
tar -C / --no-recursion --numeric-owner -cf - -T "$list" 2>/dev/null | tar -C "$tree" --numeric-owner -xpf -
rm -f "$list"
find "$tree" -exec touch -h -d "@$epoch" {} +
