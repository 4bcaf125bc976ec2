# server: nginx, redis or PostgreSQL (ARGUMENT) over the base's packages, set up as their usual images are.
# shellcheck shell=sh
. "$(dirname "$0")/lib.sh"
begin
root=$work/$4
mkdir -p "$root"

# config OPTION…: umoci's, without the "--config." before each.
config() {
	for option; do
		set -- "$@" "--config.$option"
		shift
	done
	umoci config --image "$out:$name" "$@"
}

# healthcheck JSON: docker's field of the config, which umoci has no option for.
healthcheck() {
	cp "$(path_of "$(manifest)")" "$work/manifest"
	jq -c --argjson h "$1" '.config.Healthcheck = $h' \
		"$(path_of "$(jq -r .config.digest "$work/manifest")")" >"$work/config"
	size=$(stat -c %s "$work/config")
	digest=$(blob "$work/config")
	jq -c --arg d "$digest" --argjson s "$size" '.config.digest = $d | .config.size = $s' \
		"$work/manifest" >"$work/next"
	point application/vnd.oci.image.manifest.v1+json "$work/next"
}

case $4 in
nginx)
	mkdir -p "$root/etc/nginx" "$root/var/log/nginx"
	# IPv4 alone, which every kernel has.
	cat >"$root/etc/nginx/nginx.conf" <<X
user www-data;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log notice;
events {}
http {
	include mime.types;
	access_log /var/log/nginx/access.log;
	server {
		listen 80;
		root /var/www/html;
		index index.nginx-debian.html;
	}
}
X
	ln -s /dev/stdout "$root/var/log/nginx/access.log"
	ln -s /dev/stderr "$root/var/log/nginx/error.log"
	layer "$root"
	config cmd=nginx cmd=-g cmd='daemon off;' stopsignal=SIGQUIT exposedports=80/tcp
	;;
redis)
	# It saves what it has when it is asked to end, and only then.
	config user=redis workingdir=/data cmd=redis-server cmd=--protected-mode cmd=no cmd=--dir cmd=/data \
		cmd=--save cmd='3600 1000000' exposedports=6379/tcp
	;;
postgres)
	mkdir -p "$root/usr/local/bin"
	cat >"$root/usr/local/bin/docker-entrypoint.sh" <<'X'
#!/bin/sh
# Makes the cluster at the first start, by the user who then runs the server.
set -eu
if [ "$(id -u)" = 0 ]; then
	install -d -o postgres -g postgres -m 700 "$PGDATA"
	install -d -o postgres -g postgres -m 2775 /run/postgresql
	exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	: "${POSTGRES_PASSWORD:?give the superuser a password by -e POSTGRES_PASSWORD}"
	echo "$POSTGRES_PASSWORD" | initdb --no-sync --username=postgres --pwfile=/dev/stdin \
		--auth-local=trust --auth-host=scram-sha-256
	echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec "$@"
X
	chmod 755 "$root/usr/local/bin/docker-entrypoint.sh"
	layer "$root"
	config env=LANG=C.UTF-8 env=PGDATA=/var/lib/postgresql/data entrypoint=docker-entrypoint.sh \
		cmd=postgres cmd=-c cmd=listen_addresses='*' stopsignal=SIGINT exposedports=5432/tcp
	healthcheck '{"Test": ["CMD-SHELL", "pg_isready -q -h 127.0.0.1 -U postgres"],
		"Interval": 1000000000, "Timeout": 5000000000,
		"StartPeriod": 60000000000, "StartInterval": 500000000, "Retries": 3}'
	;;
esac
umoci gc --layout "$out"
