# Collects what earlier steps changed in the system into a tree whose times are all one epoch.
#
# The tree is copied into the image as a layer. The steps' own layers would not do: BuildKit makes
# and removes mount points after a step has ended, and their folders then carry today's time.
# Left out are what belongs to the machine or to one run alone (/run, /tmp and root's home among
# it), logs, and caches whose content tells the time. A FOLDER is taken along wherever it lies.
# usage: capture.sh STAMP TREE EPOCH [FOLDER...]
set -eu
stamp=$1 tree=$2 epoch=$3
shift 3
work=$(dirname "$stamp")
found=$(mktemp)
mkdir -p "$tree"
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \
  -o -path "$work" -o -path /root -o -path '/var/log/*' ! -type d -o -path '/var/cache/apt/*' \
  -o -path '/var/cache/debconf/*' -o -path '/var/cache/fontconfig/*' -o -path '/var/cache/man/*' \
  -o -path /var/cache/ldconfig -o -path /var/lib/apt \
  -o -path /etc/resolv.conf -o -path /etc/hosts -o -path /etc/hostname -o -path /etc/mtab \
  -o -name '*-old' -path '/var/lib/dpkg/*' -o -name '*-' -path '/etc/*' \) -prune \
  -o -cnewer "$stamp" ! -path / -print > "$found"
for folder in "$@"; do
  # Where it really is: a link on the way, as /var/run is one, must stay a link.
  (cd "$folder" && pwd -P) >> "$found"
done
# And the folders on the way, so that their modes and owners come along.
awk '{ while (/[^\/]/ && !($0 in seen)) { seen[$0]; print; sub("/[^/]*$", "") } }' "$found" |
  LC_ALL=C sort > "$found.all"
tar -C / --no-recursion --numeric-owner -cf - -T "$found.all" 2>/dev/null | tar -C "$tree" --numeric-owner -xpf -
rm -f "$found" "$found.all"
find "$tree" -exec touch -h -d "@$epoch" {} +
