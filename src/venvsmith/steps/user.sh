# Gives a numeric user a name and a home, and folders that it may write to.
#
# A USER without a passwd line has HOME=/ and getpass.getuser() raises.
# usage: user.sh UID FOLDER...
set -eu
uid=$1
shift
if ! cut -d: -f3 /etc/passwd | grep -qx "$uid"; then
  cut -d: -f3 /etc/group | grep -qx "$uid" || echo "app:x:$uid:" >> /etc/group
  echo "app:x:$uid:$uid::/home/app:/bin/sh" >> /etc/passwd
  mkdir -p /home/app
  chown "$uid:$uid" /home/app
fi
group=$(awk -F: -v uid="$uid" '$3 == uid { print $4; exit }' /etc/passwd)
for folder in "$@"; do
  mkdir -p "$folder"
  chown "$uid:$group" "$folder"
done
